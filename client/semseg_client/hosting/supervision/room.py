"""How much of /dev/shm the served models need.

Each of Triton's Python processes keeps the tensors of its requests in a region there. It grows with the largest image and never
shrinks. So an image that does not fit does lasting damage: it fills the regions of the first processes before it fails, and then
images fail that would have fitted. `preprocess` therefore refuses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from semseg_contract.limits import MEGAPIXEL
from semseg_contract.names import DRAW, POSTPROCESS, PREPROCESS

# Bytes per pixel of the image. A network's next input, of 3, arrives before its last output, of 1, has left.
_BYTES = {PREPROCESS: 3, POSTPROCESS: 2, DRAW: 1}
_NETWORK = 7
# Images of 1 to 24 megapixels, alone and from 8 callers at once, took 1.0 to 1.25 times as much.
_SLACK = 1.25
_EMPTY = 2**20  # bytes of a region at first


@dataclass(frozen=True)
class Demand:
    """What one model needs: the pixels of the largest image that it accepts, and the number of processes of each entry."""

    most_pixels: int
    processes: Mapping[str, int]


@dataclass(frozen=True)
class Room:
    """`free` bytes of /dev/shm for the regions of some models' processes."""

    free: int
    demands: Mapping[str, Demand]

    @property
    def needed(self) -> int:
        """Bytes for the largest images of all models."""
        largest: dict[str, int] = {}
        for demand in self.demands.values():
            for entry in demand.processes:
                largest[entry] = max(largest.get(entry, 0), demand.most_pixels)
        return self._empty + int(_SLACK * sum(_cost(entry, self._processes[entry]) * most for entry, most in largest.items()))

    @property
    def largest_image(self) -> int:
        """Pixels of the largest image that fits, whichever model it is for."""
        costs = [sum(_cost(*each) for each in demand.processes.items()) for demand in self.demands.values()]
        return int(max(self.free - self._empty, 0) / (_SLACK * max(costs, default=1)))

    @property
    def warning(self) -> str | None:
        """What to tell the owner if there is too little; None if there is enough."""
        if self.free >= self.needed:
            return None
        free, needed = self.free // 2**20, -(-self.needed // 2**20)
        return (
            f"only {free} MB are free in /dev/shm. The largest images that {', '.join(self.demands)} accept need {needed} MB;"
            f" those of more than {self.largest_image / MEGAPIXEL:.1f} megapixels get 503. To enlarge it: docker run"
            f" --shm-size={needed}m, or in Kubernetes an emptyDir with medium: Memory, mounted at /dev/shm"
        )

    @property
    def _processes(self) -> dict[str, int]:
        return {entry: count for demand in self.demands.values() for entry, count in demand.processes.items()}

    @property
    def _empty(self) -> int:
        return _EMPTY * sum(self._processes.values())


def _cost(entry: str, processes: int) -> int:
    """Bytes per pixel of an entry; a model may have a preprocess of its own."""
    return processes * next((size for kind, size in _BYTES.items() if entry.endswith(kind)), _NETWORK)
