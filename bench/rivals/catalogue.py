"""The rivals, by their names in `--rivals`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ..models import Model
from .arranged import Arranged
from .floor import Floor, Plain, arrangements
from .litserve import LitServe
from .paddlex import PaddleX
from .rival import Server
from .semseg import Semseg
from .triton_kit import TritonKit

Make = Callable[[Model], Server]


@dataclass(frozen=True)
class Rival:
    """A way of calling a server. Rivals with the same `make` share one server."""

    name: str
    make: Make
    meaning: str


def _bare(kind: type[Floor], meaning: str) -> dict[str, Rival]:
    rivals = {}
    for arrangement in arrangements():
        sessions, threads = arrangement.split("x")
        name = f"{kind.kind}-{arrangement}"
        told = f"bare ONNX Runtime in process, {meaning}, sessions x threads: {sessions} x {threads}"
        rivals[name] = Rival(name, partial(kind, arrangement=arrangement), told)
    return rivals


RIVALS: dict[str, Rival] = {
    **_bare(Floor, "our file"),
    **_bare(Plain, "the file as converted"),
    "grpc": Rival("grpc", Semseg, "ours, gRPC, label map"),
    "rest": Rival("rest", Semseg, "ours, REST, label map and picture"),
    "rest-map": Rival("rest-map", Semseg, "ours, REST, label map"),
    **{
        f"grpc-{each}": Rival(f"grpc-{each}", partial(Arranged, arrangement=each), f"ours, gRPC, instances x threads: {each}")
        for each in arrangements()
    },
    "paddlex": Rival("paddlex", PaddleX, "paddlex --serve, label map and picture"),
    "paddlex-map": Rival("paddlex-map", PaddleX, "paddlex --serve, label map"),
    "paddlex-triton": Rival("paddlex-triton", TritonKit, "PaddleX's Triton kit, label map and picture"),
    "litserve": Rival("litserve", LitServe, "LitServe with our ONNX file, label map and picture"),
    "litserve-map": Rival("litserve-map", LitServe, "LitServe with our ONNX file, label map"),
}
FLOOR = "floor"  # selects all arrangements of the floor


def chosen(names: list[str]) -> list[Rival]:
    """The rivals with these names, in the catalogue's order.

    Raises:
        KeyError: a name is unknown.
    """
    unknown = [name for name in names if name not in RIVALS and name != FLOOR]
    if unknown:
        raise KeyError(unknown[0])
    return [rival for name, rival in RIVALS.items() if name in names or (FLOOR in names and is_floor(name))]


def is_floor(name: str) -> bool:
    return name.startswith(f"{FLOOR}-")
