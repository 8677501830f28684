"""Child process: what PaddleX's own processors make of images. Run it in PaddleX's environment.

    python tests/paddlex/processors.py CASES.json OUT_FOLDER

Each case has an image file, the transforms of an inference.yml, and a target_size or null. Case n becomes OUT_FOLDER/n.npz:
`input`, the network's input [3, H, W]; `ids`, random class ids of its size; `map`, these ids brought back to the image's size.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np


def main() -> None:
    cases, out = map(Path, sys.argv[1:])
    os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"  # both are read on import
    os.environ["PADDLE_PDX_CACHE_HOME"] = str(out / "cache")
    from paddlex.inference.common.reader.image_reader import ReadImage
    from paddlex.inference.models.common.vision.processors import ToCHWImage
    from paddlex.inference.models.semantic_segmentation.predictor import SegRunnerPredictor
    from paddlex.inference.models.semantic_segmentation.processors import SegPostProcess

    random = np.random.default_rng(0)
    for number, case in enumerate(json.loads(cases.read_text())):
        steps = {"Resize": SegRunnerPredictor._FUNC_MAP["Resize"](None, target_size=-1)[1]}
        for each in case["transforms"]:
            name, step = SegRunnerPredictor._FUNC_MAP[each.pop("type")](None, **each)
            steps[name] = step
        size = case["target_size"]
        images = ReadImage(format="RGB")(imgs=[case["image"]])
        resized = steps["Resize"](imgs=images, target_size=tuple(size) if isinstance(size, list) else size)
        (made,) = ToCHWImage()(imgs=steps["Normalize"](imgs=resized))
        ids = random.integers(0, 19, (1, *made.shape[1:])).astype(np.int32)
        (label_map,) = SegPostProcess()([ids], images)
        np.savez(out / f"{number}.npz", input=made, ids=ids[0], map=label_map[0])


if __name__ == "__main__":
    main()
