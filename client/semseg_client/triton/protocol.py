"""The protocol with Triton: which calls to make, in which order, and what the answers mean. It needs no connection.

Each exchange is a generator, like httpx's auth_flow. It yields calls to make and pauses to take, receives their results (or our
error as an exception), and returns the outcome. The blocking and the asynchronous client run the same generators.
"""

from __future__ import annotations

import struct
import time
import zlib
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from tritonclient.grpc import InferInput, InferRequestedOutput, InferResult
from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelInstanceGroup

from semseg_contract.config_pbtxt import is_segmentation
from semseg_contract.limits import LONGEST_SIDE
from semseg_contract.names import network_of
from semseg_contract.record import ModelRecord
from semseg_contract.tensors import IMAGE, LABEL_MAP, PICTURE, TARGET_SIZE

from ..errors import DeadlineExceeded, InvalidRequest, ModelNotFound, Overloaded, SemsegError, Unavailable
from ..types import Drawing, Model, Segmentation

TargetSize = int | tuple[int, int]

T = TypeVar("T")

NOT_YET = (Unavailable, ModelNotFound, Overloaded, DeadlineExceeded)  # what a starting server may answer

_PAUSE = 0.2  # s between two attempts while waiting for a server


@dataclass(frozen=True)
class Call:
    """A call of tritonclient's InferenceServerClient; `timeout` in seconds."""

    method: str
    arguments: dict[str, Any]
    timeout: float


@dataclass(frozen=True)
class Pause:
    """A pause, in seconds."""

    seconds: float


Steps = Generator[Call | Pause, Any, T]


class TritonProtocol:
    """The exchanges with one server. It remembers the models that the server has."""

    def __init__(
        self, url: str, timeout: float, patience: float, parameters: Mapping[str, bool | int | str] | None = None
    ) -> None:
        self.url = url
        self._parameters = dict(parameters or {})
        self.timeout = timeout
        self.patience = patience
        self._models: dict[str, Model] = {}

    def models(self, *, refresh: bool = False) -> Steps[list[Model]]:
        """The served models, sorted by name. Triton is asked only the first time, or to `refresh`."""
        models = self._models
        if refresh or not models:
            models = yield from self._learn(self.timeout)
        return list(models.values())

    def model(self, name: str | None = None, timeout: float | None = None) -> Steps[Model]:
        """The model of that name, or the only one."""
        models = self._models
        if not models or (name is not None and name not in models):
            models = yield from self._learn(self.timeout if timeout is None else timeout)
        if not models:
            raise ModelNotFound(f"the server at {self.url} serves no segmentation model")
        if name is None and len(models) > 1:
            raise InvalidRequest(f"model: several models are served, name one of them: {', '.join(models)}", "model")
        if name is not None and name not in models:
            raise ModelNotFound(f"no model named {name!r} is served; the server has: {', '.join(models)}")
        return models[name] if name is not None else next(iter(models.values()))

    def segment(
        self,
        image: bytes,
        model: str | None = None,
        target_size: TargetSize | None = None,
        picture: bool = True,
        timeout: float | None = None,
    ) -> Steps[Segmentation]:
        """The segmentation of one encoded image."""
        outputs = [LABEL_MAP, PICTURE] if picture else [LABEL_MAP]
        answer, chosen = yield from self._infer(inference(image, target_size, outputs), model, timeout)
        return segmentation(answer, chosen)

    def draw(
        self,
        image: bytes,
        model: str | None = None,
        target_size: TargetSize | None = None,
        timeout: float | None = None,
    ) -> Steps[Drawing]:
        """The picture of one encoded image, without its label map."""
        answer, chosen = yield from self._infer(inference(image, target_size, [PICTURE]), model, timeout)
        return Drawing(answer.as_numpy(PICTURE)[0, 0], chosen.name, answer.get_response().model_version)

    def _infer(self, request: dict[str, Any], model: str | None, timeout: float | None) -> Steps[tuple[InferResult, Model]]:
        """Triton's answer to `request`, and the model that gave it."""
        timeout = self.timeout if timeout is None else timeout
        begun = time.monotonic()
        chosen = yield from self.model(model, timeout)
        while True:
            try:
                left = begun + timeout - time.monotonic()
                parameters = {**self._parameters, **request["parameters"]}
                arguments = {**request, "model_name": chosen.name, "parameters": parameters}
                answer = yield Call("infer", arguments, max(left, 0.001))
                break
            except ModelNotFound:
                self._models = {}
                raise
            except Unavailable:  # a process of the server has died; its supervisor restarts it
                if time.monotonic() + _PAUSE >= begun + min(timeout, self.patience):
                    raise
                yield Pause(_PAUSE)
        if answer.get_response().model_version != chosen.version:  # another version has been loaded since we asked
            self._models = {}
            with suppress(SemsegError):  # the image has its answer in any case
                chosen = yield from self.model(chosen.name, timeout)
        return answer, chosen

    def wait_ready(self, timeout: float, model: str | None = None) -> Steps[None]:
        """Try to segment a tiny image until it succeeds, for `timeout` seconds at most."""
        deadline = time.monotonic() + timeout
        while True:
            left = max(deadline - time.monotonic(), 0.001)
            try:
                yield from self.segment(TINY_IMAGE, model, picture=False, timeout=min(self.timeout, left))
            except NOT_YET as error:
                if time.monotonic() + _PAUSE >= deadline:
                    raise DeadlineExceeded(f"no inference was answered within {timeout:g} s: {error}") from error
                yield Pause(_PAUSE)
            else:
                return

    def _learn(self, timeout: float) -> Steps[dict[str, Model]]:
        index = yield Call("get_model_repository_index", {}, timeout)
        configs, versions = {}, {}
        for entry in sorted(index.models, key=lambda entry: entry.name):
            if entry.state == "READY":
                try:
                    answer = yield Call("get_model_config", {"model_name": entry.name, "model_version": entry.version}, timeout)
                except (
                    ModelNotFound,
                    Unavailable,
                ):  # the version has just been replaced; if the model is gone, `infer` will say so
                    continue
                configs[entry.name], versions[entry.name] = answer.config, entry.version
        self._models = {
            name: described(config, versions[name], configs.get(network_of(name)))
            for name, config in configs.items()
            if is_segmentation(config)
        }
        return self._models


