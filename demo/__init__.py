"""A small street-scene network, the scenes it learned from, and how it was trained."""
