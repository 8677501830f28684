"""MaskFormer on Swin: Cheng et al., Per-Pixel Classification is Not All You Need for Semantic Segmentation, arXiv 2107.06278.

It takes one image at a time: for a batch, PaddleSeg's network answers only for the last image.
"""

from __future__ import annotations

from paddle.nn import Layer
from paddleseg.models import MaskFormer
from paddleseg.models.backbones import swin_transformer


def build(name: str, classes: int) -> Layer:
    size = name.removeprefix("MaskFormer_")
    backbone = getattr(swin_transformer, f"SwinTransformer_{size}_patch4_window7_224_maskformer")()
    network: Layer = MaskFormer(classes, backbone)
    return network
