"""A network is served by OpenVINO only if it is faster here, and gives the classes of Paddle."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from onnx import ModelProto, helper

from semseg_contract.engine import LOGITS
from semseg_export.checks import engines
from semseg_export.conversion.tail import tail_of
from semseg_export.errors import DisagreementError, EngineError
from semseg_export.options import Engine
from tests.unit.export.exported import Run

pytest.importorskip("openvino", reason="OpenVINO is not installed here")


def test_the_engine_asked_for_is_installed_with_its_figures(run: Run) -> None:
    found = run("none", engine=Engine.OPENVINO)
    assert found.network.backend == "engines"
    assert found.network.parameters["engine"].string_value == "openvino"
    assert found.network.default_model_filename == "model_cpu.onnx"  # for a machine without OpenVINO
    assert found.record.engine is not None
    assert found.record.engine["name"] == "openvino"
    assert found.record.engine["milliseconds"].keys() == {"onnxruntime", "openvino"}
    assert found.record.engine["agreement"] >= 0.9999


@pytest.mark.parametrize(("ahead", "chosen", "backend"), [(100.0, "openvino", "engines"), (0.0, "onnxruntime", "onnxruntime")])
def test_auto_takes_the_faster_and_records_both(
    run: Run, monkeypatch: pytest.MonkeyPatch, ahead: float, chosen: str, backend: str
) -> None:
    monkeypatch.setattr(engines, "AHEAD", ahead)
    found = run("argmax", engine=Engine.AUTO)
    assert found.network.backend == backend
    assert ("engine" in found.network.parameters) == (backend == "engines")
    assert found.record.engine is not None
    assert found.record.engine["name"] == chosen
    assert min(found.record.engine["milliseconds"].values()) > 0


def negated(laid_out: ModelProto) -> ModelProto:
    """A tail that takes the lowest logit."""
    tail = tail_of(laid_out)
    tail.graph.node[0].input[0] = "negative"
    tail.graph.node.insert(0, helper.make_node("Neg", [LOGITS], ["negative"]))
    return tail


def test_an_engine_that_disagrees_with_paddle_is_not_installed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "tail_of", negated)
    monkeypatch.setattr(engines, "AHEAD", 100.0)
    with pytest.raises(DisagreementError, match="the network on OpenVINO agrees with Paddle on only"):
        run("none", engine=Engine.OPENVINO)
    found = run("none", engine=Engine.AUTO)
    assert found.network.backend == "onnxruntime"
    assert found.record.engine is None


def test_without_openvino_auto_stays_with_onnx_runtime(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(engines, "version", missing)
    assert run("none", engine=Engine.AUTO).network.backend == "onnxruntime"
    with pytest.raises(EngineError, match=r"not installed here: pip install paddle-semseg-export\[openvino\]"):
        run("none", engine=Engine.OPENVINO)


def test_a_network_that_does_not_end_in_an_upsampling_stays_whole(run: Run) -> None:
    with pytest.raises(EngineError, match="only networks that end by upsampling their logits"):
        run("sigmoid1", engine=Engine.OPENVINO)
