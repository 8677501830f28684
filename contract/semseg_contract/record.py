"""What a model records about itself, in the parameters of its ensemble's configuration."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from typing import Any, NamedTuple

from tritonclient.grpc.model_config_pb2 import ModelConfig, ModelParameter

from .palette import Colour
from .transforms import Preparation


@dataclass(frozen=True)
class Memory:
    """A network's measured memory.

    `peaks` are pairs, in growing order: megapixels (2^20 pixels), and the peak bytes of the process after an image of that size.
    For larger images, `square` is the number of bytes that each squared megapixel adds.
    """

    peaks: list[list[float]]
    square: float

    @property
    def slope(self) -> float:
        """Bytes per megapixel, where the peaks grow fastest; 0 if there is only one, because all images have one size."""
        return max(((above - below) / (b - a) for (a, below), (b, above) in pairwise(self.peaks)), default=0.0)

    def at(self, megapixels: float) -> float:
        """The peak bytes for one image of that size."""
        for measured, peak in self.peaks:
            if megapixels <= measured:
                return peak
        return peak + self.slope * (megapixels - measured) + self.square * (megapixels**2 - measured**2)


@dataclass(frozen=True)
class ModelRecord:
    """The fields are the keys in docs/contract.md ("The ensemble's parameters"), in that order. None means unknown."""

    class_names: tuple[str, ...]
    palette: tuple[Colour, ...] = ()
    max_pixels: int | None = None
    memory: Memory | None = None
    source: str | None = None
    source_sha256: str | None = None
    converter: str | None = None
    exported_at: str | None = None
    reference: str | None = None
    agreement: float | None = None
    comparison: list[dict[str, float | None]] | None = None
    precision: str | None = None
    fidelity: dict[str, float] | None = None
    calibration: dict[str, str | int] | None = None
    engine: dict[str, Any] | None = None
    preparation: Preparation | None = None
    folder_sha256: str | None = None

    @classmethod
    def read(cls, config: ModelConfig) -> ModelRecord:
        """The record in an ensemble's configuration. Raises ValueError if a value cannot be read."""
        told: dict[str, Any] = {}
        for field in fields(cls):
            if field.name in config.parameters:
                text = config.parameters[field.name].string_value
                try:
                    told[field.name] = _form(field.name).read(text)
                except (ValueError, TypeError, KeyError) as error:
                    raise ValueError(f"{config.name}: the parameter {field.name} cannot be read: {error}") from error
        return cls(**told)

    def parameters(self) -> dict[str, ModelParameter]:
        """The record as parameters of a configuration. Fields that are None are left out."""
        told = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: ModelParameter(string_value=_form(name).write(value)) for name, value in told.items() if value is not None}


class _Form(NamedTuple):
    """How a value is written as a string and read back."""

    write: Callable[[Any], str]
    read: Callable[[str], Any]


def _form(name: str) -> _Form:
    return _FORMS.get(name, _Form(str, str))


def _palette(text: str) -> tuple[Colour, ...]:
    return tuple((red, green, blue) for red, green, blue in json.loads(text))


_FORMS = {
    "class_names": _Form(lambda names: json.dumps(names, ensure_ascii=False), lambda text: tuple(json.loads(text))),
    "palette": _Form(json.dumps, _palette),
    "max_pixels": _Form(str, int),
    "memory": _Form(lambda memory: json.dumps(asdict(memory)), lambda text: Memory(**json.loads(text))),
    "agreement": _Form(lambda share: f"{share:.6f}", float),
    "comparison": _Form(json.dumps, json.loads),
    "fidelity": _Form(json.dumps, json.loads),
    "calibration": _Form(json.dumps, json.loads),
    "engine": _Form(json.dumps, json.loads),
    "preparation": _Form(Preparation.write, Preparation.read),
}
