from __future__ import annotations

from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from semseg_client import ServingError
from semseg_client.hosting.repository import configuration
from semseg_client.hosting.supervision.served_configuration import adjust, instances
from semseg_client.hosting.supervision.served_repository import ServedRepository

ENSEMBLE = """
platform: "ensemble" version_policy { specific { versions: 2 } }
parameters { key: "class_names" value { string_value: "[]" } }
ensemble_scheduling { step { model_name: "draw" } step { model_name: "A_network" } }
"""


@pytest.fixture
def owner(tmp_path: Path) -> Path:
    files = {
        "A/config.pbtxt": ENSEMBLE,
        "A/2/kept": "",
        "A_network/config.pbtxt": 'backend: "onnxruntime" dynamic_batching {} version_policy { specific { versions: 2 } }',
        "A_network/1/model.onnx": "old",
        "A_network/2/model.onnx": "new",
        "draw/config.pbtxt": 'backend: "python"',
        "draw/1/model.py": "x = 1",
        "draw/1/__pycache__/model.pyc": "",
        "other/config.pbtxt": "",
    }
    for name, text in files.items():
        path = tmp_path / "owner" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "owner"


@pytest.fixture
def served(owner: Path, tmp_path: Path) -> ServedRepository:
    (tmp_path / "served").mkdir()
    return ServedRepository(owner, tmp_path / "served", adjust)


def test_a_model_is_served_with_its_steps_and_their_versions_in_use(served: ServedRepository, owner: Path) -> None:
    assert served.add("A") == ["draw", "A_network", "A"]
    assert served.add("A") == []
    assert sorted(path.name for path in served.path.iterdir()) == ["A", "A_network", "draw"]
    assert [path.name for path in (served.path / "A_network").iterdir() if path.is_dir()] == ["2"]
    assert (served.path / "A_network" / "2" / "model.onnx").resolve() == owner / "A_network" / "2" / "model.onnx"
    assert (served.path / "A" / "2").is_dir()


def test_code_is_copied_and_compiled_so_that_nothing_changes_when_it_is_loaded(served: ServedRepository, owner: Path) -> None:
    served.add("A")
    (owner / "draw" / "1" / "model.py").write_text("half of")
    folder = served.path / "draw" / "1"
    assert (folder / "model.py").read_text() == "x = 1"
    assert [path.name.partition(".")[0] for path in (folder / "__pycache__").iterdir()] == ["model"]


def test_each_renewal_has_a_revision_of_its_own_and_can_be_taken_back(served: ServedRepository, owner: Path) -> None:
    served.add("A")
    first = served.revisions["A_network"]
    (owner / "A_network" / "config.pbtxt").write_text('backend: "onnxruntime" max_batch_size: 3')
    second = served.renew("A_network")
    assert first != second
    assert configuration(served.path, "A_network").parameters["revision"].string_value == second
    assert configuration(served.path, "A_network").max_batch_size == 3
    served.restore("A_network")
    assert configuration(served.path, "A_network").max_batch_size == 0
    assert served.revisions["A_network"] == first
    for _ in range(5):
        served.renew("A_network")
    assert len(list((served.path.parent / "copies" / "A_network").iterdir())) == 2


def test_a_configuration_that_cannot_be_read_changes_nothing(served: ServedRepository, owner: Path) -> None:
    served.add("A")
    before = served.revisions
    (owner / "draw" / "config.pbtxt").write_text("{")
    with pytest.raises(ServingError, match=r"draw/config.pbtxt"):
        served.renew("draw")
    assert served.revisions == before


def test_a_duplicate_is_what_is_served_under_a_new_revision(served: ServedRepository, owner: Path) -> None:
    served.add("A")
    for name in ("draw", "A_network"):
        (owner / name / "config.pbtxt").write_text("half an exp")
    (owner / "draw" / "1" / "model.py").write_text("half")
    for name in ("draw", "draw", "A_network"):
        before, revision = served.config(name), served.duplicate(name)
        before.parameters["revision"].string_value = revision
        assert configuration(served.path, name) == served.config(name) == before
    assert (served.path / "draw" / "1" / "model.py").read_text() == "x = 1"
    assert (served.path / "A_network" / "2" / "model.onnx").resolve() == owner / "A_network" / "2" / "model.onnx"


def test_a_duplicate_keeps_fields_of_a_newer_triton(served: ServedRepository, owner: Path) -> None:
    (owner / "draw" / "config.pbtxt").write_text('backend: "python" a_field_of_a_newer_triton: 1')
    served.renew("draw")
    served.duplicate("draw")
    text = (served.path / "draw" / "config.pbtxt").read_text()
    assert ("a_field_of_a_newer_triton: 1" in text, text.count("revision")) == (True, 1)


def test_a_model_of_which_one_step_cannot_be_read_is_not_served_at_all(served: ServedRepository, owner: Path) -> None:
    (owner / "A_network" / "config.pbtxt").write_text("{")
    with pytest.raises(ServingError, match="A_network"):
        served.add("A")
    assert (served.revisions, list(served.path.iterdir())) == ({}, [])


def test_a_copy_that_fails_halfway_leaves_nothing_and_the_next_one_works(
    served: ServedRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    served.add("A")
    before = served.revisions
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", lambda *_: (_ for _ in ()).throw(OSError("no room")))
        with pytest.raises(OSError, match="no room"):
            served.renew("draw")
    assert served.revisions == before
    assert before["draw"] in [path.name for path in (served.path.parent / "copies" / "draw").iterdir() if path.name != "link"]
    assert served.renew("draw") == str(served.path.joinpath("draw").resolve().name)


def test_what_was_not_served_before_is_removed_when_it_is_taken_back(served: ServedRepository) -> None:
    served.renew("draw")
    served.restore("draw")
    assert (served.revisions, list(served.path.iterdir())) == ({}, [])


def test_fields_of_a_newer_triton_are_kept(served: ServedRepository, owner: Path) -> None:
    (owner / "draw" / "config.pbtxt").write_text('backend: "python" a_field_of_a_newer_triton: 1')
    revision = served.renew("draw")
    text = (served.path / "draw" / "config.pbtxt").read_text()
    assert "a_field_of_a_newer_triton: 1" in text
    assert configuration(served.path, "draw").parameters["revision"].string_value == revision


@pytest.mark.parametrize(
    ("groups", "count"), [("", 1), ("{ count: 3 }", 3), ("{ count: 2 gpus: [0, 1] }, { kind: KIND_CPU }", 5)]
)
def test_instances_are_counted_as_triton_makes_them(groups: str, count: int) -> None:
    assert instances(text_format.Parse(f"instance_group [ {groups} ]", ModelConfig())) == count
