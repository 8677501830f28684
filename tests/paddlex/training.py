"""Child process: trains PP-LiteSeg-T for tests.paddlex.task and saves it as PaddleX saves a trained network.

    python -m tests.paddlex.training FOLDER

writes FOLDER/model.pdparams, FOLDER/inference.yml and two archives: FOLDER/inference, for PaddleX to run, and FOLDER/margins,
which outputs the margin of the best class instead of the class. Seeds and the number of steps are fixed. Run it in the exporting
environment; it takes two to three minutes.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import paddle
from paddle import nn
from paddle.nn import functional

from demo.canvas import Image
from demo.scenes import TRAINING, scene
from demo.train import quick_attention, rate
from semseg_export.weights.architectures import architecture
from semseg_export.workers.network_builder import save
from tests.paddlex.task import CLASSES, DESCRIPTION, MEAN, NETWORK, STD, merged

STEPS, BATCH, SCENES = 200, 4, 300
# Whole scenes with about the Resize's proportions but, for speed, half the pixels.
SIZES = ((384, 192), (320, 256), (256, 320), (288, 288))


class Margins(nn.Layer):
    """The highest logit minus the second highest, float32 [N, H, W]."""

    def __init__(self, network: nn.Layer) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        highest, second = paddle.topk(self.network(x)[0], 2, axis=1)[0].unbind(axis=1)
        return highest - second


def normalised(images: Sequence[Image]) -> paddle.Tensor:
    """BGR uint8 [H, W, 3] images as one float32 [N, 3, H, W] RGB batch."""
    rgb = np.stack(images)[..., ::-1] / 255
    return paddle.to_tensor(((rgb - MEAN) / STD).transpose(0, 3, 1, 2).astype(np.float32))


def train(network: nn.Layer) -> None:
    optimizer = paddle.optimizer.AdamW(parameters=network.parameters(), weight_decay=0.01)
    scenes = [[scene(seed, *size) for seed in TRAINING[k : SCENES : len(SIZES)]] for k, size in enumerate(SIZES)]
    random = np.random.default_rng(0)
    with quick_attention():
        for step in range(STEPS):
            of_one_size = scenes[step % len(SIZES)]
            images, labels = zip(*(of_one_size[k] for k in random.integers(len(of_one_size), size=BATCH)), strict=True)
            target = paddle.to_tensor(merged(np.stack(labels)).astype(np.int64))
            first, *others = (functional.cross_entropy(logits, target, axis=1) for logits in network(normalised(images)))
            optimizer.set_lr(rate(step / STEPS) / 2)
            (first + 0.4 * sum(others)).backward()
            optimizer.step()
            optimizer.clear_grad()


def save_margins(network: nn.Layer, folder: Path) -> None:
    margins = Margins(network)
    margins.eval()
    spec = [paddle.static.InputSpec([None, 3, None, None], "float32", "x")]
    paddle.jit.save(paddle.jit.to_static(margins, input_spec=spec, full_graph=True), str(folder / "inference"))


def main() -> None:
    warnings.filterwarnings("ignore")
    folder = Path(sys.argv[1])
    paddle.seed(0)
    network = architecture(NETWORK).build(NETWORK, len(CLASSES))
    train(network)
    places = [folder, folder / "inference", folder / "margins"]
    for place in places:
        place.mkdir(parents=True)
        (place / "inference.yml").write_text(DESCRIPTION)
    paddle.save(network.state_dict(), str(folder / "model.pdparams"))
    save(network, folder / "inference")
    save_margins(network, folder / "margins")


if __name__ == "__main__":
    main()
