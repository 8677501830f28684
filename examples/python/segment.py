"""Segment an image over REST: python segment.py IMAGE [URL]"""

from __future__ import annotations

import base64
import hashlib
import sys
from pathlib import Path
from typing import Any

import requests


def segment(image: bytes, url: str) -> dict[str, Any]:
    """The service's result: `labelMap`, `size` and `image`."""
    body = {"image": base64.b64encode(image).decode()}
    response = requests.post(f"{url}/semantic-segmentation", json=body, timeout=100)  # s; the service gives up after 60
    try:
        answer = response.json()
        code, message = answer["errorCode"], answer["errorMsg"]
    except (ValueError, KeyError, TypeError):
        sys.exit(f"{url} answered {response.status_code}, but not in the service's format")
    if response.status_code != 200:
        sys.exit(f"{code}: {message}")
    result: dict[str, Any] = answer["result"]
    return result


def save(result: dict[str, Any], name: str) -> None:
    height, width = result["size"]
    labels = bytes(result["labelMap"])  # a class id for each pixel, row by row
    Path(f"{name}_labels.pgm").write_bytes(f"P5 {width} {height} 255\n".encode() + labels)
    Path(f"{name}_picture.jpg").write_bytes(base64.b64decode(result["image"]))
    print(f"{name}_labels.pgm: {width}x{height}, SHA-256 {hashlib.sha256(labels).hexdigest()}")


def main() -> None:
    if len(sys.argv) not in (2, 3):
        print("usage: python segment.py IMAGE [URL]", file=sys.stderr)
        sys.exit(2)
    path = Path(sys.argv[1])
    url = sys.argv[2] if len(sys.argv) == 3 else "http://localhost:8080"
    try:
        save(segment(path.read_bytes(), url), path.stem)
    except requests.RequestException as error:
        sys.exit(f"no answer from {url}: {error}")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")


if __name__ == "__main__":
    main()
