"""DeepLabV3 and V3+ on ResNet-vd: Chen et al., arXiv 1706.05587 and 1802.02611."""

from __future__ import annotations

from paddle.nn import Layer
from paddleseg.models import DeepLabV3, DeepLabV3P
from paddleseg.models.backbones import ResNet50_vd, ResNet101_vd

DILATIONS = (1, 12, 24, 36)


def build(name: str, classes: int) -> Layer:
    resnet = ResNet50_vd if name.endswith("-R50") else ResNet101_vd
    backbone = resnet(output_stride=8, multi_grid=[1, 2, 4])
    network: Layer
    if name.startswith("Deeplabv3_Plus"):
        network = DeepLabV3P(classes, backbone, backbone_indices=[0, 3], aspp_ratios=DILATIONS, aspp_out_channels=256)
    else:
        network = DeepLabV3(classes, backbone, backbone_indices=[3], aspp_ratios=DILATIONS, aspp_out_channels=256)
    return network
