"""OCRNet on HRNet: Yuan et al., Segmentation Transformer: Object-Contextual Representations, arXiv 1909.11065."""

from __future__ import annotations

from paddle.nn import Layer
from paddleseg.models import OCRNet
from paddleseg.models.backbones import HRNet_W18, HRNet_W48

BACKBONES = {"OCRNet_HRNet-W18": HRNet_W18, "OCRNet_HRNet-W48": HRNet_W48}


def build(name: str, classes: int) -> Layer:
    network: Layer = OCRNet(classes, BACKBONES[name](), backbone_indices=[0])
    return network
