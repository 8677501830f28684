"""PaddleX's Triton kit: its pipeline as one Python model, on the same tritonserver as ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput

from semseg_client.ports import free_ports
from semseg_client.triton.client import channel_options

from ..load import Call
from ..places import HOME, ROOT
from ..processes import Tree
from .paddlex import ENVIRONMENT, pipeline, settings
from .paddlex_rest import RestRoute, in_json
from .rival import HOST, LabelMap, Route, Served, answers

MODEL = "semantic-segmentation"


class TritonKit(Served):
    name = "paddlex-triton"
    same_file = False

    def launch(self) -> Tree:
        repository = HOME / "triton-kit"
        shutil.rmtree(repository, ignore_errors=True)
        source = Path(__file__).parent / "triton_kit_model"
        version = repository / MODEL / "1"
        version.mkdir(parents=True)
        shutil.copy(source / "config.pbtxt", version.parent)
        shutil.copy(source / "model.py", version)
        self._ports = free_ports(HOST, {"--grpc-port": 0, "--http-port": 0, "--metrics-port": 0})
        command: list[str | Path] = [
            *(ENVIRONMENT / "bin" / "python", "-c", "from semseg_server.tritonserver import main; main()"),
            f"--model-repository={repository}",
            "--backend-config=python,shm-default-byte-size=104857600,shm-growth-byte-size=10485760",
            *(f"{option}={port}" for option, port in self._ports.items()),
            *(f"--{interface}-address={HOST}" for interface in ("grpc", "http", "metrics")),
        ]
        environment = {**settings(), "PYTHONPATH": str(ROOT / "server"), "BENCH_PIPELINE": str(pipeline(self.model))}
        return Tree(command, environment, self.log)

    def ready(self) -> bool:
        return answers(f"http://{HOST}:{self._ports['--http-port']}/v2/health/ready")

    def route(self, name: str) -> Route:  # noqa: ARG002 - there is only one
        return _KitRoute(f"{HOST}:{self._ports['--grpc-port']}")


@dataclass(frozen=True)
class _KitRoute:
    """PaddleX's JSON in a string over gRPC, as the kit's own client sends it."""

    url: str

    def body(self, image: bytes) -> list[InferInput]:
        tensor = InferInput("input", [1, 1], "BYTES")
        tensor.set_data_from_numpy(np.array([[RestRoute(self.url, picture=True).body(image)]], np.object_))
        return [tensor]

    @contextmanager
    def connection(self) -> Iterator[Call]:
        with InferenceServerClient(self.url, channel_args=channel_options(self.url)) as client:
            yield lambda body: client.infer(MODEL, body)

    def label_map(self, answer: object) -> LabelMap:
        return in_json(answer.as_numpy("output")[0, 0], picture=True)  # type: ignore[attr-defined]
