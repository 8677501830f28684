"""Trained weights to an inference archive as PaddleX exports it: `x` float32 [N, 3, H, W] in, int32 class ids [N, H, W] out.

    python -m semseg_export.weights.pdparams FILE ARCHITECTURE FOLDER

is the child process that does it. A refusal of the weights, the error's name and message, it leaves in FOLDER/refusal.txt.
"""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

from semseg_contract.paddle_files import DESCRIPTION

from ..errors import ConversionError, DescriptionError, UnpackError, WeightsError
from ..paddle_process import run_module
from . import checkpoint, description, zoo
from .archive import Archive, read_archive

BASE = "_base_"  # PaddleSeg's key for the configuration that another one completes
REFUSAL = "refusal.txt"


def to_archive(file: Path, architecture: str, folder: Path) -> Archive:
    """The inference archive of the weights in `file`, written to `folder`.

    Pixels are prepared as the files beside `file` tell. Raises WeightsError, DescriptionError, ConversionError.
    """
    zoo.network(architecture)
    if find_spec("paddleseg") is None:
        raise WeightsError("trained weights need the architectures of PaddleSeg: pip install --no-deps paddleseg==2.8.0")
    folder.mkdir(parents=True, exist_ok=True)
    described = {"Deploy": {"transforms": transforms(file.parent)}, "Global": {"model_name": architecture}}
    (folder / DESCRIPTION).write_text(yaml.safe_dump(described), encoding="utf-8")
    try:
        run_module("semseg_export.weights.pdparams", [file, architecture, folder], f"building {architecture} with {file.name}")
    except ConversionError as error:
        if (folder / REFUSAL).is_file():
            kind, _, told = (folder / REFUSAL).read_text(encoding="utf-8").partition("\n")
            raise (UnpackError if kind == UnpackError.__name__ else WeightsError)(told) from error
        raise
    return read_archive(folder)


def transforms(folder: Path) -> Any:
    """How pixels are prepared, by what `described_by` finds; without it, as all of PaddleX's networks want them.

    Raises DescriptionError.
    """
    file = described_by(folder)
    if file is None:
        return [{"type": "Normalize"}]
    section = "Deploy" if file.name == DESCRIPTION else "val_dataset"
    try:
        return _inheriting(file)[section]["transforms"]
    except (KeyError, TypeError) as error:
        raise DescriptionError(f"{file} has no {section}: transforms:, which tell how pixels are prepared; add them") from error


def described_by(folder: Path) -> Path | None:
    """The file in `folder` that tells how pixels are prepared: its inference.yml, or else a training's configuration.

    Raises DescriptionError if there are several of the second kind.
    """
    if (folder / DESCRIPTION).is_file():
        return folder / DESCRIPTION
    files = sorted(file for file in folder.iterdir() if file.suffix in (".yml", ".yaml"))
    mentioning = [file for file in files if re.search(f"val_dataset|{BASE}", file.read_text("utf-8", "replace"))]
    found = {file: content for file in mentioning if {"val_dataset", BASE} & (content := _mapping(file)).keys()}
    bases = {base for file, content in found.items() for base in _bases(file, content) if base != file.resolve()}
    trainings = [file for file in found if file.resolve() not in bases]
    if len(trainings) > 1:
        names = " and ".join(file.name for file in trainings)
        raise DescriptionError(f"{folder} holds {names}: leave only the one of this training, or put its {DESCRIPTION} there")
    return trainings[0] if trainings else None


def _inheriting(file: Path, heirs: tuple[Path, ...] = ()) -> dict[str, Any]:
    """What a training's configuration says, and where it is silent the one that it names as its base, as PaddleSeg reads them."""
    content = _mapping(file)
    merged: dict[str, Any] = {}
    for base in _bases(file, content):
        if base in (*heirs, file.resolve()):
            raise DescriptionError(f"{file} is its own {BASE}: name another")
        if not base.is_file():
            raise DescriptionError(
                f"{file} takes the rest from {base}, which is not there: put it there, or the {DESCRIPTION} of the network"
                " beside its weights"
            )
        merged = _merged(merged, _inheriting(base, (*heirs, file.resolve())))
    return _merged(merged, content)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Sections are merged key by key, unless they say `_inherited_: False`; everything else is replaced."""
    merged = dict(base)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(base.get(key), dict) and value.get("_inherited_", True)
        merged[key] = _merged(base[key], value) if both else value
    return merged


def _bases(file: Path, content: dict[str, Any]) -> list[Path]:
    """One, or a list, of which a later one overrides the earlier."""
    named = content.get(BASE) or []
    return [(file.parent / str(name)).resolve() for name in (named if isinstance(named, list) else [named])]


def _mapping(file: Path) -> dict[str, Any]:
    content = description.read(file)
    return content if isinstance(content, dict) else {}


def build(file: Path, name: str, folder: Path) -> None:
    """Write inference.json and inference.pdiparams to `folder`. Raises WeightsError if `file` does not fit the network."""
    from .architectures import architecture

    values = checkpoint.read(file)
    entry = architecture(name)
    head = values.get(f"{entry.head}.weight")
    classes = len(head) if head is not None and head.ndim > 0 else len(zoo.network(name).data_set.classes)
    network = entry.build(name, max(classes, 1))
    found = {key: list(value.shape) for key, value in values.items()}
    checkpoint.check(found, {key: list(value.shape) for key, value in network.state_dict().items()}, name)
    network.set_state_dict(dict[str, Any](values))
    save(network, folder)


def save(network: Any, folder: Path) -> None:
    """Save a network whose first answer is logits, with the argmax, for images of any size."""
    import paddle

    class Labels(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return paddle.argmax(self.network(x)[0], axis=1, dtype="int32")

    labels = Labels()
    labels.eval()
    spec = [paddle.static.InputSpec([None, 3, None, None], "float32", "x")]
    paddle.jit.save(paddle.jit.to_static(labels, input_spec=spec, full_graph=True), str(folder / "inference"))


def main() -> None:
    file, name, folder = sys.argv[1:]
    try:
        build(Path(file), name, Path(folder))
    except WeightsError as error:
        (Path(folder) / REFUSAL).write_text(f"{type(error).__name__}\n{error}", encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main()
