"""Child process: saves one of the twenty networks with random weights, like a trained one, and its logits for one image.

    python -m tests.zoo.seeded NAME FOLDER

writes FOLDER/NAME.pdparams and FOLDER/logits.npy, float32 [1, classes, H, W].
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import paddle

from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights import zoo
from tests.networks import prepared, seeded


def main() -> None:
    name, folder = sys.argv[1:]
    width, height = zoo.network(name).size_for(()) or (512, 256)
    image = prepared(name, smooth_pixels(0, (1, height, width)))
    network = seeded(name)
    paddle.save(network.state_dict(), f"{folder}/{name}.pdparams")
    with paddle.no_grad():
        np.save(Path(folder) / "logits.npy", network(paddle.to_tensor(image))[0].numpy())


if __name__ == "__main__":
    main()
