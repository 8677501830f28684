from __future__ import annotations

import json
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as triton

from semseg_contract.record import Memory, ModelRecord
from semseg_contract.transforms import Preparation, Resize
from semseg_export.errors import RepositoryError
from semseg_export.install.configuration import BATCHING
from semseg_export.install.repository import Versions, check_name, install, prune, serve, versions
from tests.support import ROOT

RECORD = ModelRecord(
    class_names=("road", 'a "wall"', "Straße"),
    palette=((128, 0, 0), (0, 128, 0), (128, 128, 0)),
    max_pixels=8 * 2**20,
    memory=Memory([[1, 2e8], [2, 3e8]], 0),
    source="net.tar",
    source_sha256="ab" * 32,
    converter="paddle2onnx 2.1.0",
    exported_at="2026-01-02T03:04:05+00:00",
    agreement=0.99999,
    comparison=[{"batch": 1, "height": 256, "width": 512, "differing": 1, "margin": None}],
    precision="fp32",
)
RESIZED = replace(RECORD, preparation=Preparation((Resize((512, 512)),)))


def config(entry: Path) -> triton.ModelConfig:
    return text_format.Parse((entry / "config.pbtxt").read_text(encoding="utf-8"), triton.ModelConfig())


def files(folder: Path) -> set[str]:
    return {str(file.relative_to(folder)) for file in folder.rglob("*") if file.is_file()}


def test_a_first_export_installs_network_and_ensemble(tmp_path: Path) -> None:
    repository = tmp_path / "model_repository"
    assert install(repository, "net", {"model.onnx": b"onnx"}, RECORD) == 1
    assert files(tmp_path) == {
        "model_repository/net/config.pbtxt",
        "model_repository/net/1/config.pbtxt",
        "model_repository/net_network/config.pbtxt",
        "model_repository/net_network/1/model.onnx",
    }
    assert [entry.name for entry in tmp_path.iterdir()] == ["model_repository"]


def test_the_network_batches_pixels_of_any_size(tmp_path: Path) -> None:
    install(tmp_path / "r", "net", {"model.onnx": b"onnx"}, RECORD)
    network = config(tmp_path / "r" / "net_network")
    assert (network.name, network.backend, network.max_batch_size) == ("net_network", "onnxruntime", 8)
    inputs = [("pixels", triton.TYPE_UINT8, [-1, -1, 3]), ("lane", triton.TYPE_INT8, [-1])]
    assert [(t.name, t.data_type, list(t.dims)) for t in network.input] == inputs
    assert [(t.name, t.data_type, list(t.dims)) for t in network.output] == [("ids", triton.TYPE_UINT8, [-1, -1])]
    assert network.dynamic_batching == BATCHING
    assert [group.count for group in network.instance_group] == [1]
    assert network.instance_group[0].kind == triton.ModelInstanceGroup.KIND_CPU


def test_the_ensemble_joins_the_steps_by_the_names_of_the_contract(tmp_path: Path) -> None:
    install(tmp_path / "r", "net", {"model.onnx": b"onnx"}, RECORD)
    ensemble = config(tmp_path / "r" / "net")
    assert (ensemble.name, ensemble.platform, ensemble.max_batch_size) == ("net", "ensemble", 8)
    steps = [(s.model_name, s.model_version, dict(s.input_map), dict(s.output_map)) for s in ensemble.ensemble_scheduling.step]
    given = {"ids": "ids", "source_size": "source_size"}
    assert steps == [
        ("preprocess", -1, {"image": "image"}, {"pixels_8mp": "pixels", "source_size": "source_size", "lane": "lane"}),
        ("net_network", -1, {"pixels": "pixels", "lane": "lane"}, {"ids": "ids"}),
        ("postprocess", -1, given, {"label_map": "label_map"}),
        ("draw", -1, given, {"picture": "picture"}),
    ]


def test_the_ensemble_tells_names_colours_and_origin(tmp_path: Path) -> None:
    install(tmp_path / "r", "net", {"model.onnx": b"onnx"}, RECORD)
    told = {key: value.string_value for key, value in config(tmp_path / "r" / "net").parameters.items()}
    assert json.loads(told.pop("class_names")) == list(RECORD.class_names)
    assert json.loads(told.pop("palette")) == [[128, 0, 0], [0, 128, 0], [128, 128, 0]]
    assert json.loads(told.pop("comparison")) == RECORD.comparison
    assert json.loads(told.pop("memory")) == {"peaks": [[1, 2e8], [2, 3e8]], "square": 0}
    assert told == {
        "max_pixels": str(8 * 1024 * 1024),
        "source": "net.tar",
        "source_sha256": "ab" * 32,
        "converter": "paddle2onnx 2.1.0",
        "exported_at": "2026-01-02T03:04:05+00:00",
        "agreement": "0.999990",
        "precision": "fp32",
    }


