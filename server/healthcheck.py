"""Check that every segmentation model of the tritonserver on this machine answers a real inference; exit code 1 if one does not.

Triton reports ready even when one of its Python processes has died. For a container's health check, this needs only the
standard library.

    python3 healthcheck.py [http://localhost:8000]
"""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

TIMEOUT = 10  # s, for each call
# A grey PNG of 32x32 pixels.
IMAGE = b64decode("iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAAAAABWESUoAAAAFklEQVR4nGNoIAAYRhWMKhhVMFIVAABCAAAfNUt+NwAAAABJRU5ErkJggg==")


def main() -> None:
    url = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8000"
    try:
        names = [entry["name"] for entry in json.loads(ask(f"{url}/v2/repository/index", b"{}"))]
        models = [name for name in names if "class_names" in json.loads(ask(f"{url}/v2/models/{name}/config"))["parameters"]]
        for model in models:
            # Triton's binary form: the body is the only tensor.
            ask(f"{url}/v2/models/{model}/infer", IMAGE, {"Inference-Header-Content-Length": "0"})
    except (URLError, OSError, ValueError, KeyError) as error:
        sys.exit(f"not healthy: {error}")
    if not models:
        sys.exit("not healthy: no segmentation model is served")
    print(f"healthy: {', '.join(models)}")


def ask(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
    with build_opener(ProxyHandler({})).open(Request(url, body, headers or {}), timeout=TIMEOUT) as answer:  # noqa: S310 - http
        return answer.read()


if __name__ == "__main__":
    main()
