"""LitServe with the same ONNX file: the obvious alternative as a serving framework."""

from __future__ import annotations

from pathlib import Path

from semseg_client.ports import free_ports

from ..places import HOME
from ..processes import Tree
from .paddlex_rest import RestRoute
from .rival import HOST, Route, Served, answers


class LitServe(Served):
    name = "litserve"
    same_file = True
    _port = 0

    def launch(self) -> Tree:
        self._port = free_ports(HOST, {"port": 0})["port"]
        program = Path(__file__).parent / "litserve_app" / "app.py"
        command: list[str | Path] = [HOME / "litserve" / "bin" / "python", program, self.model.onnx, str(self._port)]
        return Tree(command, {"PYTHONPATH": ""}, self.log)

    def ready(self) -> bool:
        return answers(f"http://{HOST}:{self._port}/health")

    def route(self, name: str) -> Route:
        return RestRoute(f"{HOST}:{self._port}", picture=name == "litserve")
