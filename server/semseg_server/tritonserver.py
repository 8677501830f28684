"""The `tritonserver` command: every flag goes through; only what the bundle needs is added."""

from __future__ import annotations

import os
import sys
from itertools import pairwise

from semseg_server.bundle import Bundle, BundleError


def main() -> None:
    arguments = sys.argv[1:]
    for note in unhonoured(arguments):
        print(f"tritonserver: {note}", file=sys.stderr)
    try:
        bundle = Bundle.find()
        command = [str(bundle.binary), *arguments, *additions(arguments, bundle)]
        environment = bundle.environment()
    except BundleError as error:
        sys.exit(f"tritonserver: {error}")
    # One process: signals reach the server itself.
    os.execve(bundle.binary, command, environment)  # noqa: S606 - there is no shell to do without


def additions(arguments: list[str], bundle: Bundle) -> list[str]:
    """The flags that a server outside NVIDIA's image needs and the caller did not give."""
    if any(argument.split("=")[0] in ("--backend-directory", "--help") for argument in arguments):
        return []
    return [f"--backend-directory={bundle.backends()}"]


def unhonoured(arguments: list[str]) -> list[str]:
    """What the caller asked of the C++ ONNX Runtime backend that the Python one in its place is never told by Triton."""
    values = [value for flag, value in pairwise(arguments) if flag == "--backend-config"]
    values += [argument.partition("=")[2] for argument in arguments if argument.startswith("--backend-config=")]
    return [
        f"--backend-config={value} is not honoured: this server runs ONNX models on its own backend. "
        "Set it in the model's config.pbtxt instead."
        for value in values
        if value.startswith(("onnxruntime,", "default-max-batch-size"))
    ]
