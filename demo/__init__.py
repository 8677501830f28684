"""A small street-scene network, its training scenes, and its training."""
