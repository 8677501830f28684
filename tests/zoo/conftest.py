"""The zoo's tests need Paddle, so they are collected in the exporting environment only."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("paddle") else ["test_zoo.py"]
