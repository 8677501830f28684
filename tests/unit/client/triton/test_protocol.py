"""The exchanges, stepped through by hand, with Triton's own messages as answers."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from google.protobuf.json_format import ParseDict
from PIL import Image
from tritonclient.grpc import InferResult, service_pb2
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import serialize_byte_tensor

from semseg_client import DeadlineExceeded, InvalidRequest, Model, ModelNotFound, Unavailable
from semseg_client.triton.protocol import (
    TINY_IMAGE,
    Call,
    Pause,
    Steps,
    TritonProtocol,
    concurrency,
    described,
    inference,
)
from semseg_contract.transforms import Preparation, Resize

ANSWERS = {"A": ["road", "car"], "B": ["sky"]}
VERSIONS: dict[str, str] = {}


def index(**states: str) -> Any:
    answer = service_pb2.RepositoryIndexResponse()
    for name, state in states.items():
        answer.models.add(name=name, version=VERSIONS.get(name, "1"), state=state)
    return answer


def config(name: str) -> Any:
    answer = service_pb2.ModelConfigResponse()
    answer.config.name = name
    if name in ANSWERS:
        answer.config.platform = "ensemble"
        answer.config.parameters["class_names"].string_value = json.dumps(ANSWERS[name])
        answer.config.parameters["palette"].string_value = "[[128, 0, 0], [0, 128, 0]]"
        answer.config.parameters["agreement"].string_value = "0.99995"
    if name.endswith("_network"):
        answer.config.instance_group.add(count=1, kind="KIND_CPU")
    return answer


def result(label_map: np.ndarray[Any, Any], picture: bytes | None, version: str = "1") -> InferResult:
    answer = service_pb2.ModelInferResponse(model_version=version)
    answer.outputs.add(name="label_map", datatype="UINT8", shape=[1, *label_map.shape])
    answer.raw_output_contents.append(label_map.tobytes())
    if picture is not None:
        answer.outputs.add(name="picture", datatype="BYTES", shape=[1, 1])
        answer.raw_output_contents.append(serialize_byte_tensor(np.array([[picture]], np.object_)).item())
    return InferResult(answer)


def play(steps: Steps[Any], states: dict[str, str], answer: Any = None) -> tuple[Any, list[str]]:
    """The result of an exchange with a server in these states, and the calls that it made."""
    calls = []
    try:
        step = next(steps)
        while True:
            assert isinstance(step, Call)
            calls.append(step.method)
            match step.method:
                case "get_model_repository_index":
                    step = steps.send(index(**states))
                case "get_model_config":
                    step = steps.send(config(step.arguments["model_name"]))
                case _:
                    step = steps.send(answer)
    except StopIteration as end:
        return end.value, calls


def conversation() -> TritonProtocol:
    return TritonProtocol("localhost:8001", 60.0, 15.0)


def test_models_are_the_ready_ensembles_that_carry_class_names() -> None:
    models, _ = play(conversation().models(), {"B": "UNAVAILABLE", "preprocess": "READY", "A": "READY", "A_network": "READY"})
    assert models == [Model("A", "1", ("road", "car"), ((128, 0, 0), (0, 128, 0)), agreement=0.99995, concurrency=2)]


def test_the_server_is_asked_for_its_models_once() -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    assert play(talk.models(), {"A": "READY"})[1] == []


def test_the_only_model_need_not_be_named() -> None:
    label_map = np.array([[0, 1], [1, 1]], np.uint8)
    segmentation, calls = play(conversation().segment(b"image"), {"A": "READY"}, result(label_map, b"\xff\xd8 jpeg"))
    assert calls == ["get_model_repository_index", "get_model_config", "infer"]
    np.testing.assert_array_equal(segmentation.label_map, label_map)
    assert segmentation.label_map.dtype == np.uint8
    assert (segmentation.picture, segmentation.model, segmentation.class_names) == (b"\xff\xd8 jpeg", "A", ("road", "car"))


def test_a_picture_that_was_not_asked_for_is_none() -> None:
    answer = result(np.zeros((1, 1), np.uint8), None)
    assert play(conversation().segment(b"image", picture=False), {"A": "READY"}, answer)[0].picture is None


def test_with_several_models_one_must_be_named() -> None:
    with pytest.raises(InvalidRequest, match="A, B"):
        play(conversation().segment(b"image"), {"A": "READY", "B": "READY"})


def test_a_model_that_is_not_served_is_told_with_those_that_are() -> None:
    with pytest.raises(ModelNotFound, match=r"'C'.*A, B"):
        play(conversation().segment(b"image", "C"), {"A": "READY", "B": "READY"})


def test_a_server_without_models_says_so() -> None:
    with pytest.raises(ModelNotFound, match="no segmentation model"):
        play(conversation().segment(b"image"), {"preprocess": "READY"})


def test_a_model_loaded_later_is_found() -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    assert play(talk.model("B"), {"A": "READY", "B": "READY"})[0].name == "B"


def test_a_model_that_is_gone_is_forgotten() -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    steps = talk.segment(b"image")
    next(steps)
    with pytest.raises(ModelNotFound):
        steps.throw(ModelNotFound("gone"))
    assert play(talk.models(), {"B": "READY"})[0][0].name == "B"


def test_names_and_colours_are_read_anew_when_another_version_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    monkeypatch.setitem(VERSIONS, "A", "2")
    monkeypatch.setitem(ANSWERS, "A", ["lane", "kerb"])
    newer = result(np.zeros((1, 1), np.uint8), None, "2")
    segmentation, calls = play(talk.segment(b"image"), {"A": "READY"}, newer)
    assert calls == ["infer", "get_model_repository_index", "get_model_config"]
    assert segmentation.class_names == ("lane", "kerb")
    assert play(talk.segment(b"image"), {"A": "READY"}, newer)[1] == ["infer"]


def test_a_version_that_goes_while_the_models_are_asked_for_fails_nobody() -> None:
    steps = conversation().segment(b"image", "A", picture=False)
    next(steps)
    step = steps.send(index(A="READY", A_network="READY"))
    assert isinstance(step, Call)
    assert step.arguments["model_name"] == "A"
    step = steps.send(config("A"))
    assert step.arguments["model_name"] == "A_network"
    step = steps.throw(Unavailable("not at ready state"))
    assert step.method == "infer"
    # The answer comes from a different version, and asking about it fails: the image still gets its answer.
    step = steps.send(result(np.zeros((1, 1), np.uint8), None, "2"))
    assert step.method == "get_model_repository_index"
    with pytest.raises(StopIteration) as end:
        steps.throw(Unavailable("gone"))
    assert end.value.value.size == (1, 1)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([{"count": 1, "kind": "KIND_CPU"}], 2),
        ([{"count": 2, "kind": "KIND_CPU"}, {"count": 1, "kind": "KIND_CPU"}], 4),
        ([{"count": 1, "kind": "KIND_GPU", "gpus": [0, 1]}], 24),
        ([{"count": 1, "kind": "KIND_MODEL"}], 16),
    ],
)
def test_what_keeps_a_network_busy_is_what_its_instances_take_and_once_more(groups: list[dict[str, Any]], expected: int) -> None:
    network = ParseDict({"max_batch_size": 8, "instance_group": groups}, ModelConfig())
    assert concurrency(network) == expected


def test_a_network_that_is_not_told_of_counts_as_one_instance_on_a_cpu() -> None:
    models, _ = play(conversation().models(), {"A": "READY"})
    assert models[0].concurrency == 2


def test_the_size_that_a_models_own_resize_makes_is_told() -> None:
    ensemble = config("A").config
    ensemble.parameters["preparation"].string_value = Preparation((Resize((512, 256)),)).write()
    assert described(ensemble, "1").target_size == (512, 256)


def test_a_queue_that_has_a_policy_of_its_owners_is_left_to_it() -> None:
    batching: dict[str, Any] = {"default_queue_policy": {"max_queue_size": 4}}
    assert concurrency(ParseDict({"dynamic_batching": batching}, ModelConfig())) is None
    batching = {"priority_levels": 2, "default_priority_level": 1, "priority_queue_policy": {"1": {"max_queue_size": 4}}}
    assert concurrency(ParseDict({"dynamic_batching": batching}, ModelConfig())) is None


def test_waiting_goes_on_while_the_server_starts() -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    steps = talk.wait_ready(60.0)
    assert isinstance(next(steps), Call)
    assert isinstance(steps.throw(Unavailable("starting")), Pause)
    assert isinstance(next(steps), Call)
    with pytest.raises(StopIteration):
        steps.send(result(np.zeros((16, 16), np.uint8), None))


def test_waiting_ends_with_the_last_reason() -> None:
    steps = conversation().wait_ready(0.0)
    next(steps)
    with pytest.raises(DeadlineExceeded, match="within 0 s: no tritonserver"):
        steps.throw(Unavailable("no tritonserver answers"))


@pytest.mark.parametrize(("size", "parameter"), [(512, 512), ((1024, 512), "1024,512"), (None, None)])
def test_target_size_travels_as_a_parameter(size: int | tuple[int, int] | None, parameter: object) -> None:
    assert inference(b"image", size, ["label_map"])["parameters"].get("target_size") == parameter


@pytest.mark.parametrize("size", [0, -1, True, 16385, (1, 0), (), (1, 2, 3), "512", 1.5])
def test_a_wrong_target_size_is_refused(size: Any) -> None:
    with pytest.raises(InvalidRequest, match="target_size") as refused:
        inference(b"image", size, ["label_map"])
    assert refused.value.field == "target_size"


@pytest.mark.parametrize(
    ("steps", "outputs"),
    [
        (lambda talk: talk.segment(b"image", "A"), ["label_map", "picture"]),
        (lambda talk: talk.segment(b"image", "A", picture=False), ["label_map"]),
        (lambda talk: talk.draw(b"image", "A"), ["picture"]),
    ],
)
def test_only_what_is_wanted_is_asked_for(steps: Callable[[TritonProtocol], Steps[Any]], outputs: list[str]) -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    call = next(steps(talk))
    assert isinstance(call, Call)
    assert [output.name() for output in call.arguments["outputs"]] == outputs


def test_models_asked_for_anew_are_those_of_now(monkeypatch: pytest.MonkeyPatch) -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    monkeypatch.setitem(VERSIONS, "A", "2")
    assert [model.version for model in play(talk.models(refresh=True), {"A": "READY"})[0]] == ["2"]


def test_an_inference_is_asked_for_again_while_a_part_of_the_server_is_replaced() -> None:
    talk = conversation()
    play(talk.models(), {"A": "READY"})
    steps = talk.segment(b"image", "A")
    assert isinstance(next(steps), Call)
    assert isinstance(steps.throw(Unavailable("Stub process 'draw_0_0' is not healthy.")), Pause)
    again = steps.send(None)
    assert isinstance(again, Call)
    assert again.method == "infer"


def test_who_has_no_patience_is_told_at_once_that_a_part_has_died() -> None:
    talk = TritonProtocol("localhost:8001", 60.0, 0.0)
    play(talk.models(), {"A": "READY"})
    steps = talk.segment(b"image", "A")
    next(steps)
    with pytest.raises(Unavailable):
        steps.throw(Unavailable("Stub process 'draw_0_0' is not healthy."))


def test_the_tiny_image_is_a_png_of_32_pixels_square() -> None:
    image = Image.open(io.BytesIO(TINY_IMAGE))
    image.load()
    assert (image.format, image.size) == ("PNG", (32, 32))
