"""PP-LiteSeg: Peng et al., PP-LiteSeg: A Superior Real-Time Semantic Segmentation Model, arXiv 2204.02681."""

from __future__ import annotations

from paddle.nn import Layer
from paddleseg.models import PPLiteSeg
from paddleseg.models.backbones import STDC1, STDC2


def build(name: str, classes: int) -> Layer:
    network: Layer
    if name == "PP-LiteSeg-T":
        network = PPLiteSeg(classes, STDC1(), arm_out_chs=[32, 64, 128], seg_head_inter_chs=[32, 64, 64])
    else:
        network = PPLiteSeg(classes, STDC2())
    return network
