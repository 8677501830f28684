"""The onnxruntime backend on a real tritonserver, with small test graphs: completion, batches, failures, refusals."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import psutil
import pytest
import tritonclient.grpc as grpc
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException

from tests.integration.triton import tritonserver

CONFIGS = {
    "bare": 'backend: "onnxruntime"',
    "batching": """
        backend: "onnxruntime" max_batch_size: 8
        dynamic_batching { max_queue_delay_microseconds: 300000 }
        instance_group [ { count: 1 kind: KIND_CPU } ]
        parameters { key: "intra_op_thread_count" value { string_value: "1" } }
        parameters { key: "no_such_key" value { string_value: "1" } }
    """,
    "slow": """
        backend: "onnxruntime" max_batch_size: 8
        dynamic_batching { preferred_batch_size: [ 1 ] max_queue_delay_microseconds: 1 }
        instance_group [ { count: 1 kind: KIND_CPU } ]
    """,
    "refused": """
        backend: "onnxruntime" max_batch_size: 8
        parameters { key: "execution_mode" value { string_value: "7" } }
    """,
    "elsewhere": """
        backend: "onnxruntime" max_batch_size: 8
        instance_group [ { kind: KIND_MODEL } ]
        optimization { execution_accelerators { cpu_execution_accelerator [ { name: "cann" } ] } }
    """,
    "mismatched": """
        backend: "onnxruntime" max_batch_size: 8
        input { name: "index" data_type: TYPE_INT32 dims: [ -1 ] }
        output { name: "value" data_type: TYPE_FP32 dims: [ -1 ] }
    """,
}


def table_look_up() -> onnx.ModelProto:
    """index INT64 [batch, n] -> value FP32 [batch, n], ten entries: a larger index makes ONNX Runtime fail."""
    table = helper.make_tensor("table", TensorProto.FLOAT, [10], [float(each) for each in range(10)])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "index"], ["value"])],
        "look_up",
        [helper.make_tensor_value_info("index", TensorProto.INT64, ["batch", "n"])],
        [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch", "n"])],
        [table],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def row_sum() -> onnx.ModelProto:
    """x FP32 [batch, n] -> y FP32 [batch]: apart from the batch dimension, y has no shape to complete."""
    graph = helper.make_graph(
        [helper.make_node("ReduceSum", ["x", "axes"], ["y"], keepdims=0)],
        "row_sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "n"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch"])],
        [helper.make_tensor("axes", TensorProto.INT64, [1], [1])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def identity() -> onnx.ModelProto:
    """x FP32 [batch, rows, 1024] -> y, the same after twenty products with a unit matrix. Fails on other widths."""
    unit = numpy_helper.from_array(np.eye(1024, dtype=np.float32), "unit")
    names = ["x", *(f"x{each}" for each in range(1, 20)), "y"]
    graph = helper.make_graph(
        [helper.make_node("MatMul", [before, "unit"], [after]) for before, after in pairwise(names)],
        "identity",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", "rows", "columns"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", "rows", "columns"])],
        [unit],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "triton.log"


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Iterator[grpc.InferenceServerClient]:
    repository = tmp_path_factory.mktemp("repository")
    (repository / "rows" / "1").mkdir(parents=True)
    (repository / "rows" / "config.pbtxt").write_text('backend: "onnxruntime"')
    onnx.save(row_sum(), repository / "rows" / "1" / "model.onnx")
    for name, config in CONFIGS.items():
        (repository / name / "1").mkdir(parents=True)
        (repository / name / "config.pbtxt").write_text(config)
        onnx.save(identity() if name == "slow" else table_look_up(), repository / name / "1" / "model.onnx")
    with (
        tritonserver(repository, log, "--exit-on-error=false") as server,
        grpc.InferenceServerClient(server.grpc) as client,
    ):
        yield client


def look_up(triton: grpc.InferenceServerClient, model: str, index: NDArray[np.int64]) -> NDArray[np.float32]:
    tensor = grpc.InferInput("index", list(index.shape), "INT64")
    tensor.set_data_from_numpy(index)
    return triton.infer(model, [tensor]).as_numpy("value")  # type: ignore[no-any-return]


def reason(triton: grpc.InferenceServerClient, model: str) -> str:
    index = triton.get_model_repository_index(as_json=True)["models"]
    return next(str(entry["reason"]) for entry in index if entry["name"] == model)


def test_a_bare_configuration_is_completed_from_the_onnx_file(triton: grpc.InferenceServerClient) -> None:
    config = triton.get_model_config("bare", as_json=True)["config"]
    assert config["max_batch_size"] == 4
    assert "dynamic_batching" in config
    assert config["input"] == [{"name": "index", "data_type": "TYPE_INT64", "dims": ["-1"]}]
    assert config["output"] == [{"name": "value", "data_type": "TYPE_FP32", "dims": ["-1"]}]
    np.testing.assert_array_equal(look_up(triton, "bare", np.array([[3, 1]])), [[3.0, 1.0]])


def test_concurrent_requests_are_joined_and_each_gets_its_own_rows(triton: grpc.InferenceServerClient) -> None:
    asked = [np.array([[each, each + 1]] * (1 + each % 2)) for each in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda index: look_up(triton, "batching", index), asked))
    for index, answer in zip(asked, answers, strict=True):
        np.testing.assert_array_equal(answer, index)
    statistics = triton.get_inference_statistics("batching", as_json=True)["model_stats"][0]
    assert int(statistics["execution_count"]) < 6


def test_in_a_batch_only_the_bad_request_fails(triton: grpc.InferenceServerClient, log: Path) -> None:
    asked = [np.array([[each]]) for each in (1, 99, 2, 3)]
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(look_up, triton, "batching", index) for index in asked]
    with pytest.raises(InferenceServerException, match=r"onnxruntime: .*idx=99"):
        futures[1].result()
    assert [futures[each].result().item() for each in (0, 2, 3)] == [1, 2, 3]
    assert "a batch of 4 failed, running its requests one by one" in log.read_text()


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a single core is not shared")
def test_short_requests_that_wait_share_the_cores_and_each_gets_its_own_answer(triton: grpc.InferenceServerClient) -> None:
    random = np.random.default_rng(0)
    bodies = [random.random((1, 64 + each % 7, 1024 if each % 9 else 1000), np.float32) for each in range(54)]

    def answer(body: NDArray[np.float32]) -> NDArray[np.float32] | str:
        tensor = grpc.InferInput("x", list(body.shape), "FP32")
        tensor.set_data_from_numpy(body)
        try:
            return triton.infer("slow", [tensor]).as_numpy("y")  # type: ignore[no-any-return]
        except InferenceServerException as error:
            return str(error)

    answer(random.random((1, 128, 1024), np.float32))  # teaches the backend that such requests are short
    before = threads_of_stubs()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(answer, bodies))
    assert threads_of_stubs() >= before + 2
    for body, given in zip(bodies, answers, strict=True):
        if body.shape[2] == 1024:
            np.testing.assert_array_equal(given, body)
        else:
            assert isinstance(given, str), given
            assert "onnxruntime: " in given


def threads_of_stubs() -> int:
    """The threads of all model processes below this one."""
    stubs = [each for each in psutil.Process().children(recursive=True) if each.name().startswith("triton_python")]
    return sum(each.num_threads() for each in stubs)


def test_a_key_without_effect_is_named_in_the_log(triton: grpc.InferenceServerClient, log: Path) -> None:
    assert triton.is_server_live()
    assert "batching: parameter no_such_key is unknown" in log.read_text()


@pytest.mark.parametrize(
    ("model", "named"),
    [
        ("refused", "execution_mode"),
        ("mismatched", "index is TYPE_INT32"),
        ("rows", "y has one value per row"),
        ("elsewhere", "needs CANNExecutionProvider; the installed ONNX Runtime has"),
    ],
)
def test_a_configuration_that_cannot_be_honoured_is_refused_by_name(
    triton: grpc.InferenceServerClient, model: str, named: str
) -> None:
    assert named in reason(triton, model), json.dumps(reason(triton, model))


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="a single core is not shared")
def test_a_network_whose_version_is_deleted_meanwhile_still_shares_the_cores(tmp_path: Path) -> None:
    (tmp_path / "models" / "slow" / "1").mkdir(parents=True)
    (tmp_path / "models" / "slow" / "config.pbtxt").write_text(CONFIGS["slow"])
    onnx.save(identity(), tmp_path / "models" / "slow" / "1" / "model.onnx")
    body = np.random.default_rng(0).random((1, 64, 1024), np.float32)
    tensor = grpc.InferInput("x", list(body.shape), "FP32")
    tensor.set_data_from_numpy(body)
    with tritonserver(tmp_path / "models", tmp_path / "log") as server, grpc.InferenceServerClient(server.grpc) as client:
        client.infer("slow", [tensor])
        before = threads_of_stubs()
        (tmp_path / "models" / "slow" / "1" / "model.onnx").unlink()
        with ThreadPoolExecutor(8) as pool:
            for answer in pool.map(lambda _: client.infer("slow", [tensor]).as_numpy("y"), range(40)):
                np.testing.assert_array_equal(answer, body)
        assert threads_of_stubs() >= before + 2
