"""PaddleX's own service, `paddlex --serve`."""

from __future__ import annotations

from pathlib import Path

import yaml

from semseg_client.ports import free_ports

from ..models import Model
from ..places import HOME
from ..processes import Tree
from .paddlex_rest import RestRoute
from .rival import HOST, Route, Served, answers

ENVIRONMENT = HOME / "paddlex"


class PaddleX(Served):
    name = "paddlex"
    same_file = False
    _port = 0

    def launch(self) -> Tree:
        self._port = free_ports(HOST, {"port": 0})["port"]
        command: list[str | Path] = [
            ENVIRONMENT / "bin" / "paddlex",
            "--serve",
            "--pipeline",
            pipeline(self.model),
            "--device",
            "cpu",
        ]
        return Tree([*command, "--host", HOST, "--port", str(self._port)], settings(), self.log)

    def ready(self) -> bool:
        return answers(f"http://{HOST}:{self._port}/health")

    def route(self, name: str) -> Route:
        return RestRoute(f"{HOST}:{self._port}", picture=name == "paddlex")


def pipeline(model: Model) -> Path:
    """PaddleX's pipeline configuration, with our weights."""
    module = {
        "module_name": "semantic_segmentation",
        "model_name": model.paddlex_name,
        "model_dir": str(model.weights),
        "batch_size": 1,
        "target_size": None,
    }
    file = HOME / f"paddlex-{model.network}.yaml"
    file.write_text(yaml.safe_dump({"pipeline_name": "semantic_segmentation", "SubModules": {"SemanticSegmentation": module}}))
    return file


def settings() -> dict[str, str]:
    """Variables that keep PaddleX off the network and out of the user's folders. Its ten threads are as fast as one per core."""
    return {
        "PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK": "True",
        "PADDLE_PDX_CACHE_HOME": str(HOME / "paddlex-cache"),
        "PYTHONPATH": "",
    }
