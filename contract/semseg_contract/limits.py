"""Limits that both ends of a request observe."""

from __future__ import annotations

MAX_BATCH_SIZE = 8
LONGEST_SIDE = 16384  # pixels, of each side of a target size
MEGAPIXEL = 2**20
# Megapixels. The shared preprocess has an output for each of these limits.
SIZES = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
