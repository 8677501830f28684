"""Where things are."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
SERVING = ROOT / ".venv"
EXPORTING = SERVING / "export"
HOME = ROOT / ".bench"  # environments, weights, exported models, images, logs and results; not in git
REPOSITORY = HOME / "model_repository"
RESULTS = HOME / "results"
LOGS = HOME / "logs"
PERFORMANCE = ROOT / "docs" / "performance.md"
