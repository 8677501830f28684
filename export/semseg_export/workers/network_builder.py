"""Builds an inference archive from trained weights: `x` float32 [N, 3, H, W] in, int32 class ids [N, H, W] out.

    python -m semseg_export.workers.network_builder FILE ARCHITECTURE FOLDER [WIDTH HEIGHT]

writes FOLDER/inference.json and FOLDER/inference.pdiparams. N, H and W are free, or, given WIDTH and HEIGHT, 1 and these. If
there is a FOLDER/network.json, it is the section `model` of the training configuration. If the weights do not fit the network, it
writes the error's name and message to FOLDER/refusal.txt and exits with 1.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..weights import checkpoint, zoo
from ..weights.architectures import architecture
from ..weights.architectures.configured import configured
from ..weights.pdparams import NETWORK, REFUSAL

Size = tuple[int, int] | None  # width and height of the one image that the network takes; None: any number of any size


def build(file: Path, name: str, folder: Path, size: Size = None) -> None:
    """Write inference.json and inference.pdiparams to `folder`. Raises WeightsError if `file` does not fit the network."""
    values = checkpoint.read(file)
    entry = architecture(name)
    head = values.get(f"{entry.head}.weight")
    classes = entry.classes(head.shape) if head is not None and head.ndim > 0 else len(zoo.network(name).data_set.classes)
    network = entry.build(name, max(classes, 1))
    if (folder / NETWORK).is_file():
        network = configured(json.loads((folder / NETWORK).read_text()), max(classes, 1), network)
    own = network.state_dict()
    found = {key: list(value.shape) for key, value in values.items()}
    checkpoint.check(found, {key: list(value.shape) for key, value in own.items()}, name)
    # Indices (int64) follow from the architecture. They are not taken from the file, where they could point anywhere.
    network.set_state_dict(dict[str, Any]((key, value) for key, value in values.items() if own[key].is_floating_point()))
    save(network, folder, size)


def input_shape(size: Size) -> list[int | None]:
    """[N, 3, H, W], where None means any length."""
    return [1, 3, size[1], size[0]] if size else [None, 3, None, None]


def save(network: Any, folder: Path, size: Size = None) -> None:
    """Save a network, with an argmax over its first output, the logits."""
    import paddle

    class Labels(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return paddle.argmax(self.network(x)[0], axis=1, dtype="int32")

    labels = Labels()
    labels.eval()
    spec = [paddle.static.InputSpec(input_shape(size), "float32", "x")]
    paddle.jit.save(paddle.jit.to_static(labels, input_spec=spec, full_graph=True), str(folder / "inference"))


def main() -> None:
    file, name, folder, *sides = sys.argv[1:]
    try:
        build(Path(file), name, Path(folder), (int(sides[0]), int(sides[1])) if sides else None)
    except WeightsError as error:
        (Path(folder) / REFUSAL).write_text(f"{type(error).__name__}\n{error}", encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main()
