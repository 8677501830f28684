"""Turns trained weights (.pdparams) into an inference archive, as PaddleX's export does."""

from __future__ import annotations

import json
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from semseg_contract.paddle_files import DESCRIPTIONS, DUMPED, EXPORTED

from ..errors import ConversionError, DescriptionError, UnpackError, WeightsError
from ..paddle_process import run_module
from . import description, preparation, zoo
from .archive import Archive
from .preparation import Described

BASE = "_base_"  # PaddleSeg's key for the configuration that a file is based on
INHERITED = "_inherited_"  # its key that, if false, keeps a section from being merged
NETWORK, REFUSAL = "network.json", "refusal.txt"
PLAIN = DESCRIPTIONS[0]


def to_archive(file: Path, described_by: Path | None, architecture: str, folder: Path) -> Archive:
    """The inference archive of the weights in `file`, written to `folder`.

    Pixels are prepared as `described_by` says, or, without that file, as for PaddleX's own network. If there is a training
    configuration, the network is built as it says. Raises WeightsError, DescriptionError, ConversionError.
    """
    network = zoo.network(architecture)
    if find_spec("paddleseg") is None:
        raise WeightsError("trained weights need the architectures of PaddleSeg: pip install --no-deps paddleseg==2.8.0")
    folder.mkdir(parents=True, exist_ok=True)
    described = read(described_by, network)
    training = None if described_by is None else _training(file.parent) or _dumped(file)
    if training is not None:
        _write_settings(training, folder / NETWORK)
    size = network.size_for(described.steps)
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
    # For the process that runs Paddle on prepared pixels: it only normalises them.
    only = {"Deploy": {"transforms": [described.normalisation.transform]}}
    (folder / PLAIN).write_text(yaml.safe_dump(only), encoding="utf-8")
    program = folder / "inference.json"
    return Archive(
        program=program,
        reference=program,
        described_by=described_by or file.with_name(PLAIN),
        normalisation=described.normalisation,
        steps=described.steps,
        labels=described.labels,
        notes=described.notes,
    )


def _write_settings(training: Path, file: Path) -> None:
    """Write what a training configuration says of the network to `file`, if it says anything. Raises DescriptionError."""
    settings = _inheriting(training).get("model")
    if not isinstance(settings, dict):
        return
    try:
        file.write_text(json.dumps(settings), encoding="utf-8")
    except (TypeError, ValueError) as error:
        told = "correct its section model, which may hold only text, numbers, lists and sections"
        raise DescriptionError(f"{training} describes no network: {told}") from error


def read(described_by: Path | None, network: zoo.Network) -> Described:
    """How pixels are prepared: as a file says, or, if there is none, as for PaddleX's own `network`. Raises DescriptionError.

    A training configuration means what PaddleSeg, which reads it, means by its transforms.
    """
    if described_by is None:
        return preparation.paddlex(network.transforms, Path(network.name))
    if described_by.name in DESCRIPTIONS:
        return preparation.read(described_by)
    try:
        transforms = _inheriting(described_by)["val_dataset"]["transforms"]
    except (KeyError, TypeError) as error:
        raise DescriptionError(
            f"{described_by} has no transforms under val_dataset, which say how to prepare pixels: add them"
        ) from error
    return preparation.training(transforms, described_by)


def description_of(file: Path) -> Path | None:
    """The file that says how pixels are prepared for the weights in `file`, if there is one.

    It is beside them: one of DESCRIPTIONS, or else a training configuration. Otherwise it is where PaddleX 3 keeps it: in the
    folder EXPORTED beside them, or DUMPED, two folders above. Raises DescriptionError if there are several beside them.
    """
    folder = file.parent
    return _description(folder) or _training(folder) or _description(folder / EXPORTED) or _dumped(file)


def undescribed(source: str, architecture: str) -> str:
    """What to tell of weights from `source` for which no such file was found."""
    return (
        f"found no {', '.join(DESCRIPTIONS)} or training YAML beside {source}, nor what PaddleX's training writes"
        f" ({EXPORTED}/{PLAIN}, or {DUMPED} two folders above): pixels are prepared as for PaddleX's own {architecture}. If"
        " the network was trained with others, its label maps will be wrong: put the file that says how beside the weights"
        " on this machine, and export again"
    )


def _dumped(file: Path) -> Path | None:
    """The training configuration that PaddleX 3 wrote, two folders above the weights in `file`."""
    dumped = file.parent.resolve().parent / DUMPED
    return dumped if dumped.is_file() and _trains(dumped) else None


def _description(folder: Path) -> Path | None:
    return preparation.find(folder) if any((folder / name).is_file() for name in DESCRIPTIONS) else None


def _training(folder: Path) -> Path | None:
    """The training configuration in `folder`, not those that it is based on. Raises DescriptionError if there are several."""
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yml", ".yaml") and not file.name.startswith("."))
    found = [file for file in files if _trains(file)]
    bases = {base for file in found for base in _bases(file, _mapping(file)) if base != file.resolve()}
    trainings = [file for file in found if file.resolve() not in bases]
    if len(trainings) > 1:
        names = " and ".join(file.name for file in trainings)
        raise DescriptionError(f"{folder} holds {names}: keep only the one that these weights were trained with")
    return trainings[0] if trainings else None


def _trains(file: Path) -> bool:
    """Whether a YAML file is a training configuration. It is not parsed unless it mentions what one has."""
    mentioned = re.search(f"val_dataset|{BASE}".encode(), file.read_bytes().replace(b"\0", b""))  # UTF-16 has null bytes
    return mentioned is not None and not {"val_dataset", BASE}.isdisjoint(_mapping(file))


def _inheriting(file: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """A training configuration merged over its base, as PaddleSeg merges them."""
    content = merged = _mapping(file)
    for base in _bases(file, content):
        if base in (*heirs, file.resolve()):
            raise DescriptionError(f"{file} inherits from itself: correct its {BASE} entry")
        if not base.is_file():
            raise DescriptionError(
                f"{file} is based on {base}, which does not exist: create it, or put the network's {PLAIN} beside its weights"
            )
        merged = _merged(_inheriting(base, (*heirs, file.resolve())), merged)
    return merged


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Merge sections key by key, unless they say `_inherited_: false`. Replace everything else."""
    merged = dict(base)
    for key, value in own.items():
        alone = isinstance(value, dict) and not value.get(INHERITED, True)
        if alone:
            merged[key] = {name: each for name, each in value.items() if name != INHERITED}
        else:
            merged[key] = _merged(base[key], value) if isinstance(value, dict) and isinstance(base.get(key), dict) else value
    return merged


def _bases(file: Path, content: dict[str, Any]) -> list[Path]:
    """The files that `file` is based on; earlier ones override later ones, as in PaddleSeg."""
    named = content.get(BASE) or []
    names = [str(name) for name in (named if isinstance(named, list) else [named])]
    if any("\0" in name for name in names):
        raise DescriptionError(f"{file} has a {BASE} entry that is no path: correct it")
    return [(file.parent / name).resolve() for name in names]


def _mapping(file: Path) -> dict[str, Any]:
    content = description.read(file)
    return content if isinstance(content, dict) else {}
