"""Reads and writes config.pbtxt files through Triton's own messages, never through text templates."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig


class UnreadableConfig(Exception):
    """A config.pbtxt does not exist or cannot be parsed; the message names it."""


def read(file: Path, *, allow_unknown: bool = False) -> ModelConfig:
    """The configuration in a file.

    An unknown field is an error unless allowed, because writing the configuration back would lose it. Raises UnreadableConfig.
    """
    try:
        return text_format.Parse(file.read_text(encoding="utf-8"), ModelConfig(), allow_unknown_field=allow_unknown)
    except (OSError, ValueError, text_format.ParseError) as error:
        raise UnreadableConfig(f"{file}: {error}") from error


def text(config: ModelConfig) -> bytes:
    """The content of a config.pbtxt file."""
    return str(text_format.MessageToString(config, as_utf8=True)).encode()


def is_segmentation(config: ModelConfig) -> bool:
    """Whether this is an ensemble that clients can call."""
    return config.platform == "ensemble" and "class_names" in config.parameters
