"""Our own server, over gRPC and REST."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from semseg_client import Client, Segmentation

from ..load import Call
from ..models import Model
from ..places import HOME, REPOSITORY, SERVING
from ..processes import Tree
from .paddlex_rest import RestRoute
from .rival import LabelMap, Route, Served, get_json


class Semseg(Served):
    """`semseg serve` with one model, or with `others` too."""

    name = "semseg"
    same_file = True

    def __init__(self, model: Model, others: tuple[str, ...] = ()) -> None:
        super().__init__(model)
        self._models = (model.name, *others)
        self._ready_file = HOME / f"{self.name}-{os.getpid()}.json"
        self._addresses: dict[str, str] = {}

    def repository(self) -> Path:
        """The repository to serve."""
        return REPOSITORY

    @property
    def grpc(self) -> str:
        return self._addresses["grpc"]

    @property
    def rest(self) -> str:
        return self._addresses["rest"].removeprefix("http://")

    def launch(self) -> Tree:
        self._ready_file.unlink(missing_ok=True)
        command: list[str | Path] = [
            SERVING / "bin" / "semseg",
            "serve",
            "--model-repository",
            self.repository(),
            "--ready-file",
            self._ready_file,
        ]
        command += [f"--{port}=0" for port in ("port", "http-port", "grpc-port", "metrics-port")]
        return Tree([*command, *(f"--model={model}" for model in self._models)], {}, self.log)

    def ready(self) -> bool:
        """The server writes the file once every model has answered an inference."""
        if not self._ready_file.exists():
            return False
        self._addresses = json.loads(self._ready_file.read_text())
        return True

    def route(self, name: str) -> Route:
        if name.startswith("grpc"):
            return _GrpcRoute(self.grpc, self.model.name, picture=name == "grpc-picture")
        return RestRoute(self.rest, picture=name == "rest")

    def ask(self, model: str, file: Path) -> None:
        """Send one image to one of the models, so that the server allocates the memory for it."""
        with Client(self.grpc, timeout=600) as client:
            client.segment(file, model)

    def statistics(self) -> dict[str, dict[str, Any]]:
        """Triton's own statistics of each model, by name."""
        told = get_json(f"{self._addresses['http']}/v2/models/stats")
        return {model["name"]: model for model in told["model_stats"]}


@dataclass(frozen=True)
class _GrpcRoute:
    """`Client.segment` over a connection of its own."""

    url: str
    model: str
    picture: bool

    def body(self, image: bytes) -> bytes:
        return image

    @contextmanager
    def connection(self) -> Iterator[Call]:
        with Client(self.url, timeout=600) as client:
            client.models()  # otherwise the first measured call would fetch this list
            yield lambda image: client.segment(image, self.model, picture=self.picture)

    def label_map(self, answer: Segmentation) -> LabelMap:
        return answer.label_map
