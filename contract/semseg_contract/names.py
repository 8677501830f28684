"""Names of models and of their files."""

from __future__ import annotations

import re

PREPROCESS, POSTPROCESS, DRAW = "preprocess", "postprocess", "draw"
SHARED = (PREPROCESS, POSTPROCESS, DRAW)  # one of each serves all models

CONFIG = "config.pbtxt"
ANY_DEVICE = "model.onnx"
CPU_ONLY = "model_cpu.onnx"  # must not run on a GPU: docs/contract.md explains why
TAIL = "tail.onnx"  # the end of model_cpu.onnx, for engines that run only what comes before it

ONNXRUNTIME, ENGINES = "onnxruntime", "engines"  # backends; the second runs the network on the engine that its parameter names
ENGINE = "engine"

_NETWORK, _OWN_PREPROCESS = "_network", "_preprocess"
_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def network_of(model: str) -> str:
    """The entry that holds the network of a model."""
    return f"{model}{_NETWORK}"


def preprocess_of(model: str) -> str:
    """The entry that prepares images for a model with a preparation of its own."""
    return f"{model}{_OWN_PREPROCESS}"


def model_of(network: str) -> str:
    """The model that an entry with a network belongs to."""
    return network.removesuffix(_NETWORK)


def check_name(model: str) -> None:
    """Raises ValueError, which says what to write instead, if a model may not have this name."""
    if not _PATTERN.fullmatch(model):
        raise ValueError(f"{model!r} is not a valid model name: use letters, digits, '.', '_' and '-', a letter or digit first")
    if model.endswith((_NETWORK, _OWN_PREPROCESS)) or model in SHARED:
        raise ValueError(
            f"{model!r} is not a valid model name: {', '.join(SHARED)}, *{_NETWORK} and *{_OWN_PREPROCESS} are reserved"
        )


def plain_name(model: str) -> str:
    """The model's name without "(slice)", which PaddleX's tables add to show how the mIoU was measured."""
    return model.removesuffix("(slice)").rstrip()
