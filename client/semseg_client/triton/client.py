"""The clients: `Client` blocks, `AsyncClient` is awaited; both have the same methods."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from concurrent.futures import Future, TimeoutError, wait  # noqa: A004 - before Python 3.11, it is not the built-in one
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import tritonclient.grpc
import tritonclient.grpc.aio
from tritonclient.grpc import InferResult
from tritonclient.utils import InferenceServerException

from ..errors import from_triton
from ..types import Drawing, Model, Segmentation
from .protocol import Call, Pause, Steps, TargetSize, TritonProtocol
from .tls import Tls, credentials, target

T = TypeVar("T")

PATIENCE = 15.0  # s; a server that we supervise is back within ten, one of its processes within three
_INT32_MAX = 2**31 - 1
_LEAVE = 30.0  # s that `close` waits for calls in flight
_FORGOTTEN = 600.0  # s, after which an abandoned call is cancelled
# Our arguments replace all of tritonclient's, even the message sizes. By default, gRPC may wait two minutes to reconnect.
_CHANNEL = [
    ("grpc.max_send_message_length", _INT32_MAX),
    ("grpc.max_receive_message_length", _INT32_MAX),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
]


class Client:
    """A connection to tritonserver's gRPC port; many threads may share one.

    `timeout` limits each call to the server, in seconds. A process of the server that dies is usually back within `patience`
    seconds, so an inference is retried for that long before it raises Unavailable. `parameters` are sent with each inference. An
    abandoned inference keeps running on the server: tritonserver 2.51 may die (SIGSEGV) when one is cancelled, and a gRPC
    deadline cancels too.

    `grpcs://host:port` means TLS; its certificate files come from `tls` or else from the environment: see `Tls`.

    Raises:
        ConfigurationError: one of those files cannot be used.

    Every method raises:
        Unavailable: no server answers at `url`, or a part of it is down.
        DeadlineExceeded: the call took longer than `timeout`.
        ServerError: the server failed.
    """

    def __init__(
        self,
        url: str = "localhost:8001",
        timeout: float = 60.0,
        *,
        tls: Tls | None = None,
        patience: float = PATIENCE,
        parameters: Mapping[str, bool | int | str] | None = None,
    ) -> None:
        self._protocol = TritonProtocol(url, timeout, patience, parameters)
        self._connection = tritonclient.grpc.InferenceServerClient(
            target(url), creds=credentials(url, tls), channel_args=channel_options(url)
        )
        self._under_way: set[Future[InferResult]] = set()

    def segment(
        self,
        image: bytes | str | os.PathLike[str],
        model: str | None = None,
        *,
        target_size: TargetSize | None = None,
        picture: bool = True,
        timeout: float | None = None,
    ) -> Segmentation:
        """Segment one image: the bytes of an image file, or the path of one.

        `model` may be omitted if only one is served. `target_size`, in pixels, scales the image to fit, keeping its
        proportions, before the network sees it; the label map still has the image's own size. `picture` also requests
        the coloured picture. `timeout` replaces the connection's for this call.

        Raises:
            InvalidImage: the image cannot be decoded.
            InvalidRequest: the target size is invalid, or no model was named and several are served.
            ModelNotFound: no such model is served.
            Overloaded: the server's queue is full.
            OSError: the file cannot be read.
        """
        return self._play(self._protocol.segment(_content(image), model, target_size, picture, timeout))

    def draw(
        self,
        image: bytes | str | os.PathLike[str],
        model: str | None = None,
        *,
        target_size: TargetSize | None = None,
        timeout: float | None = None,
    ) -> Drawing:
        """Only the picture of an image's segmentation; no label map is made or sent. Raises what `segment` does."""
        return self._play(self._protocol.draw(_content(image), model, target_size, timeout))

    def models(self, *, refresh: bool = False) -> list[Model]:
        """The served models, sorted by name. The server is asked only the first time, unless you `refresh`."""
        return self._play(self._protocol.models(refresh=refresh))

    def model(self, name: str | None = None) -> Model:
        """The model of that name, or the only one: what `segment` would use.

        Raises:
            InvalidRequest, ModelNotFound: as for `segment`.
        """
        return self._play(self._protocol.model(name))

    def wait_ready(self, timeout: float = 60.0, model: str | None = None) -> None:
        """Wait until a real inference has been answered.

        Raises:
            DeadlineExceeded: none was answered within `timeout` seconds.
        """
        self._play(self._protocol.wait_ready(timeout, model))

    def close(self, timeout: float = _LEAVE) -> None:
        """Close the connection once the inferences in flight have been answered, or after `timeout` seconds."""
        wait(list(self._under_way), timeout)
        self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _play(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    answer = self._take(step)
                except InferenceServerException as error:  # noqa: PERF203
                    step = steps.throw(from_triton(error, self._protocol.url))
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _take(self, step: Call | Pause) -> Any:
        if isinstance(step, Pause):
            return time.sleep(step.seconds)
        if step.method == "infer":
            return self._infer(step.arguments, step.timeout)
        return getattr(self._connection, step.method)(**step.arguments, client_timeout=step.timeout)

    def _infer(self, arguments: dict[str, Any], timeout: float) -> InferResult:
        answered: Future[InferResult] = Future()

        def take(result: InferResult | None, error: InferenceServerException | None) -> None:
            self._under_way.discard(answered)
            if error is not None:
                answered.set_exception(error)
            else:
                answered.set_result(result)

        self._under_way.add(answered)
        self._connection.async_infer(**arguments, callback=take, client_timeout=timeout + _FORGOTTEN)
        try:
            return answered.result(timeout)
        except TimeoutError:
            raise _too_late() from None


class AsyncClient:
    """`Client` for asyncio; it belongs to the event loop that runs its first call."""

    def __init__(
        self,
        url: str = "localhost:8001",
        timeout: float = 60.0,
        *,
        tls: Tls | None = None,
        patience: float = PATIENCE,
        parameters: Mapping[str, bool | int | str] | None = None,
    ) -> None:
        self._protocol = TritonProtocol(url, timeout, patience, parameters)
        self._credentials = credentials(url, tls)
        self._connection: Any = None
        self._under_way: set[asyncio.Future[Any]] = set()

    async def segment(
        self,
        image: bytes | str | os.PathLike[str],
        model: str | None = None,
        *,
        target_size: TargetSize | None = None,
        picture: bool = True,
        timeout: float | None = None,
    ) -> Segmentation:
        """See `Client.segment`."""
        content = await _content_async(image)
        return await self._play(self._protocol.segment(content, model, target_size, picture, timeout))

    async def draw(
        self,
        image: bytes | str | os.PathLike[str],
        model: str | None = None,
        *,
        target_size: TargetSize | None = None,
        timeout: float | None = None,
    ) -> Drawing:
        """See `Client.draw`."""
        content = await _content_async(image)
        return await self._play(self._protocol.draw(content, model, target_size, timeout))

    async def models(self, *, refresh: bool = False) -> list[Model]:
        """See `Client.models`."""
        return await self._play(self._protocol.models(refresh=refresh))

    async def model(self, name: str | None = None) -> Model:
        """See `Client.model`."""
        return await self._play(self._protocol.model(name))

    async def wait_ready(self, timeout: float = 60.0, model: str | None = None) -> None:
        """See `Client.wait_ready`."""
        await self._play(self._protocol.wait_ready(timeout, model))

    async def close(self, timeout: float = _LEAVE) -> None:
        """See `Client.close`."""
        if self._connection is not None:
            if self._under_way:
                await asyncio.wait(self._under_way, timeout=timeout)
            await self._connection.close()

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def _play(self, steps: Steps[T]) -> T:
        try:
            step = next(steps)
            while True:
                try:
                    answer = await self._take(step)
                except InferenceServerException as error:  # noqa: PERF203
                    step = steps.throw(from_triton(error, self._protocol.url))
                else:
                    step = steps.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _take(self, step: Call | Pause) -> Any:
        if isinstance(step, Pause):
            return await asyncio.sleep(step.seconds)
        # gRPC binds a connection to the event loop that is running when it is created.
        if self._connection is None:
            self._connection = tritonclient.grpc.aio.InferenceServerClient(
                target(self._protocol.url),
                creds=self._credentials,
                channel_args=channel_options(self._protocol.url),
            )
        call = asyncio.ensure_future(
            getattr(self._connection, step.method)(**step.arguments, client_timeout=step.timeout + _FORGOTTEN)
        )
        self._under_way.add(call)
        call.add_done_callback(self._done)
        try:
            return await asyncio.wait_for(asyncio.shield(call), step.timeout)
        except asyncio.TimeoutError:
            raise _too_late() from None

    def _done(self, call: asyncio.Future[Any]) -> None:
        self._under_way.discard(call)
        if not call.cancelled():
            call.exception()  # asyncio logs an exception that nobody retrieves


def channel_options(url: str) -> list[tuple[str, int]]:
    """The gRPC options for `url`. By default, gRPC sends even local calls through the environment's proxy; these do not."""
    here = target(url).rpartition(":")[0] in ("localhost", "127.0.0.1", "[::1]")
    return [*_CHANNEL, ("grpc.enable_http_proxy", 0)] if here else _CHANNEL


def _too_late() -> InferenceServerException:
    """What a gRPC deadline would have raised."""
    return InferenceServerException("no answer in time", "StatusCode.DEADLINE_EXCEEDED")


def _content(image: bytes | str | os.PathLike[str]) -> bytes:
    return image if isinstance(image, bytes) else Path(image).read_bytes()


async def _content_async(image: bytes | str | os.PathLike[str]) -> bytes:
    return image if isinstance(image, bytes) else await asyncio.to_thread(_content, image)
