"""Child process: saves one of the eighteen networks with random weights, like a trained one, and its logits for one image.

    python -m tests.zoo.seeded NAME FOLDER

writes FOLDER/NAME.pdparams and FOLDER/logits.npy, float32 [1, classes, 256, 512].
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle

from semseg_export.synthetic_images import smooth_pixels
from tests.networks import seeded

SHAPE = (1, 256, 512)


def normalised() -> np.ndarray:
    """The image, float32 [1, 3, 256, 512] from -1 to 1, as PaddleX passes it to the network."""
    return (smooth_pixels(0, SHAPE).transpose(0, 3, 1, 2) / np.float32(127.5) - 1).astype(np.float32)


def main() -> None:
    name, folder = sys.argv[1:]
    network = seeded(name)
    paddle.save(network.state_dict(), f"{folder}/{name}.pdparams")
    with paddle.no_grad():
        np.save(Path(folder) / "logits.npy", network(paddle.to_tensor(normalised()))[0].numpy())


if __name__ == "__main__":
    main()
