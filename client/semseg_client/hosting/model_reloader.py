"""Watches a model repository and reloads models that are exported or rolled back while tritonserver runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..errors import ServingError
from .repository import configuration

_PERIOD = 1.0  # s

Load = Callable[[Sequence[str]], None]  # raises ServingError


class ModelReloader:
    """Reloads `models` when their versions change, checking every `period` seconds.

    The server keeps the old version until the new one is loaded, and for good if loading fails. Another thread calls `say` with
    the outcome.
    """

    def __init__(self, repository: Path, models: Sequence[str], say: Callable[[str], None], period: float = _PERIOD) -> None:
        self._repository = repository
        self._models = models
        self._say = say
        self._period = period
        self._known = {model: self._configurations(model) for model in models}
        self._ended = threading.Event()

    @contextmanager
    def watching(self, load: Load) -> Iterator[None]:
        """While the block runs, call `load` with the entries that change."""
        thread = threading.Thread(target=self._watch, args=[load], daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join(self._period)  # do not wait for a model that is loading

    def _watch(self, load: Load) -> None:
        troubles: dict[str, str] = {}
        while not self._ended.wait(self._period):
            for model in self._models:
                try:
                    self._look(load, model)
                    troubles.pop(model, None)
                except Exception as error:  # noqa: BLE001, PERF203 - a full disk, say: try again, report once
                    if troubles.get(model) != repr(error):
                        troubles[model] = repr(error)
                        self._tell(f"{model}: cannot read the repository, trying again: {error!r}")

    def _look(self, load: Load, model: str) -> None:
        found = self._configurations(model)
        if found != self._known[model] and _settled(model, found):
            changed = [name for name in found if found[name] != self._known[model].get(name)]
            self._take_up(load, model, changed, found[model])
            self._known[model] = found

    def _take_up(self, load: Load, model: str, changed: Sequence[str], config: ModelConfig) -> None:
        """`changed` has the ensemble last, so that it never describes a network that failed to load."""
        try:
            load(changed)
        except ServingError as error:
            self._tell(
                f"{model}: cannot load the change, still serving the old version (to undo: make rollback MODEL={model}): {error}"
            )
        else:
            self._tell(f"{model}: version {', '.join(map(str, config.version_policy.specific.versions))} is served now")

    def _tell(self, news: str) -> None:
        if not self._ended.is_set():
            with suppress(Exception):  # the listener may be gone; keep watching
                self._say(news)

    def _configurations(self, model: str) -> dict[str, ModelConfig]:
        """The configurations of the model's steps, then of the model itself, by name; unreadable ones are left out."""
        found: dict[str, ModelConfig] = {}
        with suppress(ServingError):
            ensemble = configuration(self._repository, model)
            for step in ensemble.ensemble_scheduling.step:
                with suppress(ServingError):
                    found[step.model_name] = configuration(self._repository, step.model_name)
            found[model] = ensemble
        return found


def _settled(model: str, found: Mapping[str, ModelConfig]) -> bool:
    """Whether all entries of the model name the same version: an export replaces them one by one."""
    steps = found[model].ensemble_scheduling.step if model in found else []
    own = [model, *(step.model_name for step in steps if step.model_name.startswith(f"{model}_"))]
    versions = [found[name].version_policy for name in own if name in found]
    return len(versions) == len(own) and all(version == versions[0] for version in versions)
