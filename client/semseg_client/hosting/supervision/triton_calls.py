"""The supervisor's calls to tritonserver: is it alive, what has it loaded, does an entry answer?"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from tritonclient.grpc import InferenceServerClient, InferInput, InferResult
from tritonclient.grpc.model_config_pb2 import DataType, ModelInput
from tritonclient.utils import InferenceServerException, triton_to_np_dtype

from ...triton.client import channel_options
from ...triton.protocol import TINY_IMAGE
from .served_repository import REVISION
from .triton_log import TritonLog

CALL = 1.0  # s that Triton may take to answer; an inference may take longer
_LEAST = 0.01  # s


class TritonCalls:
    """Calls over gRPC; load failures come from the log. No call lasts beyond `deadline`, which is in time.monotonic() seconds."""

    def __init__(self, url: str, log: TritonLog) -> None:
        self._connection = InferenceServerClient(url, channel_args=channel_options(url))
        self._log = log
        self.deadline = float("inf")

    def live(self) -> bool:
        """Whether the server answers. It does not while it is starting."""
        try:
            return bool(self._connection.is_server_live(client_timeout=self._timeout))
        except InferenceServerException:
            return False

    def loaded(self, name: str, revision: str) -> bool:
        """Whether that revision of an entry is loaded."""
        try:
            config = self._connection.get_model_config(name, client_timeout=self._timeout).config
        except InferenceServerException:
            return False
        return bool(config.parameters[REVISION].string_value == revision)

    def failures(self, name: str) -> int:
        """How often loading an entry has failed."""
        return len(self._log.load_failures(name))

    def ask(self, name: str, answered: Callable[[], None]) -> None:
        """Send an entry a tiny inference. `answered` is called from another thread.

        The inference has no deadline, because cancelling one over gRPC may kill tritonserver 2.51.
        """

        def take(result: InferResult | None, error: InferenceServerException | None) -> None:  # noqa: ARG001
            answered()

        try:
            config = self._connection.get_model_config(name, client_timeout=self._timeout).config
            self._connection.async_infer(name, [_tiny(each) for each in config.input], take)
        except InferenceServerException:  # an entry that cannot be asked is not suspected
            answered()

    def close(self) -> None:
        self._connection.close()

    @property
    def _timeout(self) -> float:
        return max(min(CALL, self.deadline - time.monotonic()), _LEAST)


def _tiny(description: ModelInput) -> InferInput:
    """A valid tensor for one input of our entries; every size and every number is 32."""
    kind = DataType.Name(description.data_type).removeprefix("TYPE_").replace("STRING", "BYTES")
    shape = [1, *(32 if side < 0 else side for side in description.dims)]
    value = InferInput(description.name, shape, kind)
    value.set_data_from_numpy(np.full(shape, TINY_IMAGE if kind == "BYTES" else 32, triton_to_np_dtype(kind)))
    return value