def test_a_later_export_adds_a_version_and_has_it_served(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    install(repository, "net", {"model.onnx": b"first"}, RECORD)
    (repository / "net_network" / "7").mkdir()
    assert install(repository, "net", {"model.onnx": b"second"}, replace(RECORD, source="second.tar")) == 8
    assert (repository / "net_network" / "1" / "model.onnx").read_bytes() == b"first"
    assert (repository / "net_network" / "8" / "model.onnx").read_bytes() == b"second"
    assert config(repository / "net").parameters["source"].string_value == "second.tar"
    assert [list(config(repository / name).version_policy.specific.versions) for name in ("net", "net_network")] == [[8], [8]]
    assert versions(repository, "net") == Versions(8, (1, 8))
    assert [entry.name for entry in tmp_path.iterdir()] == ["r"]


def test_what_its_owner_set_stays_when_a_version_is_added(tmp_path: Path) -> None:
    install(tmp_path, "net", {"model.onnx": b"first"}, RECORD)
    owned = config(tmp_path / "net_network")
    owned.instance_group[0].count = 3
    owned.parameters["intra_op_thread_count"].string_value = "1"
    (tmp_path / "net_network" / "config.pbtxt").write_text(text_format.MessageToString(owned))
    install(tmp_path, "net", {"model.onnx": b"second"}, RECORD)
    owned.version_policy.specific.versions[:] = [2]
    assert config(tmp_path / "net_network") == owned


@pytest.mark.parametrize(
    ("owned", "kept"),
    [
        (triton.ModelDynamicBatching(), BATCHING),  # written by earlier exports
        (triton.ModelDynamicBatching(preserve_ordering=True), triton.ModelDynamicBatching(preserve_ordering=True)),
        (None, None),
    ],
)
def test_how_requests_are_joined_stays_if_its_owner_has_set_it(
    tmp_path: Path, owned: triton.ModelDynamicBatching | None, kept: triton.ModelDynamicBatching | None
) -> None:
    install(tmp_path, "net", {"model.onnx": b"first"}, RECORD)
    network = config(tmp_path / "net_network")
    network.ClearField("dynamic_batching")
    if owned is not None:
        network.dynamic_batching.CopyFrom(owned)
    (tmp_path / "net_network" / "config.pbtxt").write_text(text_format.MessageToString(network))
    install(tmp_path, "net", {"model.onnx": b"second"}, RECORD)
    network = config(tmp_path / "net_network")
    assert (network.dynamic_batching if network.HasField("dynamic_batching") else None) == kept


@pytest.mark.parametrize(("owned", "kept"), [(None, "0"), ("1", "1")])
def test_onnxruntime_keeps_no_memory_for_each_shape_unless_the_owner_wants_it(
    tmp_path: Path, owned: str | None, kept: str
) -> None:
    install(tmp_path, "net", {"model.onnx": b"first"}, RECORD)
    network = config(tmp_path / "net_network")
    assert network.parameters["enable_mem_pattern"].string_value == "0"
    network.parameters.clear()  # earlier exports wrote none
    if owned is not None:
        network.parameters["enable_mem_pattern"].string_value = owned
    (tmp_path / "net_network" / "config.pbtxt").write_text(text_format.MessageToString(network))
    install(tmp_path, "net", {"model.onnx": b"second"}, RECORD)
    assert config(tmp_path / "net_network").parameters["enable_mem_pattern"].string_value == kept


def test_an_older_version_comes_back_with_all_that_is_its_own(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "model_repository" / "preprocess", tmp_path / "preprocess")
    install(tmp_path, "net", {"model.onnx": b"first"}, RESIZED)
    smaller = replace(RESIZED, source="second.tar", preparation=Preparation((Resize((256, 256)),)))
    install(tmp_path, "net", {"model.onnx": b"second"}, smaller)
    install(tmp_path, "net", {"model.onnx": b"third"}, replace(RECORD, source="third.tar"))

    def served() -> tuple[str, str, Preparation]:
        ensemble, preprocess = config(tmp_path / "net"), config(tmp_path / "net_preprocess")
        first = ensemble.ensemble_scheduling.step[0].model_name
        preparation = Preparation.read(preprocess.parameters["preparation"].string_value)
        return ensemble.parameters["source"].string_value, first, preparation

    assert served()[:2] == ("third.tar", "preprocess")
    serve(tmp_path, "net", 1)
    assert served() == ("net.tar", "net_preprocess", RESIZED.preparation)
    serve(tmp_path, "net", 2)
    assert served() == ("second.tar", "net_preprocess", smaller.preparation)
    assert list(config(tmp_path / "net_preprocess").version_policy.specific.versions) == [2]


@pytest.mark.parametrize("told", ['{"steps": []}', '{"steps": [], "fixed": [1], "divisor": 1}', "[]", "{"])
def test_an_older_version_with_an_unreadable_preparation_changes_nothing(tmp_path: Path, told: str) -> None:
    install(tmp_path, "net", {"model.onnx": b"first"}, RECORD)
    older = config(tmp_path / "net" / "1")
    older.parameters["preparation"].string_value = told
    (tmp_path / "net" / "1" / "config.pbtxt").write_text(text_format.MessageToString(older))
    install(tmp_path, "net", {"model.onnx": b"second"}, RECORD)
    with pytest.raises(RepositoryError, match=r"net: the parameter preparation of this version cannot be read .*: export"):
        serve(tmp_path, "net", 1)
    assert versions(tmp_path, "net") == Versions(2, (1, 2))


def test_a_version_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    install(tmp_path, "net", {"model.onnx": b"first"}, RECORD)
    before = files(tmp_path)
    with pytest.raises(RepositoryError, match=r"net has no version 2 in .*; available: 1"):
        serve(tmp_path, "net", 2)
    with pytest.raises(RepositoryError, match=r"other is not in .*; export it: make export MODEL=other"):
        serve(tmp_path, "other", 1)
    assert files(tmp_path) == before


def test_pruning_leaves_the_served_version_alone(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "model_repository" / "preprocess", tmp_path / "preprocess")
    for origin in (RESIZED, RECORD, RESIZED):
        install(tmp_path, "net", {"model.onnx": b"onnx"}, origin)
    serve(tmp_path, "net", 2)
    assert prune(tmp_path, "net") == (1, 3)
    assert versions(tmp_path, "net") == Versions(2, (2,))
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["net", "net_network", "preprocess"]
    assert prune(tmp_path, "net") == ()
    assert install(tmp_path, "net", {"model.onnx": b"onnx"}, RECORD) == 3


@pytest.mark.parametrize("replaced", [1, 2])
def test_a_change_that_was_killed_half_way_is_told_and_can_be_finished(tmp_path: Path, replaced: int) -> None:
    shutil.copytree(ROOT / "model_repository" / "preprocess", tmp_path / "preprocess")
    for _ in range(2):
        install(tmp_path, "net", {"model.onnx": b"onnx"}, RESIZED)
    older = {name: (tmp_path / name / "config.pbtxt").read_bytes() for name in ("net_network", "net_preprocess")}
    serve(tmp_path, "net", 1)
    for name in list(older)[:replaced]:
        (tmp_path / name / "config.pbtxt").write_bytes(older[name])
    for refused in (versions, prune):
        with pytest.raises(
            RepositoryError, match=r"net in .* was only partly changed: make rollback MODEL=net VERSION=... \(available: 1, 2\)"
        ):
            refused(tmp_path, "net")
    serve(tmp_path, "net", 2)
    assert versions(tmp_path, "net") == Versions(2, (1, 2))


def test_what_a_killed_export_left_goes_with_the_next_change(tmp_path: Path) -> None:
    install(tmp_path / "r", "net", {"model.onnx": b"onnx"}, RECORD)
    (tmp_path / "r" / "net_network" / "2").mkdir()
    (tmp_path / ".r-staging-abc" / "net").mkdir(parents=True)
    (tmp_path / ".r-backup").mkdir()
    assert install(tmp_path / "r", "net", {"model.onnx": b"onnx"}, RECORD) == 3
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".r-backup", "r"]
    assert prune(tmp_path / "r", "net") == (1, 2)
    assert files(tmp_path / "r" / "net_network") == {"config.pbtxt", "3/model.onnx"}


