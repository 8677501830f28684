"""The device that a network runs on, in PaddleX's notation: `cpu`, `gpu:0`, `gpu:0,1`, `npu:0`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from .errors import DeviceError


@dataclass(frozen=True)
class _Hardware:
    """The hardware behind one of PaddleX's names, and the execution providers that support it, best first."""

    name: str
    providers: tuple[str, ...] = ()


def accelerator(provider: str) -> str:
    """Triton's name for one of ONNX Runtime's execution providers: `cuda` for CUDAExecutionProvider."""
    return provider.removesuffix("ExecutionProvider").lower()


# The names are PaddleX 3.7.2's; the providers are from https://onnxruntime.ai/docs/execution-providers/. Where that list
# has none, the vendor's own build of ONNX Runtime may have one, but we know of no documented name for it.
_HARDWARE = {
    "cpu": _Hardware("CPU", ("CPUExecutionProvider",)),
    "gpu": _Hardware("NVIDIA GPU", ("CUDAExecutionProvider",)),
    "npu": _Hardware("Huawei Ascend NPU", ("CANNExecutionProvider",)),
    "xpu": _Hardware("Kunlun XPU"),
    "mlu": _Hardware("Cambricon MLU"),
    # Hygon's software is based on AMD's ROCm, which has two providers. ONNX Runtime 1.23 dropped the second.
    "dcu": _Hardware("Hygon DCU", ("MIGraphXExecutionProvider", "ROCMExecutionProvider")),
    "gcu": _Hardware("Enflame GCU"),
    "iluvatar_gpu": _Hardware("Iluvatar GPU"),
    "metax_gpu": _Hardware("MetaX GPU"),
}
# Hardware on which Triton does not place models itself: a model's configuration names it as an execution accelerator.
ACCELERATORS = frozenset(
    accelerator(provider) for kind, hardware in _HARDWARE.items() if kind not in ("cpu", "gpu") for provider in hardware.providers
)
_OTHER_NAMES = {"cuda": ["gpu"]}  # names too different for a guess by spelling
_LONGEST_ID = 4  # digits


@dataclass(frozen=True)
class Device:
    """A kind of hardware, as PaddleX names it, and the numbers of the devices to use; the CPU has none."""

    kind: str
    ids: tuple[int, ...]

    @classmethod
    def parse(cls, text: str) -> Device:
        """Parse a device in the notation of PaddleX's `--device`. Case and spaces do not matter; `gpu` means `gpu:0`.

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
        """ONNX Runtime's execution providers for this hardware, best first; may be empty."""
        return _HARDWARE[self.kind].providers

    def provider(self, available: Sequence[str]) -> str:
        """The best provider for this hardware among those `available` in the installed ONNX Runtime.

        Raises:
            DeviceError: there is none. Unlike PaddleX, we never fall back to the CPU silently.
        """
        for provider in self.providers:
            if provider in available:
                return provider
        if self.providers:
            reason = f"needs {' or '.join(self.providers)}, which the installed ONNX Runtime does not offer"
        else:
            reason = f"ONNX Runtime lists no execution provider for the {_HARDWARE[self.kind].name}"
        usable = [kind for kind, hardware in _HARDWARE.items() if set(hardware.providers) & set(available)]
        there = f"it offers {', '.join(available) or 'none'}"
        raise DeviceError(f"device '{self}': {reason}; {there}; usable devices: {', '.join(usable) or 'none'}")

    def instance_groups(self) -> list[tuple[str, list[int]]]:
        """Kind and GPUs of each `instance_group` in a model's configuration (Triton's model_config.proto).

        Triton knows only NVIDIA's GPUs, and accepts GPU numbers only with KIND_GPU. On other hardware the backend places each
        instance itself (KIND_MODEL): there is one group per id, and the accelerator's `device_id` lists the ids in order.
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
        return f"unknown; known devices: {', '.join(_HARDWARE)}"
    return f"unknown; did you mean {' or '.join(near)}?"


def _ids(text: str, kind: str, numbers: list[str]) -> tuple[int, ...]:
    for number in numbers:
        if not number:
            raise DeviceError(f"device {text!r}: a number is missing; write {kind}:0 or {kind}:0,1")
        if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_ID):
            limit = 10**_LONGEST_ID - 1
            raise DeviceError(f"device {text!r}: {number!r} is not a number from 0 to {limit}; write {kind}:0 or {kind}:0,1")
    ids = tuple(map(int, numbers))
    for place, each in enumerate(ids):
        if each in ids[:place]:
            raise DeviceError(f"device {text!r}: {each} is given twice")
    return ids
