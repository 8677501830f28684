"""Hostile callers: damaged images, odd bodies, broken connections, and direct requests to Triton's models."""

from __future__ import annotations

import json
import random
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

import grpc
import requests
from tritonclient.grpc import service_pb2, service_pb2_grpc

from tests.fuzz.mutation import mutated
from tests.fuzz.run import REGRESSIONS
from tests.fuzz.seeds import seeds
from tests.support import DEMO, Service

from .load import PATH
from .tally import Tally

PAUSE = 0.03  # s between requests of one caller
WAIT = 70  # s
# Errors of a process that is being replaced, and of a full /dev/shm. Our clients retry after them.
MENDED = ("is not healthy", "shared memory")
HUGE = 2**20


class Hostile:
    """`send` makes one request, chosen at random."""

    def __init__(self, service: Service, tally: Tally, seed: int) -> None:
        self._service = service
        self._tally = tally
        self._chance = random.Random(seed)  # noqa: S311
        self._images = seeds()
        self._session = requests.Session()
        self._stub = service_pb2_grpc.GRPCInferenceServiceStub(grpc.insecure_channel(service.grpc))

    def run(self, over: threading.Event) -> None:
        while not over.wait(PAUSE):
            self.send()

    def send(self) -> None:
        kinds: Sequence[Callable[[], None]] = (
            self.image,
            self.image,
            self.image_by_grpc,
            self.body,
            self.broken,
            self.tensors,
            self.management,
        )
        kind = self._chance.choice(kinds)
        self._tally.harm(kind.__name__)
        with suppress(requests.ConnectionError, ConnectionError, TimeoutError):  # a gateway process was killed
            kind()

    def image(self) -> None:
        self._rest(self._image(), "image/png")

    def image_by_grpc(self) -> None:
        image = self._image()
        self._triton(DEMO, [("image", "BYTES", [1, 1])], [struct.pack("<I", len(image)) + image])

    def body(self) -> None:
        content, kind = self._chance.choice(BODIES)
        self._rest(content, kind)

    def broken(self) -> None:
        """A request that stops halfway, with or without resetting the connection."""
        host, _, port = self._service.rest.removeprefix("http://").rpartition(":")
        with socket.create_connection((host, int(port)), timeout=5) as peer:
            lines = f"POST {PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            ends = ("", "Content-Length: 100000\r\n\r\nabc", CHUNKS)
            peer.sendall((lines + self._chance.choice(ends)).encode())
            if self._chance.random() < 0.5:
                peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def tensors(self) -> None:
        self._triton(*self._chance.choice(TENSORS))

    def management(self) -> None:
        """None of these calls may succeed."""
        name, request = self._chance.choice(MANAGEMENT)
        try:
            getattr(self._stub, name)(request, timeout=WAIT)
        except grpc.RpcError:
            return
        self._tally.fail(f"{name} is open to anyone")

    def _image(self) -> bytes:
        if self._chance.random() < 0.1:
            return self._chance.choice(sorted(REGRESSIONS.iterdir())).read_bytes()
        return mutated(self._images, self._chance.randrange(2**32))[1]

    def _rest(self, content: bytes, kind: str) -> None:
        answer = self._session.post(self._service.rest + PATH, data=content, headers={"Content-Type": kind}, timeout=WAIT)
        if answer.status_code >= 500 and answer.status_code not in (503, 504):
            self._tally.fail(f"REST: {answer.status_code} for a hostile body of {kind}: {content[:80]!r}")
        elif answer.headers["Content-Type"] != "application/json" or "errorCode" not in answer.json():
            self._tally.fail(f"REST: {answer.status_code} without an envelope")

    def _triton(self, model: str, inputs: list[tuple[str, str, list[int]]], contents: list[bytes]) -> None:
        request = service_pb2.ModelInferRequest(model_name=model, raw_input_contents=contents)
        for name, kind, shape in inputs:
            request.inputs.add(name=name, datatype=kind, shape=shape)
        try:
            self._stub.ModelInfer(request, timeout=WAIT)
        except grpc.RpcError as error:
            internal = error.code() in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN)
            if internal and not any(words in str(error.details()) for words in MENDED):
                self._tally.fail(f"gRPC: {error.code().name} from {model} for {inputs}: {error.details()}"[:300])


CHUNKS = "Transfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nFFFFFFFFFFFFFFFF\r\n"
BODIES = (
    (b"", "application/json"),
    (b"{", "application/json"),
    (b"[" * 100_000, "application/json"),
    (b'{"a":' * 100_000, "application/json"),
    (json.dumps({"image": "A" * 1_000_000}).encode(), "application/json"),
    (json.dumps({"image": "AAAA", "targetSize": [10**30, -1]}).encode(), "application/json"),
    (b'{"image": "\xff\xfe", "logId": "\\ud800"}', "application/json"),
    (b"\0" * 100_000, "image/jpeg"),
    (b"x", "application/x-unknown"),
    (b"--x\r\n" * 10_000, "multipart/form-data; boundary=x"),
    (b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc', "multipart/form-data; boundary=x"),
    (b"", "multipart/form-data"),
)
SIZE = ("source_size", "INT32", [1, 2])
TENSORS: tuple[tuple[str, list[tuple[str, str, list[int]]], list[bytes]], ...] = (
    ("draw", [("ids", "UINT8", [1, HUGE, HUGE]), SIZE], [b"\1", bytes(8)]),
    ("draw", [("ids", "UINT8", [1, 2, 2]), SIZE], [bytes(4), struct.pack("<ii", 60_000, 60_000)]),
    ("draw", [("ids", "UINT8", [1, 2, 2]), SIZE], [bytes(4), struct.pack("<ii", -1, 2**31 - 1)]),
    ("postprocess", [("ids", "UINT8", [1, 2, 2]), SIZE], [bytes(4), struct.pack("<ii", 60_000, 60_000)]),
    ("postprocess", [("ids", "UINT8", [1, 0, 5]), SIZE], [b"", bytes(8)]),
    ("postprocess", [("ids", "INT32", [1, 2, 2]), SIZE], [bytes(16), bytes(8)]),
    ("preprocess", [("image", "BYTES", [1, 1])], [struct.pack("<I", 2**31 - 1) + b"x"]),
    ("preprocess", [("image", "BYTES", [8, 1])], [struct.pack("<I", 0) * 8]),
    ("preprocess", [("image", "BYTES", [HUGE * HUGE, 1])], [b""]),
    (DEMO, [("image", "BYTES", [-1, 1])], [struct.pack("<I", 0)]),
    (DEMO, [("image", "UINT8", [1, HUGE, HUGE])], [b"x"]),
    (DEMO, [("pixels", "UINT8", [1, 2, 2, 3])], [bytes(12)]),
    ("no_such_model", [], []),
    (f"{DEMO}_network", [("pixels", "UINT8", [1, HUGE, HUGE, 3]), ("lane", "INT8", [1, 1])], [b"x", b"x"]),
)
MANAGEMENT = (
    ("RepositoryModelLoad", service_pb2.RepositoryModelLoadRequest(model_name="draw")),
    ("RepositoryModelUnload", service_pb2.RepositoryModelUnloadRequest(model_name="draw")),
    ("SystemSharedMemoryStatus", service_pb2.SystemSharedMemoryStatusRequest()),
    ("LogSettings", service_pb2.LogSettingsRequest()),
    ("TraceSetting", service_pb2.TraceSettingRequest()),
)
