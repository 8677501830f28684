from __future__ import annotations

import json
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from semseg_export.errors import RepositoryError
from semseg_export.repository import Origin, check_name, install
from semseg_export.resize import Resize

ORIGIN = Origin(
    class_names=["road", 'a "wall"', "Straße"],
    palette=[[128, 0, 0], [0, 128, 0], [128, 128, 0]],
    source="net.tar",
    source_sha256="ab" * 32,
    converter="paddle2onnx 2.1.0",
    exported_at="2026-01-02T03:04:05+00:00",
    agreement=0.99999,
)


def config(entry: Path) -> triton.ModelConfig:
    return text_format.Parse((entry / "config.pbtxt").read_text(encoding="utf-8"), triton.ModelConfig())


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_first_export_installs_network_and_ensemble(tmp_path: Path) -> None:
    repository = tmp_path / "model_repository"
    assert install(repository, "net", b"onnx", ORIGIN) == 1
    assert files(tmp_path) == {
        "model_repository/net/config.pbtxt",
        "model_repository/net/1/.gitkeep",
        "model_repository/net_network/config.pbtxt",
        "model_repository/net_network/1/model.onnx",
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["model_repository"]


def test_the_network_batches_pixels_of_any_size(tmp_path: Path) -> None:
    install(tmp_path / "r", "net", b"onnx", ORIGIN)
    network = config(tmp_path / "r" / "net_network")
    assert (network.name, network.backend, network.max_batch_size) == ("net_network", "onnxruntime", 8)
    assert [(t.name, t.data_type, list(t.dims)) for t in network.input] == [("pixels", triton.TYPE_UINT8, [-1, -1, 3])]
    assert [(t.name, t.data_type, list(t.dims)) for t in network.output] == [("ids", triton.TYPE_UINT8, [-1, -1])]
    assert network.HasField("dynamic_batching")
    assert [group.count for group in network.instance_group] == [1]
    assert network.instance_group[0].kind == triton.ModelInstanceGroup.KIND_AUTO


def test_the_ensemble_joins_the_steps_by_the_names_of_the_contract(tmp_path: Path) -> None:
    install(tmp_path / "r", "net", b"onnx", ORIGIN)
    ensemble = config(tmp_path / "r" / "net")
    assert (ensemble.name, ensemble.platform, ensemble.max_batch_size) == ("net", "ensemble", 8)
    steps = [(s.model_name, s.model_version, dict(s.input_map), dict(s.output_map)) for s in ensemble.ensemble_scheduling.step]
    given = {"ids": "ids", "source_size": "source_size"}
    assert steps == [
        ("preprocess", -1, {"image": "image"}, {"pixels": "pixels", "source_size": "source_size"}),
        ("net_network", -1, {"pixels": "pixels"}, {"ids": "ids"}),
        ("postprocess", -1, given, {"label_map": "label_map"}),
        ("draw", -1, given, {"picture": "picture"}),
    ]


def test_the_ensemble_tells_names_colours_and_origin(tmp_path: Path) -> None:
    install(tmp_path / "r", "net", b"onnx", ORIGIN)
    told = {key: value.string_value for key, value in config(tmp_path / "r" / "net").parameters.items()}
    assert json.loads(told.pop("class_names")) == ORIGIN.class_names
    assert json.loads(told.pop("palette")) == ORIGIN.palette
    assert told == {
        "source": "net.tar",
        "source_sha256": "ab" * 32,
        "converter": "paddle2onnx 2.1.0",
        "exported_at": "2026-01-02T03:04:05+00:00",
        "agreement": "0.999990",
    }


def test_a_later_export_adds_a_version(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    install(repository, "net", b"first", ORIGIN)
    (repository / "net_network" / "7").mkdir()
    second = Origin(**{**vars(ORIGIN), "source": "second.tar"})
    assert install(repository, "net", b"second", second) == 8
    assert (repository / "net_network" / "1" / "model.onnx").read_bytes() == b"first"
    assert (repository / "net_network" / "8" / "model.onnx").read_bytes() == b"second"
    assert config(repository / "net").parameters["source"].string_value == "second.tar"
    assert [entry.name for entry in tmp_path.iterdir()] == ["r"]


def test_entries_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "r" / "preprocess" / "1").mkdir(parents=True)
    install(tmp_path / "r", "net", b"onnx", ORIGIN)
    assert sorted(entry.name for entry in (tmp_path / "r").iterdir()) == ["net", "net_network", "preprocess"]


def test_a_repository_that_cannot_take_it_stays_as_it_was(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    repository.mkdir()
    (repository / "net_network").touch()
    with pytest.raises(RepositoryError, match="cannot install net into"):
        install(repository, "net", b"onnx", ORIGIN)
    assert list(tmp_path.rglob("*")) == [repository, repository / "net_network"]


def test_without_the_shared_preprocess_nothing_of_a_resizing_network_is_installed(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    with pytest.raises(RepositoryError, match=r"there is no .*preprocess/config.pbtxt"):
        install(repository, "net", b"onnx", ORIGIN, Resize((512, 512)))
    assert files(tmp_path) == set()


@pytest.mark.parametrize("name", ["PP-LiteSeg-T", "Deeplabv3_Plus-R50", "7.b"])
def test_names_of_the_contract_are_taken(name: str) -> None:
    check_name(name)


@pytest.mark.parametrize("name", ["", "-net", "a b", "../net", "net_network", "preprocess", "postprocess", "draw", "net\n"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(RepositoryError, match="cannot name a model"):
        check_name(name)
