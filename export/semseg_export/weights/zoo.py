"""PaddleX's semantic segmentation networks: their data sets, published mIoU, addresses and preparation of pixels.

PaddleX's tutorial lists eighteen; its version 3.7.2 also has MaskFormer_tiny and MaskFormer_small.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal

from semseg_contract.datasets import ADE20K, CITYSCAPES, DataSet
from semseg_contract.official import OFFICIAL, PUBLISHED, Published, similar
from semseg_contract.transforms import Size, Step

from ..errors import WeightsError
from .preparation import made

Family = Literal["PP-LiteSeg", "OCRNet", "DeepLab", "SegFormer", "SeaFormer", "MaskFormer"]

DEMO = "PP-LiteSeg-Demo"
DEMO_WEIGHTS = "demo/PP-LiteSeg-Demo"

HOST = "https://paddle-model-ecology.bj.bcebos.com/paddlex"
ARCHIVES = f"{HOST}/official_inference_model/paddle3.0.0/{{model}}_infer.tar"
CHECKPOINTS = f"{HOST}/official_pretrained_model/{{model}}_pretrained.pdparams"

SIDE = 512  # pixels; height and width for which PaddleX exports MaskFormer
STRETCH = {"type": "Resize", "target_size": [SIDE, SIDE], "keep_ratio": False, "interp": "LINEAR"}
IMAGENET = {"type": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


@dataclass(frozen=True)
class Network:
    """A PaddleX network. `megabytes` is the size of its archive; None: not published."""

    name: str
    family: Family
    data_set: DataSet
    megabytes: float | None

    @property
    def published(self) -> Published:
        """PaddleX's figure."""
        return PUBLISHED[self.name]

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
    Network("OCRNet_HRNet-W48", "OCRNet", CITYSCAPES, 249.8),
    Network("OCRNet_HRNet-W18", "OCRNet", CITYSCAPES, 43.1),
    Network("PP-LiteSeg-T", "PP-LiteSeg", CITYSCAPES, 28.5),
    Network("PP-LiteSeg-B", "PP-LiteSeg", CITYSCAPES, 47.0),
    Network("Deeplabv3-R50", "DeepLab", CITYSCAPES, 138.3),
    Network("Deeplabv3-R101", "DeepLab", CITYSCAPES, 205.9),
    Network("Deeplabv3_Plus-R50", "DeepLab", CITYSCAPES, 94.9),
    Network("Deeplabv3_Plus-R101", "DeepLab", CITYSCAPES, 162.5),
    Network("SegFormer-B0", "SegFormer", CITYSCAPES, 13.2),
    Network("SegFormer-B1", "SegFormer", CITYSCAPES, 48.5),
    Network("SegFormer-B2", "SegFormer", CITYSCAPES, 96.9),
    Network("SegFormer-B3", "SegFormer", CITYSCAPES, 167.3),
    Network("SegFormer-B4", "SegFormer", CITYSCAPES, 226.7),
    Network("SegFormer-B5", "SegFormer", CITYSCAPES, 229.7),
    Network("SeaFormer_tiny", "SeaFormer", ADE20K, 6.1),
    Network("SeaFormer_small", "SeaFormer", ADE20K, 14.3),
    Network("SeaFormer_base", "SeaFormer", ADE20K, 30.8),
    Network("SeaFormer_large", "SeaFormer", ADE20K, 49.8),
    Network("MaskFormer_tiny", "MaskFormer", ADE20K, None),
    Network("MaskFormer_small", "MaskFormer", ADE20K, None),
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
