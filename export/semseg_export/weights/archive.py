"""A folder with a network to export: its files, and how its pixels are prepared."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from semseg_contract.paddle_files import CLASSES, ONNX, PARAMETERS, PROGRAMS, STEMS, network_files
from semseg_contract.transforms import Step

from ..errors import WeightsError
from . import preparation
from .normalisation import RAW, Normalisation

PADDLE = "Paddle"


POINTER = b"version https://git-lfs"


@dataclass(frozen=True)
class Archive:
    """A network and its preparation.

    `program` is a PIR program (.json), an older one (.pdmodel) or an ONNX file. `reference` is Paddle's program that an ONNX file
    was made from, if it is there, otherwise `program`. `described_by` says how pixels are prepared; its `labels`, if any, name
    the classes, and `notes` are for the user. `classes` is the user's file of class names, if there is one.
    """

    program: Path
    reference: Path
    described_by: Path
    normalisation: Normalisation = RAW
    steps: tuple[Step, ...] = ()
    labels: tuple[str, ...] | None = None
    classes: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def parameters(self) -> Path:
        """The file whose digest identifies the network's weights."""
        return parameters_of(self.program)

    @property
    def runner(self) -> str:
        """What runs the reference."""
        return "ONNX Runtime" if self.reference.suffix == ONNX else PADDLE


def parameters_of(program: Path) -> Path:
    """The file with the parameters of a program; an ONNX file holds its own."""
    return program if program.suffix == ONNX else program.with_suffix(PARAMETERS)


def check_whole(file: Path) -> None:
    """Raises WeightsError if git put a pointer in the file's place."""
    with file.open("rb") as opened:
        if opened.read(len(POINTER)) == POINTER:
            raise WeightsError(f"{file.name} is only Git LFS's pointer to the file: fetch the file with git lfs pull")


def read_archive(folder: Path, program: Path | None = None) -> Archive:
    """The network in `folder`; `program` chooses it if there are several formats.

    Raises WeightsError if a file is missing, DescriptionError if the pixels need something that cannot be served.
    """
    files = network_files(folder)
    if not files:
        names = " nor ".join(stem + suffix for stem in STEMS for suffix in (*PROGRAMS, ONNX))
        raise WeightsError(f"{folder} has neither {names}: export the network for inference first")
    chosen = program or files[0]
    others = [file.name for file in files if file.stem != chosen.stem and program is None]
    if others:
        raise WeightsError(f"{folder} holds {chosen.name} and {', '.join(others)}: keep only the network that you want to serve")
    if not parameters_of(chosen).is_file():
        raise WeightsError(f"{folder} has no {parameters_of(chosen).name}: put it beside {chosen.name}")
    for file in {chosen, parameters_of(chosen)}:
        check_whole(file)
    paddle = next((file for file in files if file.suffix in PROGRAMS and parameters_of(file).is_file()), chosen)
    described_by = preparation.find(folder)
    described = preparation.read(described_by)
    classes = folder / CLASSES
    return Archive(
        program=chosen,
        reference=paddle if chosen.suffix == ONNX else chosen,
        described_by=described_by,
        normalisation=described.normalisation,
        steps=described.steps,
        labels=described.labels,
        classes=classes if classes.is_file() else None,
        notes=described.notes,
    )
