from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from semseg_client import ServingError
from semseg_client.hosting.repository import add_shared_models, check_exported, exported_models
from semseg_contract.lock import staging

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


def test_an_empty_repository_has_no_models(tmp_path: Path) -> None:
    assert exported_models(tmp_path) == exported_models(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("pp-liteseg-t", r"did you mean PP-LiteSeg-T, or "),
        ("PP LiteSeg B", r"did you mean PP-LiteSeg-B, or "),
        ("Roads", r"did you mean roads\?"),
        ("yolo", r"models has roads; PaddleX's networks are OCRNet.*_small\. To export your own weights: semseg export NAME "),
        ("..", r"PaddleX's; .*models has roads; PaddleX's networks are "),
        ("a\x01b", r"'a\\x01b' is neither .*; PaddleX's networks are "),
        ("mine", r"did you mean \./mine for the weights in that folder\?"),
        ("a" * 300, "File name too long"),
        ("roads_network", r"roads_network in .*models is a part of models, not one itself; the models there: roads$"),
        ("PP-LiteSeg-T-int8", r"make it: semseg export PP-LiteSeg-T --precision int8 --calibration FOLDER"),
        ("PP-LiteSeg-T-fp16", r"make it: semseg export PP-LiteSeg-T --precision fp16 --device gpu$"),
        ("roads-int8", r"did you mean roads\?"),
    ],
)
def test_a_missing_model_is_told_with_what_may_have_been_meant(
    name: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    repository = tmp_path / "models"
    repository.mkdir()
    add(repository, "roads", ENSEMBLE)
    add(repository, "roads_network", 'backend: "onnxruntime"')
    (tmp_path / "mine").mkdir()
    check_exported(repository, "roads")
    with pytest.raises(ServingError, match=told):
        check_exported(repository, name)


def test_shared_models_that_another_process_has_just_added_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models = tmp_path / "models"
    models.mkdir()

    @contextmanager
    def slow(repository: Path) -> Iterator[Path]:
        """Another process comes first."""
        monkeypatch.undo()
        add_shared_models(repository)
        with staging(repository) as folder:
            yield folder

    monkeypatch.setattr("semseg_client.hosting.repository.staging", slow)
    add_shared_models(models)
    assert {entry.name for entry in models.iterdir()} == {"preprocess", "postprocess", "draw"}


def test_a_damaged_config_is_named(tmp_path: Path) -> None:
    add(tmp_path, "A", "platform: {")
    with pytest.raises(ServingError, match=r"A/config\.pbtxt"):
        exported_models(tmp_path)
