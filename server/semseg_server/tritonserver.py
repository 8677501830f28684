"""The `tritonserver` command: passes every flag through, and adds what the bundle needs and what keeps strangers out."""

from __future__ import annotations

import os
import sys
from itertools import pairwise

from semseg_server.bundle import Bundle, BundleError

# Nobody needs to call these APIs. We make Triton require a header for them that cannot be sent: in HTTP, a line end ends a
# header's name, and HTTP/2 forbids capital letters in it. semseg_client.hosting.supervision.triton_process does the same.
CLOSED = "shared-memory,trace,logging"
KEYS = {"--http-restricted-api": "\nclosed=1", "--grpc-restricted-protocol": "CLOSED=1"}
ADDRESSES = {"--http-address": "127.0.0.1", "--grpc-address": "127.0.0.1", "--metrics-address": "127.0.0.1"}


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
    # Replace this process, so that signals reach the server itself.
    os.execve(bundle.binary, command, environment)  # noqa: S606 - no shell is needed


def additions(arguments: list[str], bundle: Bundle) -> list[str]:
    """The flags that a server outside NVIDIA's image needs and those that keep strangers out, unless the caller sets them."""
    given = {argument.split("=")[0] for argument in arguments}
    if given & {"--help", "-h"}:
        return []
    backends = [] if "--backend-directory" in given else [f"--backend-directory={bundle.backends()}"]
    guards = [f"{flag}={value}" for flag, value in ADDRESSES.items() if flag not in given]
    return [*backends, *restrictions(arguments), *guards]


def restrictions(arguments: list[str]) -> list[str]:
    """Close the APIs that the caller does not restrict: Triton combines the flags but accepts each API in only one of them."""
    flags = []
    for flag, key in KEYS.items():
        theirs = {api.strip() for value in values(arguments, flag) for api in value.partition(":")[0].split(",")}
        if ours := [api for api in CLOSED.split(",") if api not in theirs]:
            flags.append(f"{flag}={','.join(ours)}:{key}")
    return flags


def values(arguments: list[str], flag: str) -> list[str]:
    """The values that the caller gives a flag, as `--flag value` or `--flag=value`."""
    apart = [value for each, value in pairwise(arguments) if each == flag]
    return apart + [each.partition("=")[2] for each in arguments if each.startswith(f"{flag}=")]


def warnings(arguments: list[str]) -> list[str]:
    """Warnings about what the caller's flags let anyone who reaches the ports do."""
    told = []
    if "explicit" in (argument.rpartition("=")[2] for argument in arguments):
        told.append("--model-control-mode=explicit lets anyone who reaches the ports load models, and so run code of their own")
    return told


def unhonoured(arguments: list[str]) -> list[str]:
    """Notes on settings for the C++ ONNX Runtime backend, which Triton does not pass to the Python one that replaces it."""
    return [
        f"--backend-config={value} is not honoured: this server runs ONNX models on its own backend. "
        "Set it in the model's config.pbtxt instead."
        for value in values(arguments, "--backend-config")
        if value.startswith(("onnxruntime,", "default-max-batch-size"))
    ]
