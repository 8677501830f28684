"""PaddleX's semantic segmentation networks: their data sets, published mIoU, addresses and preparation of pixels.

PaddleX's tutorial lists eighteen; its version 3.7.2 also has MaskFormer_tiny and MaskFormer_small.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from semseg_contract.datasets import ADE20K, CITYSCAPES, DataSet
from semseg_contract.official import OFFICIAL, similar
from semseg_contract.transforms import Size, Step

from ..errors import WeightsError
from .preparation import made

Family = Literal["PP-LiteSeg", "OCRNet", "DeepLab", "SegFormer", "SeaFormer", "MaskFormer"]

DEMO = "PP-LiteSeg-Demo"
DEMO_WEIGHTS = "demo/PP-LiteSeg-Demo"

HOST = "https://paddle-model-ecology.bj.bcebos.com/paddlex"
ARCHIVES = f"{HOST}/official_inference_model/paddle3.0.0/{{model}}_infer.tar"
CHECKPOINTS = f"{HOST}/official_pretrained_model/{{model}}_pretrained.pdparams"

# How the published mIoU was measured. A served model processes each image whole and at its own size, as in the first protocol;
# MaskFormer stretches it, as in the last, which is that of PaddleX's configuration for evaluation.
NATIVE = "2048x1024"
HALVED = "1024x512"
WINDOWS = "1024² windows"  # sliding by 768, logits averaged: PaddleX's "(slice)"
SHORT = "side of 512"  # the shorter one
STRETCHED = "512x512"

SIDE = 512  # pixels; height and width for which PaddleX exports MaskFormer
STRETCH = {"type": "Resize", "target_size": [SIDE, SIDE], "keep_ratio": False, "interp": "LINEAR"}
IMAGENET = {"type": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@dataclass(frozen=True)
class Network:
    """A PaddleX network. `miou` (per cent), `megabytes` (of the archive; None: not published) and `protocol` are PaddleX's."""

    name: str
    family: Family
    data_set: DataSet
    miou: float
    protocol: str
    megabytes: float | None

    @property
    def archive(self) -> str:
        """Address of the inference archive."""
        return ARCHIVES.replace("{model}", self.name)

    @property
    def checkpoint(self) -> str:
        """Address of the trained weights that the archive was exported from."""
        return CHECKPOINTS.replace("{model}", self.name)

    @property
    def transforms(self) -> list[dict[str, Any]]:
        """How PaddleX's own inference.yml prepares pixels."""
        return [STRETCH, IMAGENET] if self.family == "MaskFormer" else [{"type": "Normalize"}]

    def size_for(self, steps: tuple[Step, ...]) -> Size | None:
        """The only size for which the network is built if its pixels are prepared by these steps; None for any size.

        PaddleX exports MaskFormer for one image of 512x512: Paddle cannot make Swin's windows depend on the image.
        """
        if self.family != "MaskFormer":
            return None
        sizes = made(steps)
        return sizes[0] if len(set(sizes)) == 1 else (SIDE, SIDE)


NETWORKS = (
    Network("OCRNet_HRNet-W48", "OCRNet", CITYSCAPES, 82.15, NATIVE, 249.8),
    Network("OCRNet_HRNet-W18", "OCRNet", CITYSCAPES, 80.67, NATIVE, 43.1),
    Network("PP-LiteSeg-T", "PP-LiteSeg", CITYSCAPES, 73.10, HALVED, 28.5),
    Network("PP-LiteSeg-B", "PP-LiteSeg", CITYSCAPES, 75.25, HALVED, 47.0),
    Network("Deeplabv3-R50", "DeepLab", CITYSCAPES, 79.90, NATIVE, 138.3),
    Network("Deeplabv3-R101", "DeepLab", CITYSCAPES, 80.85, NATIVE, 205.9),
    Network("Deeplabv3_Plus-R50", "DeepLab", CITYSCAPES, 80.36, NATIVE, 94.9),
    Network("Deeplabv3_Plus-R101", "DeepLab", CITYSCAPES, 81.10, NATIVE, 162.5),
    Network("SegFormer-B0", "SegFormer", CITYSCAPES, 76.73, WINDOWS, 13.2),
    Network("SegFormer-B1", "SegFormer", CITYSCAPES, 78.35, WINDOWS, 48.5),
    Network("SegFormer-B2", "SegFormer", CITYSCAPES, 81.60, WINDOWS, 96.9),
    Network("SegFormer-B3", "SegFormer", CITYSCAPES, 82.47, WINDOWS, 167.3),
    Network("SegFormer-B4", "SegFormer", CITYSCAPES, 82.38, WINDOWS, 226.7),
    Network("SegFormer-B5", "SegFormer", CITYSCAPES, 82.58, WINDOWS, 229.7),
    Network("SeaFormer_tiny", "SeaFormer", ADE20K, 34.58, SHORT, 6.1),
    Network("SeaFormer_small", "SeaFormer", ADE20K, 38.73, SHORT, 14.3),
    Network("SeaFormer_base", "SeaFormer", ADE20K, 40.92, SHORT, 30.8),
    Network("SeaFormer_large", "SeaFormer", ADE20K, 43.66, SHORT, 49.8),
    Network("MaskFormer_tiny", "MaskFormer", ADE20K, 46.69, STRETCHED, None),
    Network("MaskFormer_small", "MaskFormer", ADE20K, 49.70, STRETCHED, None),
)


def network(model: str) -> Network:
    """The network of that name. Raises WeightsError, suggesting similar names, if PaddleX has none."""
    for entry in NETWORKS:
        if entry.name == model:
            return entry
    near = similar(model, OFFICIAL)
    others = f"did you mean {', '.join(near)}?" if near else f"it has {', '.join(OFFICIAL)}."
    raise WeightsError(
        f"PaddleX has no network {model!r}; {others} To export your own weights, pass a folder, .tar or URL with WEIGHTS="
        " (--weights), or a .pdparams with --architecture"
    )


def data_set(model: str) -> DataSet | None:
    """The data set that `model` was trained on; None if it is not one of PaddleX's."""
    if model == DEMO:
        return CITYSCAPES
    return network(model).data_set if model in OFFICIAL else None


def archive_url(model: str) -> str:
    """Address of the official archive, or of its copy on the mirror in `SEMSEG_WEIGHTS_URL`. Raises WeightsError."""
    if model == DEMO:
        raise WeightsError(f"{DEMO} comes with the project and is not downloaded: pass WEIGHTS={DEMO_WEIGHTS}")
    pattern = os.environ.get("SEMSEG_WEIGHTS_URL") or ARCHIVES
    if "{model}" not in pattern:
        raise WeightsError(f"SEMSEG_WEIGHTS_URL={pattern} has no {{model}} in it; write it like {ARCHIVES}")
    return pattern.replace("{model}", network(model).name)
