"""Tiny networks, exported in the ways that people export theirs.

    python -m tests.exports OUT_FOLDER [NAME...]

Run it in the exporting environment: it needs Paddle.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import paddle
import yaml
from paddle import nn
from paddle.nn import functional

NORMALIZE: dict[str, Any] = {"type": "Normalize"}
ANY = (None, 3, None, None)


class Tiny(nn.Layer):
    """Logits at the image's size. If `strict`, it joins layers whose sizes differ unless both sides are multiples of four.

    `quirk`, if any, is one of QUIRKS, and sees the image first.
    """

    def __init__(self, classes: int, channels: int, strict: bool, quirk: Callable[[Any], Any]) -> None:
        super().__init__()
        self.quirk = quirk
        self.first = nn.Conv2D(channels, 8, 3, stride=2, padding=1)
        self.second = nn.Conv2D(8, 16, 3, stride=2, padding=1)
        self.third = nn.Conv2D(16, 8, 1)
        self.head = nn.Conv2D(16 if strict else 8, classes, 1)
        self.strict = strict

    def forward(self, image: Any) -> Any:
        x = self.quirk(image)
        half = functional.relu(self.first(x))
        quarter = functional.relu(self.third(functional.relu(self.second(half))))
        if self.strict:
            quarter = paddle.concat([half, functional.interpolate(quarter, scale_factor=2, mode="bilinear")], axis=1)
        return functional.interpolate(self.head(quarter), paddle.shape(x)[2:], mode="bilinear")


@dataclass(frozen=True)
class Export:
    """How a network is exported. `operation`, one of OPERATIONS, follows its logits."""

    operation: str = "argmax"
    classes: int = 5
    channels: int = 3
    strict: bool = False
    quirk: str = "none"
    input_name: str = "x"
    shape: tuple[int | None, ...] = ANY
    stem: str = "inference"
    description: str | None = "inference.yml"
    transforms: tuple[dict[str, Any], ...] = (NORMALIZE,)
    bias: float = 0.0  # of the first class

    def content(self) -> dict[str, Any]:
        if self.description == "model.yml":
            return {
                "Model": "DeepLabV3P",
                "Transforms": [{each["type"]: {key: each[key] for key in each if key != "type"}} for each in self.transforms],
                "_Attributes": {"num_classes": self.classes, "labels": LABELS, "model_type": "segmenter"},
            }
        return {"Deploy": {"transforms": list(self.transforms), "output_op": self.operation}}


LABELS = ["background", "road", "car", "tree", "sky"]


# What an exporter puts behind the logits [N, C, H, W].
OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "argmax": lambda logits: paddle.argmax(logits, axis=1, dtype="int32"),
    "float ids": lambda logits: paddle.argmax(logits, axis=1).astype("float32"),
    "none": lambda logits: logits,
    "softmax": lambda logits: functional.softmax(logits, axis=1),
    "sigmoid": functional.sigmoid,
    "clipped": lambda logits: paddle.clip(logits + 0.5, 0, 1),
    "threshold": lambda logits: (functional.sigmoid(logits) > 0.5).astype("int32").squeeze(1),
    "float threshold": lambda logits: (functional.sigmoid(logits) > 0.5).astype("float32"),
    "at least": lambda logits: logits.squeeze(1) >= 0.25,
    "float less": lambda logits: paddle.less_than(paddle.full([1], -0.1), logits).astype("float32"),
    "less": lambda logits: paddle.less_than(paddle.full([1], 0.25), logits).astype("int32"),
    "both": lambda logits: (paddle.argmax(logits, axis=1, dtype="int32"), functional.softmax(logits, axis=1)),
    "scores first": lambda logits: (functional.softmax(logits, axis=1), paddle.argmax(logits, axis=1, dtype="int32")),
    "auxiliary": lambda logits: (paddle.argmax(logits, axis=1, dtype="int32"), paddle.argmin(logits, axis=1, dtype="int32")),
    "scores and ids": lambda logits: (logits, *(paddle.argmax(each, axis=1, dtype="int32") for each in (logits, -logits))),
    "PaddleX 2": lambda logits: _paddlex_2(paddle.transpose(functional.softmax(logits, axis=1), [0, 2, 3, 1])),
    "smooth sigmoid": lambda logits: functional.interpolate(functional.sigmoid(logits), paddle.shape(logits)[2:], mode="bicubic"),
    "log sigmoid": functional.log_sigmoid,
    "Paddle 2": lambda logits: paddle.scale(paddle.argmax(logits, axis=1, dtype="int32"), 1.0),
    "Paddle 2 softmax": lambda logits: paddle.scale(functional.softmax(logits, axis=1), 1.0),
    "late softmax": lambda logits: functional.softmax(_channels_last(logits), axis=1),
    "float of bool": lambda logits: paddle.argmax(logits, axis=1).astype("bool").astype("float32"),
    "scores and mask": lambda logits: (logits, (logits.max(axis=1) > 0.1).astype("int32")),
    "two heads": lambda logits: (logits, -logits),
    "ids and logits": lambda logits: (paddle.argmax(logits, axis=1, dtype="int32"), logits),
    "threshold and scores": lambda logits: ((functional.sigmoid(logits) > 0.5).astype("int32"), functional.sigmoid(logits)),
    "enlarged sigmoid": lambda logits: functional.interpolate(functional.sigmoid(logits), scale_factor=1.0, mode="bilinear"),
    "ids above 0": lambda logits: (paddle.argmax(logits, axis=1) > 0).astype("int32"),
    "quarter": lambda logits: functional.interpolate(logits, scale_factor=0.25, mode="bilinear"),
}


# What an image goes through first.
QUIRKS: dict[str, Callable[[Any], Any]] = {
    "none": lambda image: image,
    "channels last": lambda image: paddle.transpose(image, [0, 3, 1, 2]),
    "one image": lambda image: image.reshape([1, 3, *paddle.shape(image)[2:]]),
    "224 pixels": lambda image: image + paddle.linspace(0, 1, 224),
    "a branch": lambda image: paddle.static.nn.cond(paddle.shape(image)[2] > 100, lambda: image * 2, lambda: image + 0),
    "the batch": lambda image: image + image.mean(axis=0, keepdim=True),
    "the batch, a little": lambda image: image + 0.01 * image.mean(axis=0, keepdim=True),
    "40 pixels and more": lambda image: image + image[:, :, 39:40, 39:40],
    "200 pixels and more": lambda image: image + image[:, :, 199:200, 199:200],
    "multiples of 64": lambda image: (image.reshape([-1, 64, paddle.shape(image)[3]]) * 2).reshape(paddle.shape(image)),
}


def _channels_last(logits: Any) -> Any:
    """The same, by way of channels that come last, as a linear layer leaves them."""
    return paddle.transpose(paddle.transpose(logits, [0, 2, 3, 1]) * 2, [0, 3, 1, 2])


def _paddlex_2(scores: Any) -> tuple[Any, Any]:
    return paddle.argmax(scores, axis=-1, keepdim=True, dtype="int32").squeeze(-1), scores.max(axis=-1)


class Network(nn.Layer):
    def __init__(self, tiny: Tiny, operation: Callable[[Any], Any]) -> None:
        super().__init__()
        self.tiny, self.operation = tiny, operation

    def forward(self, x: Any) -> Any:
        return self.operation(self.tiny(x))


def resize(**settings: Any) -> tuple[dict[str, Any], ...]:
    return {"type": "Resize", **settings}, NORMALIZE


FIXED = (1, 3, 128, 192)
EXPORTS = {
    "argmax": Export(),
    "float-ids": Export("float ids"),
    "none": Export("none"),
    "softmax": Export("softmax"),
    "both": Export("both"),
    "scores-first": Export("scores first"),
    "paddlex-2": Export("PaddleX 2"),
    "auxiliary": Export("auxiliary"),
    "scores-and-ids": Export("scores and ids"),
    "quarter": Export("quarter"),
    "sigmoid1": Export("sigmoid", 1),
    "none1": Export("none", 1),
    "threshold1": Export("threshold", 1),
    "float-threshold1": Export("float threshold", 1),
    "at-least1": Export("at least", 1),
    "less1": Export("less", 1),
    "clipped1": Export("clipped", 1),
    "argmax1": Export("argmax", 1),
    "softmax1": Export("softmax", 1),
    "multilabel": Export("less", 4),
    "multilabel-scores": Export("sigmoid", 4),
    "one-class": Export(bias=1000.0),
    "one-class-threshold": Export("less", 1, bias=-1000.0),
    "classes-300": Export(classes=300),
    "fixed": Export(shape=FIXED),
    "fixed-resize": Export(
        shape=(None, *FIXED[1:]), transforms=resize(target_size=[192, 128], keep_ratio=False, size_divisor=None)
    ),
    "ratio": Export(transforms=resize(target_size=[512, 512])),
    "stretched": Export(transforms=resize(target_size=[512, 256], keep_ratio=False)),
    "single-resize": Export(shape=FIXED, transforms=resize(target_size=[192, 128], keep_ratio=False, size_divisor=None)),
    "fixed-wrong": Export(shape=FIXED, transforms=resize(target_size=[192, 128])),
    "fixed-padding": Export(
        shape=FIXED,
        stem="model",
        description="deploy.yaml",
        transforms=({"type": "ResizeByLong", "long_size": 128}, {"type": "Padding", "target_size": [192, 128]}, NORMALIZE),
    ),
    "padded": Export(
        stem="model",
        description="deploy.yaml",
        transforms=({"type": "LimitLong", "max_long": 350}, {"type": "Padding", "target_size": [384, 256]}, NORMALIZE),
    ),
    "small-padding": Export(
        stem="model", description="deploy.yaml", transforms=({"type": "Padding", "target_size": [96, 64]}, NORMALIZE)
    ),
    "huge": Export(transforms=resize(target_size=[16384, 16384])),
    "fixed-width": Export(shape=(None, 3, None, 192)),
    "batch1": Export(shape=(1, 3, None, None)),
    "batch4": Export(shape=(4, 3, None, None)),
    "grey": Export(channels=1, shape=(None, 1, None, None)),
    "channels-last": Export(quirk="channels last", shape=(None, None, None, 3)),
    "two-heads": Export("two heads"),
    "ids-and-logits": Export("ids and logits"),
    "threshold-and-scores1": Export("threshold and scores", 1),
    "float-less1": Export("float less", 1),
    "multilabel-enlarged": Export("enlarged sigmoid", 4),
    "ids-above-0": Export("ids above 0"),
    "one-image": Export(quirk="one image"),
    "its-resize-only": Export(quirk="224 pixels", transforms=resize(target_size=[224, 160], keep_ratio=False, size_divisor=None)),
    "mixed-a-little": Export(quirk="the batch, a little"),
    "200-and-more": Export(quirk="200 pixels and more"),
    "limited-64": Export(
        quirk="multiples of 64",
        stem="model",
        description="deploy.yaml",
        transforms=({"type": "LimitLong", "max_long": 512}, NORMALIZE),
    ),
    "paddle-2": Export("Paddle 2"),
    "paddle-2-softmax": Export("Paddle 2 softmax"),
    "late-softmax": Export("late softmax"),
    "mixed": Export(quirk="the batch"),
    "smooth-sigmoid1": Export("smooth sigmoid", 1),
    "log-sigmoid1": Export("log sigmoid", 1),
    "float-of-bool": Export("float of bool"),
    "scores-and-mask": Export("scores and mask"),
    "named-pixels": Export(input_name="pixels"),
    "branched": Export(quirk="a branch"),
    "40-and-more": Export(quirk="40 pixels and more"),
    "infrared": Export(channels=4, shape=(None, 4, None, None)),
    "strict": Export(strict=True),
    "strict-resize": Export(strict=True, transforms=resize(target_size=[160, 160], keep_ratio=True, size_divisor=32)),
    "deploy": Export("none", stem="model", description="deploy.yaml", transforms=resize(target_size=[160, 96])),
    "for-fastdeploy": Export(transforms=resize(target_size=[160, 96])),
    "model-yml": Export(
        stem="model",
        description="model.yml",
        transforms=({"type": "Resize", "target_size": [96, 160]}, {"type": "Normalize", "mean": [0.4] * 3, "std": [0.3] * 3}),
    ),
    "undescribed": Export(description=None),
}


def save(folder: Path, export: Export) -> None:
    """Write the network's files to `folder`."""
    paddle.seed(7)
    tiny = Tiny(export.classes, export.channels, export.strict, QUIRKS[export.quirk])
    with paddle.no_grad():
        tiny.head.bias[0] += export.bias
    network = Network(tiny, OPERATIONS[export.operation])
    network.eval()
    folder.mkdir(parents=True, exist_ok=True)
    spec = [paddle.static.InputSpec(list(export.shape), "float32", export.input_name)]
    paddle.jit.save(paddle.jit.to_static(network, input_spec=spec, full_graph=True), str(folder / export.stem))
    if export.description:
        (folder / export.description).write_text(yaml.safe_dump(export.content()))


def main() -> None:
    out, *names = sys.argv[1:]
    for name in names or EXPORTS:
        save(Path(out) / name, EXPORTS[name])


if __name__ == "__main__":
    main()
