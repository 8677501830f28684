"""Turns trained weights (.pdparams) into an inference archive, as PaddleX's export does."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from semseg_contract.paddle_files import DESCRIPTIONS

from ..errors import ConversionError, DescriptionError, UnpackError, WeightsError
from ..paddle_process import run_module
from . import description, preparation, zoo
from .archive import Archive, read_archive

BASE = "_base_"  # PaddleSeg's key for the configuration that a file is based on
REFUSAL = "refusal.txt"
PLAIN, DEPLOYED, _ = DESCRIPTIONS


def to_archive(file: Path, architecture: str, folder: Path) -> Archive:
    """The inference archive of the weights in `file`, written to `folder`.

    The files beside `file` say how pixels are prepared. Raises WeightsError, DescriptionError, ConversionError.
    """
    network = zoo.network(architecture)
    if find_spec("paddleseg") is None:
        raise WeightsError("trained weights need the architectures of PaddleSeg: pip install --no-deps paddleseg==2.8.0")
    folder.mkdir(parents=True, exist_ok=True)
    name, content = described(file.parent, network)
    (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    size = network.size_for(preparation.read(folder / name).steps)
    try:
        run_module(
            "semseg_export.workers.network_builder",
            [file, architecture, folder, *(size or ())],
            f"building {architecture} with {file.name}",
        )
    except ConversionError as error:
        if (folder / REFUSAL).is_file():
            kind, _, told = (folder / REFUSAL).read_text(encoding="utf-8").partition("\n")
            raise (UnpackError if kind == UnpackError.__name__ else WeightsError)(told) from error
        raise
    return read_archive(folder)


def described(folder: Path, network: zoo.Network) -> tuple[str, Any]:
    """How pixels are prepared: the name and content of a description with the meaning of the file that `described_by` finds.

    A training configuration means what PaddleSeg, which reads it, means by its transforms; so does a deploy.yaml. Without a file,
    pixels are prepared as for PaddleX's own `network`. Raises DescriptionError.
    """
    file = described_by(folder)
    if file is None:
        return PLAIN, {"Deploy": {"transforms": network.transforms}}
    if file.name in DESCRIPTIONS:
        preparation.read(file)  # its errors name the user's file
        return file.name, description.read(file)
    try:
        transforms = _inheriting(file)["val_dataset"]["transforms"]
    except (KeyError, TypeError) as error:
        raise DescriptionError(
            f"{file} has no transforms under val_dataset, which say how to prepare pixels: add them"
        ) from error
    preparation.training(transforms, file)
    return DEPLOYED, {"Deploy": {"transforms": transforms}}


def described_by(folder: Path) -> Path | None:
    """The file in `folder` that says how pixels are prepared: one of DESCRIPTIONS, or else a training configuration.

    Raises DescriptionError if there are several configurations.
    """
    if any((folder / name).is_file() for name in DESCRIPTIONS):
        return preparation.find(folder)
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yml", ".yaml"))
    mentions = re.compile(f"val_dataset|{BASE}".encode())
    mentioning = [file for file in files if mentions.search(file.read_bytes().replace(b"\0", b""))]  # UTF-16 has null bytes
    found = {file: content for file in mentioning if {"val_dataset", BASE} & (content := _mapping(file)).keys()}
    bases = {base for file, content in found.items() for base in _bases(file, content) if base != file.resolve()}
    trainings = [file for file in found if file.resolve() not in bases]
    if len(trainings) > 1:
        names = " and ".join(file.name for file in trainings)
        raise DescriptionError(f"{folder} holds {names}: keep only the one that these weights were trained with, or add {PLAIN}")
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
                f"{file} is based on {base}, which does not exist: create it, or put the network's {PLAIN} beside its weights"
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
