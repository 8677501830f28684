"""Paddle's own file names, and where a folder of weights keeps them."""

from __future__ import annotations

from pathlib import Path

PROGRAMS = ("inference.json", "inference.pdmodel")  # the network: a PIR program, or one of the older kind
PARAMETERS = "inference.pdiparams"
DESCRIPTION = "inference.yml"  # how pixels are prepared
TRAINED = ".pdparams"  # the suffix of trained weights


def network_folder(folder: Path) -> Path | None:
    """The folder that holds a network: `folder`, or the first such folder in it. None if there is none.

    Official archives hold a single folder at the top level. Raises OSError.
    """
    candidates = [folder, *sorted(entry for entry in folder.iterdir() if entry.is_dir())]
    return next((each for each in candidates if any((each / program).is_file() for program in PROGRAMS)), None)
