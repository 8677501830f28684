"""Train the demo network on synthetic scenes and save it in PaddleX's format: `python -m demo.train`.

The network is a PP-LiteSeg (https://arxiv.org/abs/2204.02681) a quarter as wide as PP-LiteSeg-T. All seeds and the
number of steps are fixed, so a second run on the same machine gives the same weights.
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import paddle
import yaml
from paddle import inference, nn
from paddle.nn import functional
from paddleseg.models import PPLiteSeg
from paddleseg.models.backbones.stdcnet import STDCNet
from paddleseg.models.layers import tensor_fusion_helper

from demo.canvas import CLASSES, Image
from demo.scenes import HELD_OUT, TRAINING, scene

NAME = "PP-LiteSeg-Demo"
STEPS = 3500
BATCH = 6
WIDTH, HEIGHT = 512, 256
# Scenes are drawn at several sizes and cropped to one: scale jitter without resampling.
SIZES = ((512, 256), (640, 320), (512, 256), (1024, 512), (512, 256), (768, 384))
SCENES, FIRST_SCENES, SCENES_A_STEP = 2400, 160, 3
PEAK_RATE, WARM_UP = 0.004, 0.03
Scene = tuple[Image, Image]


def network() -> nn.Layer:
    """PP-LiteSeg with 0.533 M parameters."""
    backbone = STDCNet(base=16, layers=[2, 2, 2], block_num=4, type="cat")
    return PPLiteSeg(len(CLASSES), backbone, arm_out_chs=[16, 24, 32], seg_head_inter_chs=[16, 24, 24], cm_out_ch=32)


# --- Scenes -----------------------------------------------------------------------------------------------------------


def training_scene(seed: int) -> Scene:
    return scene(seed, *SIZES[seed % len(SIZES)])


def normalised(images: Sequence[Image]) -> paddle.Tensor:
    """BGR uint8 [H,W,3] images as one float32 [N,3,H,W] RGB batch in -1 to 1."""
    rgb = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2).astype(np.float32)
    return paddle.to_tensor((rgb / 255 - 0.5) / 0.5)


def augmented(rng: np.random.Generator, drawn: Scene) -> Scene:
    """A random crop of WIDTH x HEIGHT, mirrored half of the time, with its light and colours shifted."""
    image, labels = drawn
    y, x = (int(rng.integers(have - want + 1)) for have, want in zip(labels.shape, (HEIGHT, WIDTH), strict=True))
    window = np.s_[y : y + HEIGHT, x : x + WIDTH]
    image, labels = image[window], labels[window]
    if rng.random() < 0.5:
        image, labels = image[:, ::-1], labels[:, ::-1]
    gain = rng.uniform(0.8, 1.25) * rng.uniform(0.92, 1.08, 3)
    lift = rng.uniform(-18, 18)
    return np.clip(image * gain.astype(np.float32) + np.float32(lift), 0, 255).astype(np.uint8), labels


# --- Loss -------------------------------------------------------------------------------------------------------------


def quick_mean_and_max(x: paddle.Tensor, use_concat: bool = True) -> Any:
    """Mean and maximum over the channels; the maximum is computed by pooling, whose gradient is fast."""
    flat = x.reshape([x.shape[0], 1, x.shape[1], -1])
    highest = functional.max_pool2d(flat, kernel_size=(x.shape[1], 1)).reshape([x.shape[0], 1, x.shape[2], x.shape[3]])
    pair = [x.mean(axis=1, keepdim=True), highest]
    return paddle.concat(pair, axis=1) if use_concat else pair


@contextmanager
def quick_attention() -> Iterator[None]:
    """Make PP-LiteSeg's attention use `quick_mean_and_max`: on a CPU, paddle.max's gradient takes 40 % of a step."""
    own = tensor_fusion_helper.avg_max_reduce_channel_helper
    tensor_fusion_helper.avg_max_reduce_channel_helper = quick_mean_and_max
    try:
        yield
    finally:
        tensor_fusion_helper.avg_max_reduce_channel_helper = own


def class_weights(scenes: Sequence[Scene]) -> paddle.Tensor:
    """float32 [19]: each class weighs about 1 / sqrt(its share of the pixels)."""
    counts = sum(np.bincount(labels.ravel(), minlength=len(CLASSES)) for _, labels in scenes)
    share = counts / np.sum(counts)
    weights = np.clip(1 / np.sqrt(share + 1e-4), None, 20)
    return paddle.to_tensor((weights / np.average(weights, weights=share)).astype(np.float32))


def soft_jaccard(logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
    """One minus the mean intersection over union of the classes that occur, on probabilities instead of pixels."""
    chance = functional.softmax(logits, axis=1)
    truth = functional.one_hot(labels, len(CLASSES)).transpose([0, 3, 1, 2])
    both, area = (chance * truth).sum([0, 2, 3]), truth.sum([0, 2, 3])
    union = chance.sum([0, 2, 3]) + area - both
    occurs = (area > 0).astype("float32")
    return 1 - (both / union * occurs).sum() / occurs.sum()


def loss(
    net: nn.Layer, images: paddle.Tensor, labels: npt.NDArray[np.int64], shift: int, weights: paddle.Tensor
) -> paddle.Tensor:
    """Cross-entropy of the three heads and soft Jaccard of the first.

    Computed at a quarter of the size (the first head) and an eighth (the others): at full size, upsampling and
    cross-entropy would take longer than the network. The pixel centres of the smaller images lie between two pixels of
    `labels`; `shift` 0 or 1 takes the one before or after.
    """
    features = net.backbone(images)
    refined = net.ppseg_head([features[k] for k in net.backbone_indices])
    total = paddle.zeros([])
    for k, (head, feature) in enumerate(zip(net.seg_heads, refined, strict=True)):
        stride = 4 if k == 0 else 8
        size = [labels.shape[1] // stride, labels.shape[2] // stride]
        logits = functional.interpolate(head(feature), size, mode="bilinear")
        centre = stride // 2 - 1 + shift
        target = paddle.to_tensor(np.ascontiguousarray(labels[:, centre::stride, centre::stride]))
        entropy = functional.cross_entropy(logits, target, weight=weights, axis=1)
        total = total + (entropy + soft_jaccard(logits, target) if k == 0 else 0.4 * entropy)
    return total


# --- Training ---------------------------------------------------------------------------------------------------------


def rate(progress: float) -> float:
    """Learning rate at `progress` 0 to 1: a linear rise, then half a cosine down to zero."""
    fall = 0.5 + 0.5 * np.cos(np.pi * min(progress, 1))
    return float(PEAK_RATE * min(1, progress / WARM_UP + 0.01) * fall)


def train(net: nn.Layer, steps: int, minutes: float | None, kept: Path | None) -> None:
    """Train for `steps` steps, or for `minutes` (then the result depends on the machine's speed).

    Saves the weights to the file `kept` every 500 steps and at the end.
    """
    optimizer = paddle.optimizer.AdamW(
        PEAK_RATE, parameters=net.parameters(), weight_decay=0.01, grad_clip=nn.ClipGradByGlobalNorm(5.0)
    )
    rng = np.random.default_rng(0)
    with multiprocessing.get_context("spawn").Pool(1, initializer=os.nice, initargs=(10,)) as artist, quick_attention():
        stream = artist.imap(training_scene, TRAINING[:SCENES])
        scenes = [next(stream) for _ in range(FIRST_SCENES)]
        weights = class_weights(scenes)
        start, step, progress, recent = time.monotonic(), 0, 0.0, []
        while progress < 1:
            while len(scenes) < min(SCENES, FIRST_SCENES + SCENES_A_STEP * step):
                scenes.append(next(stream))
            batch = [augmented(rng, scenes[k]) for k in rng.integers(len(scenes), size=BATCH)]
            images, labels = normalised([image for image, _ in batch]), np.stack([each for _, each in batch])
            optimizer.set_lr(rate(progress))
            value = loss(net, images, labels.astype(np.int64), step % 2, weights)
            value.backward()
            optimizer.step()
            optimizer.clear_grad()
            recent.append(float(value))
            step += 1
            elapsed = time.monotonic() - start
            progress = step / steps if minutes is None else elapsed / (60 * minutes)
            if step % 50 == 0:
                left = elapsed / progress - elapsed
                print(f"step {step}, loss {np.mean(recent[-50:]):.3f}, {left / 60:.0f} minutes left", flush=True)
            if kept and (step % 500 == 0 or progress >= 1):
                paddle.save(net.state_dict(), str(kept))


# --- Result -----------------------------------------------------------------------------------------------------------


class WithArgmax(nn.Layer):  # type: ignore[misc]
    """float32 [N,3,H,W] RGB in -1 to 1 -> class ids int32 [N,H,W], as PaddleX exports segmentation networks."""

    def __init__(self, net: nn.Layer) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: paddle.Tensor) -> paddle.Tensor:
        return paddle.argmax(self.net(x)[0], axis=1, dtype="int32")


def export(net: nn.Layer, out: Path) -> None:
    """Write inference.json, inference.pdiparams, inference.yml and classes.txt into `out`."""
    net.eval()
    spec = [paddle.static.InputSpec([None, 3, None, None], "float32", name="x")]
    paddle.jit.save(paddle.jit.to_static(WithArgmax(net), input_spec=spec, full_graph=True), str(out / "inference"))
    deploy = {
        "model": "inference.json",
        "params": "inference.pdiparams",
        "input_shape": [None, 3, None, None],
        "output_dtype": "int32",
        "output_op": "argmax",
        "transforms": [{"type": "Normalize"}],
    }
    settings = {"Deploy": deploy, "Global": {"model_name": NAME}}
    (out / "inference.yml").write_text(yaml.safe_dump(settings, sort_keys=False))
    (out / "classes.txt").write_text("\n".join(CLASSES) + "\n")


def confusion(model: Path, width: int, height: int) -> npt.NDArray[np.int64]:
    """Confusion matrix of the saved network on the held-out scenes, in pixels: int64 [19,19]; truth by prediction."""
    config = inference.Config(str(model / "inference.json"), str(model / "inference.pdiparams"))
    config.disable_glog_info()
    predictor = inference.create_predictor(config)
    table = np.zeros((len(CLASSES), len(CLASSES)), np.int64)
    for seed in HELD_OUT:
        image, labels = scene(seed, width, height)
        (predicted,) = predictor.run([normalised([image])])
        pairs = labels.ravel().astype(np.int64) * len(CLASSES) + predicted.numpy().ravel()
        table += np.bincount(pairs, minlength=table.size).reshape(table.shape)
    return table


def report(table: npt.NDArray[np.int64]) -> str:
    """IoU of every class that occurs, their mean, and pixel accuracy."""
    right, truth, claimed = np.diag(table), table.sum(1), table.sum(0)
    iou = {name: r / (t + c - r) for name, r, t, c in zip(CLASSES, right, truth, claimed, strict=True) if t}
    rows = [f"{name:14s} {value:.3f}" for name, value in iou.items()]
    return "\n".join([*rows, f"mean IoU {np.mean(list(iou.values())):.4f}, pixels {right.sum() / table.sum():.4f}"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--minutes", type=float, help="train for this long and ignore --steps")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / NAME)
    parser.add_argument("--start-from", type=Path, help="weights of an earlier run (weights.pdparams) to continue from")
    parser.add_argument("--keep-weights", type=Path, help="file to save the weights to, for --start-from")
    options = parser.parse_args()
    paddle.seed(0)
    net = network()
    if options.start_from:
        net.set_state_dict(paddle.load(str(options.start_from)))
    train(net, options.steps, options.minutes, options.keep_weights)
    options.out.mkdir(parents=True, exist_ok=True)
    export(net, options.out)
    for width, height in ((512, 256), (1024, 512)):
        print(f"{width}x{height}\n{report(confusion(options.out, width, height))}")


if __name__ == "__main__":
    main()
