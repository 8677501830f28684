"""The errors that this package raises, and how Triton's errors are turned into them.

SemsegError
├── ConfigurationError     a pipeline's configuration is wrong; one line per mistake
├── DeviceError            the device does not exist, or the installed ONNX Runtime cannot use it
├── InvalidInput           the input to `predict` is of an unsupported type
├── UnreadableInput        an image of the input cannot be read, downloaded or rendered
├── UnwritableOutput       results cannot be written
├── InvalidRequest         the request is wrong; `field` names the field
│   └── InvalidImage       the image is wrong
├── ModelNotFound          no model of that name is served
├── Overloaded             the server's queue is full; try again later
├── Unavailable            no server answers, or part of it is down
│   └── SharedMemoryFull   the server's shared memory (/dev/shm) is full; try again later
├── SharedMemoryTooSmall   the image does not fit into the server's shared memory
├── DeadlineExceeded       no answer within the time allowed
├── ServerError            the server failed: a bug, not the caller's fault
└── ServingError           a local server could not be started, or died
"""

from __future__ import annotations

import re

from tritonclient.utils import InferenceServerException

_ENSEMBLE = re.compile(r"^(?:in ensemble '[^']*', )+")
_FIELD = re.compile(r"^([a-z_]+): ")


class SemsegError(Exception):
    """Base class of this package's errors."""


class ConfigurationError(SemsegError):
    """A pipeline's configuration cannot be used. The message has one line per mistake in the file."""


class DeviceError(SemsegError):
    """The device does not exist, or the installed ONNX Runtime cannot use it."""


class InvalidInput(SemsegError):
    """The input is of an unsupported type."""


class UnreadableInput(SemsegError):
    """An image of the input cannot be read, downloaded or rendered; the message names it."""


class UnwritableOutput(SemsegError):
    """Results cannot be written; the message names the path."""


class InvalidRequest(SemsegError):
    """The request is wrong. `field` is the field at fault, as named in docs/contract.md, or None if unknown."""

    def __init__(self, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidImage(InvalidRequest):
    """The image is wrong: empty, damaged, of an unknown format, or too large."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "image")


class ModelNotFound(SemsegError):
    """No model of that name is served."""


class Overloaded(SemsegError):
    """The server's queue is full, and the request was not started.

    `retry_after` is how long to wait before trying again, in seconds, or None if unknown.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unavailable(SemsegError):
    """No server answers, or part of it is down."""


class SharedMemoryFull(Unavailable):
    """The server's shared memory (/dev/shm) is full for the moment."""


class SharedMemoryTooSmall(SemsegError):
    """The server's shared memory (/dev/shm) is too small for the image, even if nothing else is in it."""


class DeadlineExceeded(SemsegError):
    """No answer within the time allowed."""


class ServerError(SemsegError):
    """The server failed: a bug, not the caller's fault."""


class ServingError(SemsegError):
    """A local server could not be started, or died."""


def from_triton(error: InferenceServerException, url: str) -> SemsegError:
    """Our error for `error`, which tritonclient.grpc raised for the server at `url`."""
    code = (error.status() or "").removeprefix("StatusCode.")
    told = error.message() or "no reason given"
    message = _ENSEMBLE.sub("", told).partition("\n")[0]  # the rest is the server's traceback
    match code:
        case "INVALID_ARGUMENT":
            return _invalid(message)
        case "NOT_FOUND":
            return ModelNotFound(message)
        case "DEADLINE_EXCEEDED":
            return DeadlineExceeded(f"no answer from {url} in time")
        case "UNAVAILABLE" if "maximum queue size" in message or "too many images are waiting" in message:
            return Overloaded("the server's queue is full")
        case "UNAVAILABLE" if "timeout expired" in message:
            return DeadlineExceeded("the request waited too long in the server's queue")
        case "UNAVAILABLE" if "failed to connect" in message:
            return Unavailable(f"no tritonserver answers at {url}{_hint(message)}")
        case "UNAVAILABLE" if "shared memory" in message:
            return SharedMemoryTooSmall(message)
        case "UNAVAILABLE" | "CANCELLED":
            return Unavailable(message)
        # One of Triton's Python processes has died: the server stays "ready", but requests to that process fail.
        case "INTERNAL" if "Stub process" in message:
            return Unavailable(message)
        # /dev/shm is full; a smaller request may still fit.
        case "INTERNAL" if "shared memory" in message:
            return SharedMemoryFull("the server has no room left in its shared memory (/dev/shm)")
        # ONNX Runtime's message for a convolution whose kernel is larger than its input.
        case "INTERNAL" if "Invalid input shape: {" in message:
            return InvalidImage("image: is too small for this network; pass target_size to scale it up")
        case _:
            return ServerError(message)


def _hint(message: str) -> str:
    """What gRPC's reason for a failed connection reveals about TLS; may be empty."""
    if "Hostname Verification" in message:
        return ": its certificate is for another host"
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return ": its certificate is not trusted here; set SEMSEG_TRITON_CA to its CA's certificate file"
    if "WRONG_VERSION_NUMBER" in message:
        return ": it does not speak TLS"
    if "Socket closed" in message:
        return ": it closed the connection; does it require TLS (grpcs://) or a client certificate?"
    return ""


def _invalid(message: str) -> InvalidRequest:
    found = _FIELD.match(message)
    if found is None:
        return InvalidRequest(message)
    return InvalidImage(message) if found[1] == "image" else InvalidRequest(message, found[1])
