"""Segments an image with a client generated from the OpenAPI document, and prints the SHA-256 of the label map.

python segment.py FOLDER_OF_THE_CLIENT URL IMAGE
"""

from __future__ import annotations

import base64
import hashlib
import importlib
import sys
from pathlib import Path


def main(folder: str, url: str, image: str) -> None:
    sys.path.insert(0, str(Path(folder).parent))
    name = Path(folder).name
    client = importlib.import_module(name).Client(base_url=url, timeout=60, httpx_args={"trust_env": False})
    infer = importlib.import_module(f"{name}.api.default.infer")
    models = importlib.import_module(f"{name}.models")
    body = models.InferJsonSegmentationRequest(image=base64.b64encode(Path(image).read_bytes()).decode(), log_id="mine")
    answer = infer.sync(client=client, body=body)
    if answer.log_id != "mine":
        sys.exit(f"the answer belongs to another request: {answer.log_id}")
    print(hashlib.sha256(bytes(answer.result.label_map)).hexdigest())


if __name__ == "__main__":
    main(*sys.argv[1:])
