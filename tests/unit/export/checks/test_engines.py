"""A network is served by another engine than ONNX Runtime only if it is faster here, and gives the classes of Paddle."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest
from onnx import ModelProto, helper

from semseg_contract.engine import LOGITS, MNN, MNN_PRECISE, OPENVINO
from semseg_export.checks import engines
from semseg_export.conversion.tail import tail_of
from semseg_export.errors import DisagreementError, EngineError
from semseg_export.options import OTHER_ENGINES, Engine
from tests.unit.export.exported import Run

for package in ("openvino", "MNN"):
    pytest.importorskip(package, reason=f"{package} is not installed here")


@pytest.mark.parametrize("engine", OTHER_ENGINES)
def test_the_engine_asked_for_is_installed_with_its_figures(run: Run, engine: Engine) -> None:
    found = run("none", engine=engine)
    assert found.network.backend == "engines"
    assert found.network.parameters["engine"].string_value == engine.value
    assert found.network.default_model_filename == "model_cpu.onnx"  # for a machine without the engine
    assert found.record.engine is not None
    assert found.record.engine["name"] == engine.value
    [(tried, figures)] = found.record.engine["tried"].items()
    assert tried == engine.value
    assert min(figures["milliseconds"], figures["onnxruntime_milliseconds"]) > 0
    assert figures["agreement"] >= 0.9999


@pytest.mark.parametrize(("ahead", "backend"), [(100.0, "engines"), (0.0, "onnxruntime")])
def test_auto_takes_the_fastest_and_records_all(run: Run, monkeypatch: pytest.MonkeyPatch, ahead: float, backend: str) -> None:
    monkeypatch.setattr(engines, "AHEAD", ahead)
    found = run("argmax", engine=Engine.AUTO)
    assert found.network.backend == backend
    assert ("engine" in found.network.parameters) == (backend == "engines")
    assert found.record.engine is not None
    tried = found.record.engine["tried"]
    assert tried.keys() == {OPENVINO, MNN}
    ratios = {name: each["milliseconds"] / each["onnxruntime_milliseconds"] for name, each in tried.items()}
    assert found.record.engine["name"] == (min(ratios, key=lambda name: ratios[name]) if ahead else "onnxruntime")
    assert [each["agreement"] is None for each in tried.values()] == [not ahead] * 2


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
    assert found.record.engine is not None
    assert found.record.engine["name"] == "onnxruntime"
    assert found.record.engine["tried"].keys() == {OPENVINO, MNN, MNN_PRECISE}  # the last, because MNN itself rounds too much


def test_without_other_engines_auto_stays_with_onnx_runtime(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(_: str) -> str:
        raise PackageNotFoundError

    monkeypatch.setattr(engines, "version", missing)
    found = run("none", engine=Engine.AUTO)
    assert found.network.backend == "onnxruntime"
    assert found.record.engine is None
    for engine in OTHER_ENGINES:
        with pytest.raises(EngineError, match=r"not installed here: pip install paddle-semseg-export\[engines\]"):
            run("none", engine=engine)


def test_a_network_that_does_not_end_in_an_upsampling_stays_whole(run: Run) -> None:
    with pytest.raises(EngineError, match="only networks that end by upsampling their logits"):
        run("sigmoid1", engine=Engine.MNN)
    assert run("sigmoid1", engine=Engine.AUTO).network.backend == "onnxruntime"
