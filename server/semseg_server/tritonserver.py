"""The `tritonserver` command: every flag goes through. What the bundle needs is added, and what keeps strangers out."""

from __future__ import annotations

import os
import sys
from itertools import pairwise

from semseg_server.bundle import Bundle, BundleError

# Nobody has to call these. Triton asks callers for a header, and these two cannot be sent: HTTP ends a header's name at the end
# of the line, and HTTP/2 forbids capital letters in one. semseg_client.triton_process has the same.
CLOSED = "shared-memory,trace,logging"
GUARDS = {
    "--http-restricted-api": f"{CLOSED}:\nclosed=1",
    "--grpc-restricted-protocol": f"{CLOSED}:CLOSED=1",
    "--http-address": "127.0.0.1",
    "--grpc-address": "127.0.0.1",
    "--metrics-address": "127.0.0.1",
}


def main() -> None:
    arguments = sys.argv[1:]
    for note in (*unhonoured(arguments), *warnings(arguments)):
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
    """The flags that a server outside NVIDIA's image needs, and those that keep strangers out, as far as the caller gave none."""
    given = {argument.split("=")[0] for argument in arguments}
    if given & {"--help", "-h"}:
        return []
    backends = [] if "--backend-directory" in given else [f"--backend-directory={bundle.backends()}"]
    return [*backends, *(f"{flag}={value}" for flag, value in GUARDS.items() if flag not in given)]


def warnings(arguments: list[str]) -> list[str]:
    """What a stranger who reaches the ports could do, as the caller has it."""
    told = []
    if "explicit" in (argument.rpartition("=")[2] for argument in arguments):
        told.append("--model-control-mode=explicit lets whoever reaches the ports load models, and so run code of their own")
    return told


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
