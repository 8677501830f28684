"""A model exported in a test, and what its user was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from semseg_contract.record import ModelRecord
from semseg_contract.transforms import Preparation
from semseg_export.export import Installed
from semseg_export.install import configuration
from tests.unit.export.silent import Silent


class Notes:
    """A reporter that keeps what the user is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    @contextmanager
    def step(self, _: str) -> Iterator[Silent]:
        yield Silent()

    def warn(self, text: str) -> None:
        self.told.append(text)

    def note(self, text: str) -> None:
        pass

    def agreement(self, *_: object) -> None:
        pass


class Exported:
    """An installed model: its configurations and record, and what the user was told."""

    def __init__(self, repository: Path, installed: Installed, told: list[str]) -> None:
        self.ensemble = configuration.read(repository / installed.name / "config.pbtxt")
        self.network = configuration.read(repository / f"{installed.name}_network" / "config.pbtxt")
        self.record = ModelRecord.read(self.ensemble)
        self.preparation = self.record.preparation or Preparation()
        self.agreement, self.told = installed.agreement, "\n".join(told)

    @property
    def classes(self) -> set[float]:
        """How many classes the reference saw in the images of the comparison."""
        return {each["classes"] or 0 for each in self.record.comparison or []}


Run = Callable[..., Exported]