def inference(image: bytes, target_size: TargetSize | None, outputs: Sequence[str]) -> dict[str, Any]:
    """The arguments of tritonclient's `infer`, except the model's name.

    Raises:
        InvalidRequest: `target_size` is not one or two positive whole numbers.
    """
    tensor = InferInput(IMAGE, [1, 1], "BYTES")
    tensor.set_data_from_numpy(np.array([[image]], dtype=np.object_))
    return {
        "inputs": [tensor],
        "outputs": [InferRequestedOutput(name) for name in outputs],
        "parameters": {} if target_size is None else {TARGET_SIZE: _target_size(target_size)},
    }


def segmentation(answer: InferResult, model: Model) -> Segmentation:
    """The segmentation in the answer of `model`."""
    picture = answer.as_numpy(PICTURE)
    return Segmentation(
        label_map=answer.as_numpy(LABEL_MAP)[0],
        picture=None if picture is None else picture[0, 0],
        model=model.name,
        class_names=model.class_names,
        palette=model.palette,
        version=answer.get_response().model_version,
    )


def described(config: ModelConfig, version: str, network: ModelConfig | None = None) -> Model:
    """The model that the configurations of an ensemble and of its network describe."""
    record = ModelRecord.read(config)
    return Model(
        name=config.name,
        version=version,
        class_names=record.class_names,
        palette=record.palette,
        max_pixels=record.max_pixels,
        source=record.source,
        source_sha256=record.source_sha256,
        converter=record.converter,
        exported_at=record.exported_at,
        agreement=record.agreement,
        target_size=record.preparation.target_size if record.preparation else None,
        concurrency=concurrency(network or ModelConfig()),
    )


def concurrency(network: ModelConfig) -> int | None:
    """See `Model`: the images that all instances process at once, plus those of one more. On a CPU, an instance processes one."""
    batching = network.dynamic_batching
    if batching.HasField("default_queue_policy") or batching.priority_queue_policy:
        return None
    groups = network.instance_group
    on_cpu = all(group.kind == ModelInstanceGroup.KIND_CPU for group in groups)
    instances: int = sum(group.count * max(len(group.gpus), 1) for group in groups)
    at_once: int = 1 if on_cpu else max(network.max_batch_size, 1)
    return (max(instances, 1) + 1) * at_once


def _target_size(size: TargetSize) -> int | str:
    sides = size if isinstance(size, tuple) else (size,)
    if len(sides) not in (1, 2) or not all(type(side) is int and 0 < side <= LONGEST_SIDE for side in sides):
        raise InvalidRequest(f"target_size: must be a whole number of pixels, 1 to {LONGEST_SIDE}, or two of them", "target_size")
    return sides[0] if len(sides) == 1 else ",".join(map(str, sides))


def _tiny_image() -> bytes:
    """A grey PNG of 32x32 pixels (PNG specification, 3rd edition, section 5). The SegFormers need at least 29x29."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 32, 32, 8, 0, 0, 0, 0)
    rows = (b"\0" + b"\x80" * 32) * 32
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


TINY_IMAGE = _tiny_image()
