"""How a command reports each image on standard output."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..pipeline.pipeline import Failed

if TYPE_CHECKING:
    from ..results.result import Result


class Lines:
    """For people: the image, its files, and its classes."""

    def result(self, found: Result, files: Sequence[Path]) -> None:
        height, width = found.size
        classes = "\n".join(f"  {each.share:7.2%}  {each.name}" for each in found.classes)
        print(f"{found.input_path} ({width}x{height}) -> {', '.join(map(str, files))}\n{classes}", flush=True)

    def failure(self, failed: Failed) -> None:
        """Prints nothing: failures are listed at the end."""


class PaddleX:
    """Prints each result as PaddleX does."""

    def result(self, found: Result, files: Sequence[Path]) -> None:  # noqa: ARG002
        found.print()
        sys.stdout.flush()

    def failure(self, failed: Failed) -> None:
        """Prints nothing: failures are listed at the end."""


class JsonLines:
    """For programs: one JSON object per line, including failed images."""

    def result(self, found: Result, files: Sequence[Path]) -> None:
        height, width = found.size
        classes = [
            {"id": each.id, "name": each.name, "share": each.share, "pixels": each.pixels, "colour": each.hex}
            for each in found.classes
        ]
        self._print(
            {
                "input_path": found.input_path,
                "page_index": found.page_index,
                "size": [height, width],
                "model": found.model,
                "classes": classes,
                "files": [str(file) for file in files],
            }
        )

    def failure(self, failed: Failed) -> None:
        self._print({"input_path": failed.input_path, "page_index": failed.page_index, "error": str(failed.error)})

    def _print(self, told: Mapping[str, Any]) -> None:
        print(json.dumps(told), flush=True)


class Silent:
    """Reports nothing: standard output carries the file itself."""

    def result(self, found: Result, files: Sequence[Path]) -> None:
        pass

    def failure(self, failed: Failed) -> None:
        pass
