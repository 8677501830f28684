"""The twenty networks as Paddle layers, with the parameter names of PaddleX's and PaddleSeg's weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from paddle.nn import Layer

from .. import zoo
from . import deeplab, maskformer, ocrnet, ppliteseg, seaformer, segformer


@dataclass(frozen=True)
class Architecture:
    """`build(name, classes)` returns a network with random weights; `head` names the layer that tells classes apart.

    The head is a convolution with an output for each class. MaskFormer's is a linear layer with one output more: no class.
    """

    build: Callable[[str, int], Layer]
    head: str
    linear: bool = False

    def classes(self, shape: Sequence[int]) -> int:
        """The number of classes, from the shape of the head's weight."""
        return shape[-1] - 1 if self.linear else shape[0]


def architecture(name: str) -> Architecture:
    """Raises WeightsError if `name` is not one of the twenty."""
    family = zoo.network(name).family
    if family == "PP-LiteSeg":
        return Architecture(ppliteseg.build, "seg_heads.0.conv_out")
    if family == "OCRNet":
        return Architecture(ocrnet.build, "head.cls_head")
    if family == "SegFormer":
        return Architecture(segformer.build, "linear_pred")
    if family == "SeaFormer":
        return Architecture(seaformer.build, "cls_seg")
    if family == "MaskFormer":
        return Architecture(maskformer.build, "seghead.predictor.class_embed", linear=True)
    plus = name.startswith("Deeplabv3_Plus")
    return Architecture(deeplab.build, "head.decoder.conv" if plus else "head.cls")
