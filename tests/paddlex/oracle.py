"""Child process: PaddleX's own answers. Run it in PaddleX's environment; it needs nothing from this project.

    python tests/paddlex/oracle.py ARCHIVE RUN_MODE OUT_FOLDER REQUEST...

ARCHIVE is the folder of an exported PP-LiteSeg-T. RUN_MODE is "default" for PaddleX's default (with oneDNN), or one of PaddleX's
modes, such as "paddle" (without). A request is an image file, optionally with @ and a target size: a.png, a.png@256,
a.png@384,640. Its map, [H, W], goes to OUT_FOLDER under the request's file name plus .npy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np


def target_size(text: str) -> int | tuple[int, ...] | None:
    sides = tuple(int(side) for side in text.split(",") if side)
    return sides if len(sides) > 1 else sides[0] if sides else None


def main() -> None:
    archive, run_mode, out, *requests = sys.argv[1:]
    # Read on import. Without them, PaddleX searches the network for the nearest model host and makes folders in the user's home.
    os.environ["PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK"] = "True"
    os.environ["PADDLE_PDX_CACHE_HOME"] = str(Path(out, "cache"))
    from paddlex import create_model

    settings = {} if run_mode == "default" else {"engine_config": {"run_mode": run_mode}}
    network = create_model("PP-LiteSeg-T", model_dir=archive, device="cpu", **settings)
    for request in requests:
        image, _, size = request.partition("@")
        (result,) = network.predict(image, target_size=target_size(size))
        np.save(Path(out) / f"{Path(request).name}.npy", result["pred"][0])


if __name__ == "__main__":
    main()
