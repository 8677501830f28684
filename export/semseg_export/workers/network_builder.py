"""Builds an inference archive from trained weights: `x` float32 [N, 3, H, W] in, int32 class ids [N, H, W] out.

    python -m semseg_export.workers.network_builder FILE ARCHITECTURE FOLDER

writes FOLDER/inference.json and FOLDER/inference.pdiparams. If the weights do not fit the network, it writes the error's name and
message to FOLDER/refusal.txt and exits with 1.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from ..errors import WeightsError
from ..weights import checkpoint, zoo
from ..weights.architectures import architecture
from ..weights.pdparams import REFUSAL


def build(file: Path, name: str, folder: Path) -> None:
    """Write inference.json and inference.pdiparams to `folder`. Raises WeightsError if `file` does not fit the network."""
    values = checkpoint.read(file)
    entry = architecture(name)
    head = values.get(f"{entry.head}.weight")
    classes = len(head) if head is not None and head.ndim > 0 else len(zoo.network(name).data_set.classes)
    network = entry.build(name, max(classes, 1))
    found = {key: list(value.shape) for key, value in values.items()}
    checkpoint.check(found, {key: list(value.shape) for key, value in network.state_dict().items()}, name)
    network.set_state_dict(dict[str, Any](values))
    save(network, folder)


def save(network: Any, folder: Path) -> None:
    """Save a network, with an argmax over its first output, the logits, for images of any size."""
    import paddle

    class Labels(paddle.nn.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, x: Any) -> Any:
            return paddle.argmax(self.network(x)[0], axis=1, dtype="int32")

    labels = Labels()
    labels.eval()
    spec = [paddle.static.InputSpec([None, 3, None, None], "float32", "x")]
    paddle.jit.save(paddle.jit.to_static(labels, input_spec=spec, full_graph=True), str(folder / "inference"))


def main() -> None:
    file, name, folder = sys.argv[1:]
    try:
        build(Path(file), name, Path(folder))
    except WeightsError as error:
        (Path(folder) / REFUSAL).write_text(f"{type(error).__name__}\n{error}", encoding="utf-8")
        sys.exit(1)


if __name__ == "__main__":
    main()
