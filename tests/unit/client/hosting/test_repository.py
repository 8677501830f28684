from __future__ import annotations

from pathlib import Path

import pytest

from semseg_client import ServingError
from semseg_client.hosting.repository import exported_models

ENSEMBLE = 'platform: "ensemble" parameters { key: "class_names" value { string_value: "[]" } } a_field_of_a_newer_triton: 1'


def add(repository: Path, name: str, config: str) -> None:
    (repository / name).mkdir()
    (repository / name / "config.pbtxt").write_text(config)


def test_exported_models_are_the_ensembles_that_carry_class_names(tmp_path: Path) -> None:
    add(tmp_path, "B", ENSEMBLE)
    add(tmp_path, "A", ENSEMBLE)
    add(tmp_path, "A_network", 'backend: "onnxruntime"')
    add(tmp_path, "other", 'platform: "ensemble"')
    assert exported_models(tmp_path) == ["A", "B"]


def test_an_empty_repository_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ServingError, match="make export MODEL="):
        exported_models(tmp_path)


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    add(tmp_path, "A", "platform: {")
    with pytest.raises(ServingError, match=r"A/config\.pbtxt"):
        exported_models(tmp_path)
