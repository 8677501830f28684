"""PaddleX's semantic segmentation networks: their names, their data sets, and where their archives lie."""

from __future__ import annotations

import difflib
import os

from .errors import WeightsError

DEMO = "PP-LiteSeg-Demo"
DEMO_WEIGHTS = "demo/PP-LiteSeg-Demo"

CITYSCAPES_MODELS = (
    "OCRNet_HRNet-W48",
    "OCRNet_HRNet-W18",
    "PP-LiteSeg-T",
    "PP-LiteSeg-B",
    "Deeplabv3-R50",
    "Deeplabv3-R101",
    "Deeplabv3_Plus-R50",
    "Deeplabv3_Plus-R101",
    "SegFormer-B0",
    "SegFormer-B1",
    "SegFormer-B2",
    "SegFormer-B3",
    "SegFormer-B4",
    "SegFormer-B5",
)
ADE20K_MODELS = ("SeaFormer_tiny", "SeaFormer_small", "SeaFormer_base", "SeaFormer_large")
MODELS = CITYSCAPES_MODELS + ADE20K_MODELS

ARCHIVES = "https://paddle-model-ecology.bj.bcebos.com/paddlex/official_inference_model/paddle3.0.0/{model}_infer.tar"


def plain_name(model: str) -> str:
    """The model's name without "(slice)", which in PaddleX's tables tells how the mIoU was measured."""
    return model.removesuffix("(slice)").rstrip()


def archive_url(model: str) -> str:
    """Address of the official archive, or of its copy on the mirror that `SEMSEG_WEIGHTS_URL` names. Raises WeightsError."""
    if model == DEMO:
        raise WeightsError(f"{DEMO} ships with the project and is not downloaded: pass WEIGHTS={DEMO_WEIGHTS}")
    if model not in MODELS:
        near = difflib.get_close_matches(model, MODELS, n=3, cutoff=0.5) or list(MODELS)
        raise WeightsError(
            f"no network of PaddleX is called {model!r}; near names: {', '.join(near)}."
            " To export weights of your own, pass WEIGHTS= (--weights), a folder, a .tar or a URL"
        )
    pattern = os.environ.get("SEMSEG_WEIGHTS_URL") or ARCHIVES
    if "{model}" not in pattern:
        raise WeightsError(f"SEMSEG_WEIGHTS_URL={pattern} names no {{model}}; write it as in {ARCHIVES}")
    return pattern.replace("{model}", model)
