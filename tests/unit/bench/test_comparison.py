"""Tiny rivals compared with the bare network, all in real processes."""

from __future__ import annotations

import sys
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

import bench.comparison
import bench.images
import bench.models
import bench.rivals.rival
from bench.comparison import Comparison, Terms
from bench.images import Size
from bench.models import Model
from bench.processes import Tree
from bench.records import Failure, Load, Results, Start
from bench.report import of
from bench.rivals.catalogue import Rival, chosen
from bench.rivals.paddlex_rest import RestRoute
from bench.rivals.rival import HOST, Route, Served, answers
from semseg_client.ports import free_ports

SERVICE = """
import base64, json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
import cv2
import numpy as np

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer({})
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        image = cv2.imdecode(np.frombuffer(base64.b64decode(asked["image"]), np.uint8), cv2.IMREAD_COLOR)
        ids = image[:, :, ::-1].argmax(axis=2)
        if sys.argv[2] == "wrong":
            ids = 2 - ids
        self.answer({"errorCode": 0, "result": {"labelMap": ids.ravel().tolist(), "size": ids.shape}})
    def answer(self, content):
        body = json.dumps(content).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class _Small(Served):
    name = "right"
    same_file = True

    def launch(self) -> Tree:
        self._port = free_ports(HOST, {"port": 0})["port"]
        return Tree([sys.executable, "-c", SERVICE, str(self._port), self.name], {}, self.log)

    def ready(self) -> bool:
        return answers(f"http://{HOST}:{self._port}/")

    def route(self, name: str) -> Route:  # noqa: ARG002
        return RestRoute(f"{HOST}:{self._port}", picture=False)


class _Wrong(_Small):
    name = "wrong"


class _Ends(_Small):
    name = "ends"

    def launch(self) -> Tree:
        return Tree([sys.executable, "-c", "import sys; sys.exit('no port is free')"], {}, self.log)

    def ready(self) -> bool:
        return False


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Model:
    """A network whose class is the strongest colour channel."""
    monkeypatch.setattr(bench.models, "REPOSITORY", tmp_path)
    monkeypatch.setattr(bench.images, "HOME", tmp_path)
    monkeypatch.setattr(bench.rivals.rival, "LOGS", tmp_path)
    for pause in ("_IDLE", "_PAUSE"):
        monkeypatch.setattr(bench.comparison, pause, 0.05)
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", "h", "w", 3])
    ids = helper.make_tensor_value_info("ids", TensorProto.UINT8, ["n", "h", "w"])
    nodes = [
        helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("ArgMax", ["floats"], ["classes"], axis=3, keepdims=0),
        helper.make_node("Cast", ["classes"], ["ids"], to=TensorProto.UINT8),
    ]
    network = helper.make_model(helper.make_graph(nodes, "colours", [pixels], [ids]), opset_imports=[helper.make_opsetid("", 17)])
    network.ir_version = 8
    folder = tmp_path / "colours_network" / "1"
    folder.mkdir(parents=True)
    onnx.save(network, folder / "model.onnx")
    return Model("colours")


def test_rivals_take_turns_and_one_that_is_wrong_or_ends_is_out(model: Model, tmp_path: Path) -> None:
    rivals = [*chosen(["floor"]), *(Rival(make.name, make, "") for make in (_Small, _Wrong, _Ends))]
    results = Results(tmp_path / "results.jsonl")
    said: list[str] = []
    Comparison(model, Size.of("64x128"), rivals, Terms([1, 2], rounds=2, seconds=0.1), results, said.append).run()

    loads = of(results.records, Load)
    assert [load.rival for load in loads if load.clients == 2] == [
        *(rival.name for rival in rivals[:-2]),
        *(rival.name for rival in rivals[-3::-1]),
    ]
    assert all(load.agreement == 1 and load.latencies and load.cpu > 0 and load.pss > 0 for load in loads)
    assert {start.rival for start in of(results.records, Start)} == {rival.name for rival in rivals[:-2]}
    reasons = {failure.rival: failure.reason for failure in of(results.records, Failure)}
    assert reasons.keys() == {"wrong", "ends"}
    assert "wrong answer" in reasons["wrong"]
    assert "no port is free" in reasons["ends"]
    assert any(line.startswith("  wrong is out") for line in said)
