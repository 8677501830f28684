"""What is exported, or taken back, while tritonserver runs: the server is told to load it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from tritonclient.grpc import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException

from .client import channel_options
from .errors import ServingError
from .repository import configuration

_PERIOD = 1.0  # s
_LOADING = 600.0  # s, that a model may take to load


class RepositoryWatch:
    """Has the tritonserver at `url`, in explicit model control, take up each new configuration of `models`.

    The server goes on with the version that it has until the other is loaded, and for good if that cannot be. `say` is
    told what became of it, from another thread.
    """

    def __init__(self, url: str, repository: Path, models: Sequence[str], say: Callable[[str], None]) -> None:
        self._triton = InferenceServerClient(url, channel_args=channel_options(url))
        self._repository = repository
        self._models = models
        self._say = say
        self._known: dict[str, ModelConfig] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> RepositoryWatch:
        self._known = self._configurations()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(_PERIOD)  # a model that is being loaded is not waited for

    def _watch(self) -> None:
        while not self._ended.wait(_PERIOD):
            found = self._configurations()
            changed = [name for name in found if found[name] != self._known.get(name)]
            self._known |= found
            for model in self._models:
                if model in found:
                    parts = [*_steps(found[model]), model]
                    self._load(model, [name for name in parts if name in changed], found[model])

    def _load(self, model: str, changed: Sequence[str], config: ModelConfig) -> None:
        """The ensemble comes last: it is not to tell of a network that could not be loaded."""
        try:
            for name in changed:
                self._triton.load_model(name, client_timeout=_LOADING)
        except InferenceServerException as error:
            if not self._ended.is_set():
                reason = (error.message() or "no reason given").partition("\n")[0]
                self._say(f"{model}: the change was not taken up, what was served goes on: {reason}")
        else:
            if changed:
                versions = ", ".join(map(str, config.version_policy.specific.versions))
                self._say(f"{model}: version {versions} is served now")

    def _configurations(self) -> dict[str, ModelConfig]:
        """Of the models and of their steps, by name; one that cannot be read is left out."""
        found: dict[str, ModelConfig] = {}
        for model in self._models:
            with suppress(ServingError):
                found[model] = configuration(self._repository, model)
        for name in {name for config in found.values() for name in _steps(config)}:
            with suppress(ServingError):
                found[name] = configuration(self._repository, name)
        return found


def _steps(ensemble: ModelConfig) -> list[str]:
    return [step.model_name for step in ensemble.ensemble_scheduling.step]
