"""Triton Inference Server from PyPI, for a machine without NVIDIA's image."""
