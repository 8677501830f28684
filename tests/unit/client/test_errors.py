from __future__ import annotations

import pytest
from tritonclient.utils import InferenceServerException

from semseg_client import (
    DeadlineExceeded,
    InvalidImage,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    SemsegError,
    ServerError,
    SharedMemoryFull,
    SharedMemoryTooSmall,
    Unavailable,
)
from semseg_client.errors import from_triton


def translated(code: str | None, message: str) -> SemsegError:
    status = None if code is None else f"StatusCode.{code}"
    return from_triton(InferenceServerException(message, status=status), "localhost:8001")


# The messages of tritonserver 2.51.
@pytest.mark.parametrize(
    ("code", "message", "expected"),
    [
        ("INVALID_ARGUMENT", "in ensemble 'demo', image: is truncated", InvalidImage("image: is truncated")),
        (
            "INVALID_ARGUMENT",
            "in ensemble 'demo', target_size: is zero",
            InvalidRequest("target_size: is zero"),
        ),
        ("INVALID_ARGUMENT", "unexpected inference output 'picture'", InvalidRequest("unexpected inference output 'picture'")),
        (
            "NOT_FOUND",
            "Request for unknown model: 'x'",
            ModelNotFound("Request for unknown model: 'x'"),
        ),
        (
            "INTERNAL",
            "in ensemble 'B0', onnxruntime: [ONNXRuntimeError] : 2 : INVALID_ARGUMENT : Non-zero status code returned while"
            " running Conv node. Name:'p2o.pd_op.add.2.0_nchwc' Status Message: Invalid input shape: {4,4}",
            InvalidImage("image: is too small for this network; pass target_size to scale it up"),
        ),
        ("DEADLINE_EXCEEDED", "Deadline Exceeded", DeadlineExceeded("no answer from localhost:8001 in time")),
        ("UNAVAILABLE", "in ensemble 'demo', Exceeds maximum queue size", Overloaded("the server's queue is full")),
        ("UNAVAILABLE", "Request timeout expired", DeadlineExceeded("the request waited too long in the server's queue")),
        (
            "UNAVAILABLE",
            "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:8001: Connection refused",
            Unavailable("no tritonserver answers at localhost:8001"),
        ),
        ("CANCELLED", "GRPC server is shutting down", Unavailable("GRPC server is shutting down")),
        ("INTERNAL", "in ensemble 'd', Stub process 'p_0' is not healthy.", Unavailable("Stub process 'p_0' is not healthy.")),
        (
            "INTERNAL",
            "in ensemble 'd', Failed to increase the shared memory pool size for key 'semseg_1' to 9 bytes.",
            SharedMemoryFull("the server has no room left in its shared memory (/dev/shm)"),
        ),
        (
            "UNAVAILABLE",
            "in ensemble 'd', the image is too large for the server's shared memory (/dev/shm), ...",
            SharedMemoryTooSmall("the image is too large for the server's shared memory (/dev/shm), ..."),
        ),
        ("INTERNAL", "cv2.error\n\nAt:\n  /a/model.py(24): answer", ServerError("cv2.error")),
        (None, "", ServerError("no reason given")),
    ],
)
def test_each_error_of_triton_has_its_own_class(code: str | None, message: str, expected: SemsegError) -> None:
    error = translated(code, message)
    assert (type(error), str(error)) == (type(expected), str(expected))


def test_an_invalid_request_names_the_field_at_fault() -> None:
    errors = [translated("INVALID_ARGUMENT", message) for message in ("image: empty", "target_size: zero", "Bad: thing")]
    assert [error.field for error in errors if isinstance(error, InvalidRequest)] == ["image", "target_size", None]
