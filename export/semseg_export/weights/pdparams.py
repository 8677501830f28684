"""Turns trained weights (.pdparams) into an inference archive, as PaddleX's export does."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from semseg_contract.paddle_files import DESCRIPTION

from ..errors import ConversionError, DescriptionError, UnpackError, WeightsError
from ..paddle_process import run_module
from . import description, zoo
from .archive import Archive, read_archive

BASE = "_base_"  # PaddleSeg's key for the configuration that a file is based on
REFUSAL = "refusal.txt"


def to_archive(file: Path, architecture: str, folder: Path) -> Archive:
    """The inference archive of the weights in `file`, written to `folder`.

    The files beside `file` say how pixels are prepared. Raises WeightsError, DescriptionError, ConversionError.
    """
    zoo.network(architecture)
    if find_spec("paddleseg") is None:
        raise WeightsError("trained weights need the architectures of PaddleSeg: pip install --no-deps paddleseg==2.8.0")
    folder.mkdir(parents=True, exist_ok=True)
    described = {"Deploy": {"transforms": transforms(file.parent)}, "Global": {"model_name": architecture}}
    (folder / DESCRIPTION).write_text(yaml.safe_dump(described), encoding="utf-8")
    try:
        run_module(
            "semseg_export.workers.network_builder", [file, architecture, folder], f"building {architecture} with {file.name}"
        )
    except ConversionError as error:
        if (folder / REFUSAL).is_file():
            kind, _, told = (folder / REFUSAL).read_text(encoding="utf-8").partition("\n")
            raise (UnpackError if kind == UnpackError.__name__ else WeightsError)(told) from error
        raise
    return read_archive(folder)


def transforms(folder: Path) -> Any:
    """How pixels are prepared, read from the file that `described_by` finds; without one, as for PaddleX's own networks.

    Raises DescriptionError.
    """
    file = described_by(folder)
    if file is None:
        return [{"type": "Normalize"}]
    section = "Deploy" if file.name == DESCRIPTION else "val_dataset"
    try:
        return _inheriting(file)[section]["transforms"]
    except (KeyError, TypeError) as error:
        raise DescriptionError(f"{file} has no transforms under {section}, which say how to prepare pixels: add them") from error


def described_by(folder: Path) -> Path | None:
    """The file in `folder` that says how pixels are prepared: its inference.yml, or else a training configuration.

    Raises DescriptionError if there are several configurations.
    """
    if (folder / DESCRIPTION).is_file():
        return folder / DESCRIPTION
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yml", ".yaml"))
    mentions = re.compile(f"val_dataset|{BASE}".encode())
    mentioning = [file for file in files if mentions.search(file.read_bytes().replace(b"\0", b""))]  # UTF-16 has null bytes
    found = {file: content for file in mentioning if {"val_dataset", BASE} & (content := _mapping(file)).keys()}
    bases = {base for file, content in found.items() for base in _bases(file, content) if base != file.resolve()}
    trainings = [file for file in found if file.resolve() not in bases]
    if len(trainings) > 1:
        names = " and ".join(file.name for file in trainings)
        raise DescriptionError(
            f"{folder} holds {names}: keep only the one that these weights were trained with, or add {DESCRIPTION}"
        )
    return trainings[0] if trainings else None


def _inheriting(file: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A training configuration merged over its base, as PaddleSeg merges them."""
    content = _mapping(file)
    merged: dict[str, Any] = {}
    for base in _bases(file, content):
        if base in (*heirs, file.resolve()):
            raise DescriptionError(f"{file} inherits from itself: correct its {BASE} entry")
        if not base.is_file():
            raise DescriptionError(
                f"{file} is based on {base}, which does not exist: create it, or put the network's {DESCRIPTION}"
                " beside its weights"
            )
        merged = _merged(merged, _inheriting(base, (*heirs, file.resolve())))
    return _merged(merged, content)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge sections key by key, unless they say `_inherited_: False`. Replace everything else."""
    merged = dict(base)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict) and value.get("_inherited_", True)
        merged[key] = _merged(base[key], value) if both else value
    return merged


def _bases(file: Path, content: dict[str, Any]) -> list[Path]:
    """The files that `file` is based on; later ones override earlier ones."""
    named = content.get(BASE) or []
    return [(file.parent / str(name)).resolve() for name in (named if isinstance(named, list) else [named])]


def _mapping(file: Path) -> dict[str, Any]:
    content = description.read(file)
    return content if isinstance(content, dict) else {}
