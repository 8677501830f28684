"""What a model repository holds, as far as a server's owner must know."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from .conversation import is_segmentation
from .errors import ServingError


def exported_models(repository: Path) -> list[str]:
    """The names of the models in a repository that clients can call.

    Raises:
        ServingError: there is none, or a config.pbtxt cannot be read.
    """
    entries = [path.parent.name for path in sorted(repository.glob("*/config.pbtxt"))]
    models = [name for name in entries if is_segmentation(configuration(repository, name))]
    if not models:
        raise ServingError(f"no model in {repository}; export one: make export MODEL=PP-LiteSeg-T")
    return models


def plain_name(model: str) -> str:
    """The model's name without "(slice)", which in PaddleX's tables tells how the mIoU was measured."""
    return model.removesuffix("(slice)").rstrip()


def configuration(repository: Path, name: str) -> ModelConfig:
    """The configuration of one entry of a repository.

    Raises:
        ServingError: it is not there, or cannot be read.
    """
    path = repository / name / "config.pbtxt"
    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), ModelConfig(), allow_unknown_field=True)
    except (OSError, ValueError, text_format.ParseError) as error:
        raise ServingError(f"{path}: {error}") from None
