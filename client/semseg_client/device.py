"""The device that a network runs on, in PaddleX's words: `cpu`, `gpu:0`, `gpu:0,1`, `npu:0`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from .errors import DeviceError


@dataclass(frozen=True)
class _Hardware:
    """What stands behind a name of PaddleX's, and the execution providers that run it, the best first."""

    name: str
    providers: tuple[str, ...] = ()


def accelerator(provider: str) -> str:
    """Triton's name for one of ONNX Runtime's execution providers: `cuda` for CUDAExecutionProvider."""
    return provider.removesuffix("ExecutionProvider").lower()


# The names are PaddleX 3.7.2's, the providers those of https://onnxruntime.ai/docs/execution-providers/. Where that list
# has none, an ONNX Runtime of the hardware's vendor may; we know of no documented name to ask it for.
_HARDWARE = {
    "cpu": _Hardware("CPU", ("CPUExecutionProvider",)),
    "gpu": _Hardware("NVIDIA GPU", ("CUDAExecutionProvider",)),
    "npu": _Hardware("Huawei Ascend NPU", ("CANNExecutionProvider",)),
    "xpu": _Hardware("Kunlun XPU"),
    "mlu": _Hardware("Cambricon MLU"),
    # Its software descends from AMD's ROCm, and for that there are two. The second left ONNX Runtime with 1.23.
    "dcu": _Hardware("Hygon DCU", ("MIGraphXExecutionProvider", "ROCMExecutionProvider")),
    "gcu": _Hardware("Enflame GCU"),
    "iluvatar_gpu": _Hardware("Iluvatar GPU"),
    "metax_gpu": _Hardware("MetaX GPU"),
}
# In a model's configuration, what is neither Triton's CPU nor its GPU stands as an execution accelerator.
ACCELERATORS = frozenset(
    accelerator(provider) for kind, hardware in _HARDWARE.items() if kind not in ("cpu", "gpu") for provider in hardware.providers
)
_OTHER_NAMES = {"cuda": ["gpu"]}  # what the letters alone would not lead to
_LONGEST_ID = 4  # digits


@dataclass(frozen=True)
class Device:
    """A kind of hardware, by PaddleX's name, and the numbers of the pieces to use; the CPU has none."""

    kind: str
    ids: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Device:
        """The device that PaddleX's `--device` names so; case and spaces do not matter, `gpu` is `gpu:0`.

        Raises:
            DeviceError: there is no such device.
        """
        name, colon, numbers = text.partition(":")
        kind = name.strip().lower()
        if kind not in _HARDWARE:
            raise DeviceError(f"device {text!r}: {_unknown(kind)}")
        if not colon:
            return cls(kind, () if kind == "cpu" else (0,))
        if kind == "cpu":
            raise DeviceError(f"device {text!r}: the CPU has no numbers; write cpu")
        return cls(kind, _ids(text, kind, [number.strip() for number in numbers.split(",")]))

    def __str__(self) -> str:
        return f"{self.kind}:{','.join(map(str, self.ids))}" if self.ids else self.kind

    @property
    def providers(self) -> tuple[str, ...]:
        """ONNX Runtime's execution providers for this hardware, the best first; none if it has none."""
        return _HARDWARE[self.kind].providers

    def provider(self, available: Sequence[str]) -> str:
        """The one of `available`, the installed ONNX Runtime's execution providers, that runs this hardware best.

        Raises:
            DeviceError: none does. Nothing falls back to the CPU in silence, as it would in PaddleX.
        """
        for provider in self.providers:
            if provider in available:
                return provider
        if self.providers:
            reason = f"needs {' or '.join(self.providers)}, which the installed ONNX Runtime does not offer"
        else:
            reason = f"ONNX Runtime lists no execution provider for the {_HARDWARE[self.kind].name}"
        usable = [kind for kind, hardware in _HARDWARE.items() if set(hardware.providers) & set(available)]
        there = f"it has {', '.join(available) or 'none'}"
        raise DeviceError(f"device '{self}': {reason}; {there}; devices to choose from: {', '.join(usable) or 'none'}")

    def instance_groups(self) -> list[tuple[str, list[int]]]:
        """The kind and GPUs of each `instance_group` for a model's configuration (Triton's model_config.proto).

        Triton counts NVIDIA's GPUs only, and takes GPUs with KIND_GPU only. On other hardware the backend places the instance
        by itself (KIND_MODEL): there is a group for each of `ids`, which the execution accelerator's `device_id` tells it.
        """
        match self.kind:
            case "cpu":
                return [("KIND_CPU", [])]
            case "gpu":
                return [("KIND_GPU", list(self.ids))]
            case _:
                return [("KIND_MODEL", [])] * len(self.ids)


def _unknown(kind: str) -> str:
    near = _OTHER_NAMES.get(kind) or sorted(get_close_matches(kind, _HARDWARE, n=len(_HARDWARE)))
    if not near:
        return f"unknown; there is {', '.join(_HARDWARE)}"
    return f"unknown; did you mean {' or '.join(near)}?"


def _ids(text: str, kind: str, numbers: list[str]) -> tuple[int, ...]:
    for number in numbers:
        if not number:
            raise DeviceError(f"device {text!r}: a number is missing; write {kind}:0 or {kind}:0,1")
        if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_ID):
            limit = 10**_LONGEST_ID - 1
            raise DeviceError(f"device {text!r}: {number!r} is no number from 0 to {limit}; write {kind}:0 or {kind}:0,1")
    ids = tuple(map(int, numbers))
    for place, each in enumerate(ids):
        if each in ids[:place]:
            raise DeviceError(f"device {text!r}: {each} stands there twice")
    return ids