def test_exports_of_one_model_at_the_same_time_get_versions_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        numbers = list(pool.map(lambda _: install(tmp_path, "net", {"model.onnx": b"onnx"}, RECORD), range(8)))
    assert sorted(numbers) == list(range(1, 9))
    assert versions(tmp_path, "net").present == tuple(range(1, 9))


def test_entries_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "r" / "preprocess" / "1").mkdir(parents=True)
    install(tmp_path / "r", "net", {"model.onnx": b"onnx"}, RECORD)
    assert sorted(entry.name for entry in (tmp_path / "r").iterdir()) == ["net", "net_network", "preprocess"]


def test_a_repository_that_cannot_take_it_stays_as_it_was(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    repository.mkdir()
    (repository / "net_network").touch()
    with pytest.raises(RepositoryError, match="cannot install net into"):
        install(repository, "net", {"model.onnx": b"onnx"}, RECORD)
    assert list(tmp_path.rglob("*")) == [repository, repository / "net_network"]


def test_without_the_shared_preprocess_nothing_of_a_resizing_network_is_installed(tmp_path: Path) -> None:
    repository = tmp_path / "r"
    with pytest.raises(RepositoryError, match=r"there is no .*preprocess/config.pbtxt"):
        install(repository, "net", {"model.onnx": b"onnx"}, RESIZED)
    assert files(tmp_path) == set()


def test_a_name_that_the_contract_forbids_is_refused() -> None:
    with pytest.raises(RepositoryError, match="is not a valid model name"):
        check_name("net_network")
