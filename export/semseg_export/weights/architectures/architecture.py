"""The eighteen networks as Paddle layers, with the parameter names of PaddleX's and PaddleSeg's weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from paddle.nn import Layer

from .. import zoo
from . import deeplab, ocrnet, ppliteseg, seaformer, segformer


@dataclass(frozen=True)
class Architecture:
    """`build(name, classes)` returns a network with random weights; `head` names its last layer, which computes the logits."""

    build: Callable[[str, int], Layer]
    head: str


def architecture(name: str) -> Architecture:
    """Raises WeightsError if `name` is not one of the eighteen."""
    family = zoo.network(name).family
    if family == "PP-LiteSeg":
        return Architecture(ppliteseg.build, "seg_heads.0.conv_out")
    if family == "OCRNet":
        return Architecture(ocrnet.build, "head.cls_head")
    if family == "SegFormer":
        return Architecture(segformer.build, "linear_pred")
    if family == "SeaFormer":
        return Architecture(seaformer.build, "cls_seg")
    plus = name.startswith("Deeplabv3_Plus")
    return Architecture(deeplab.build, "head.decoder.conv" if plus else "head.cls")
