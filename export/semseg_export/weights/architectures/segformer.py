"""SegFormer: Xie et al., SegFormer: Simple and Efficient Design for Semantic Segmentation with Transformers, arXiv 2105.15203."""

from __future__ import annotations

from paddle.nn import Layer
from paddleseg.models import SegFormer
from paddleseg.models.backbones import mix_transformer


def build(name: str, classes: int) -> Layer:
    size = name.removeprefix("SegFormer-")
    backbone = getattr(mix_transformer, f"MixVisionTransformer_{size}")()
    network: Layer = SegFormer(classes, backbone, embedding_dim=256 if size in ("B0", "B1") else 768)
    return network
