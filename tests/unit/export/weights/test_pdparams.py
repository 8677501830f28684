from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import paddle
import pytest
import yaml
from paddleseg.models import SegFormer
from paddleseg.models.backbones import MixVisionTransformer_B0

from semseg_contract.transforms import Preparation, Resize, ToFloat
from semseg_export.errors import DescriptionError, WeightsError
from semseg_export.weights import checkpoint, download, locate, pdparams, zoo
from semseg_export.weights.architectures import architecture
from semseg_export.weights.archive import Archive, read_archive
from semseg_export.weights.normalisation import Normalisation
from semseg_export.weights.preparation import Described
from semseg_export.workers import reference
from tests.unit.export.archive_server import ArchiveServer
from tests.unit.export.silent import Silent

NAME = "SeaFormer_tiny"


def network(classes: int = 5) -> paddle.nn.Layer:
    paddle.seed(0)
    built = architecture(NAME).build(NAME, classes)
    built.eval()
    return built


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights fine-tuned for five classes."""
    saved = tmp_path_factory.mktemp("training") / "model.pdparams"
    paddle.save(network().state_dict(), str(saved))
    return saved


IMAGENET = {"type": "Normalize", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}


def test_an_archive_answers_as_the_trained_network(file: Path, tmp_path: Path) -> None:
    (file.parent / "inference.yml").write_text(yaml.safe_dump({"Deploy": {"transforms": [IMAGENET]}}))
    found = locate.find("roads", str(file), tmp_path, Silent(), NAME)
    assert (found.source, found.sha256) == ("model.pdparams", locate.sha256(file))
    assert found.archive.normalisation.beta == pytest.approx((-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 65, 97, 3), np.uint8)
    with paddle.no_grad():
        logits = network()(paddle.to_tensor(found.archive.normalisation.apply(pixels)))[0].numpy()
    ids, _ = reference.predictor(found.archive, tmp_path)(pixels)
    paddle.disable_static()
    margin = np.sort(logits, axis=1)
    clear = margin[:, -1] - margin[:, -2] > 1e-4
    assert clear.mean() > 0.9
    assert (ids == logits.argmax(axis=1))[clear].all()


def test_a_training_configuration_means_paddlesegs_transforms(file: Path, tmp_path: Path) -> None:
    """PaddleSeg's Resize keeps no ratio, rounds to no multiple, and computes in float32."""
    weights = Path(shutil.copy(file, tmp_path))
    transforms = [{"type": "Resize", "target_size": [512, 512]}, IMAGENET]
    write(tmp_path, {"roads.yml": {"val_dataset": {"transforms": transforms}}})
    steps = locate.find("roads", str(weights), tmp_path / "work", Silent(), NAME).archive.steps
    assert steps == (ToFloat(), Resize((512, 512), False, None))
    assert Preparation(steps).size(1024, 512) == (512, 512)


SEGFORMER: dict[str, Any] = {
    "type": "SegFormer",
    "backbone": {"type": "MixVisionTransformer_B0", "pretrained": "https://nowhere/weights.pdparams"},
    "embedding_dim": 256,
    "num_classes": 19,
}


@pytest.fixture(scope="module")
def segformer(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, paddle.nn.Layer]:
    """Weights of five classes, and a network with the same weights that upsamples with aligned corners."""
    paddle.seed(0)
    aligned = SegFormer(5, MixVisionTransformer_B0(), 256, align_corners=True)
    aligned.eval()
    saved = tmp_path_factory.mktemp("segformer") / "model.pdparams"
    paddle.save(aligned.state_dict(), str(saved))
    return saved, aligned


def test_the_network_is_built_as_its_training_configuration_says(segformer: tuple[Path, paddle.nn.Layer], tmp_path: Path) -> None:
    file, aligned = segformer
    weights = Path(shutil.copy(file, tmp_path))
    settings = {**SEGFORMER, "align_corners": True}
    write(tmp_path, {"roads.yml": {"val_dataset": {"transforms": [HALF]}, "model": settings}})
    archive = locate.find("roads", str(weights), tmp_path / "work", Silent(), "SegFormer-B0").archive
    pixels = np.random.default_rng(0).integers(0, 256, (1, 64, 96, 3), np.uint8)
    with paddle.no_grad():
        logits = aligned(paddle.to_tensor(archive.normalisation.apply(pixels)))[0].numpy()
    ids, _ = reference.predictor(archive, tmp_path)(pixels)
    paddle.disable_static()
    assert np.mean(ids == logits.argmax(axis=1)) > 0.999  # of PaddleX's own network, 0.8


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"type": "BiSeNetV2"}, "describes the network BiSeNetV2, but these are to be the weights of SegFormer: name the right"),
        ({**SEGFORMER, "heads": 3}, "PaddleSeg cannot build the network of the training configuration: .*'heads'"),
    ],
)
def test_a_configuration_of_another_network_is_refused(
    segformer: tuple[Path, paddle.nn.Layer], tmp_path: Path, settings: dict[str, Any], told: str
) -> None:
    weights = Path(shutil.copy(segformer[0], tmp_path))
    write(tmp_path, {"roads.yml": {"val_dataset": {"transforms": [HALF]}, "model": settings}})
    with pytest.raises(WeightsError, match=told):
        locate.find("roads", str(weights), tmp_path / "work", Silent(), "SegFormer-B0")


def test_weights_that_do_not_fit_are_refused_by_their_names(file: Path, tmp_path: Path) -> None:
    values = checkpoint.read(file)
    values["extra.weight"] = values.pop("linear_fuse._conv.weight")
    values["cls_seg.bias"] = np.zeros(7, np.float32)
    paddle.save(values, str(tmp_path / "model.pdparams"))
    with pytest.raises(WeightsError) as failure:
        locate.find(NAME, str(tmp_path / "model.pdparams"), tmp_path, Silent())
    assert str(failure.value).startswith(
        "the weights do not fit SeaFormer_tiny: 1 missing: linear_fuse._conv.weight;"
        " 1 unexpected: extra.weight; 1 with the wrong shape: cls_seg.bias [7] (not [5])"
    )


def test_weights_from_an_address_that_carry_code_do_not_run_it(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trap = tmp_path / "trap"
    server.content = f"cos\nsystem\n(S'touch {trap}'\ntR.".encode()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    with pytest.raises(WeightsError, match=r"_pretrained\.pdparams was refused: it wants to run os\.system"):
        locate.find(NAME, f"{server.url}/{NAME}_pretrained.pdparams?signature=1", tmp_path, Silent())
    assert not trap.exists()
    assert not list((tmp_path / "cache").glob("*.pdparams"))


def test_the_architecture_must_be_one_of_paddlexs(file: Path, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"PaddleX has no network 'roads'.*--architecture"):
        locate.find("roads", str(file), tmp_path, Silent())


def test_maskformer_is_built_for_one_image_of_the_size_that_it_was_trained_for(tmp_path: Path) -> None:
    """The file also holds indices, and its head counts "no class"."""
    paddle.save(architecture("MaskFormer_tiny").build("MaskFormer_tiny", 3).state_dict(), str(tmp_path / "model.pdparams"))
    resize = {"type": "Resize", "target_size": [96, 64], "keep_ratio": False}
    write(tmp_path, {"inference.yml": {"Deploy": {"transforms": [resize, IMAGENET]}}})
    found = locate.find("roads", str(tmp_path / "model.pdparams"), tmp_path / "workspace", Silent(), "MaskFormer_tiny")
    assert found.archive.steps == (Resize((96, 64), keep_ratio=False),)
    assert input_and_logits(found.archive) == ([1, 3, 64, 96], [1, 3, 64, 96])


def input_and_logits(archive: Archive) -> tuple[list[int], list[int]]:
    """The shapes of a program's input and of what its argmax reads."""
    program = paddle.jit.load(str(archive.program.with_suffix(""))).program()
    data, argmax = (
        next(each for each in program.global_block().ops if each.name() == f"pd_op.{kind}") for kind in ("data", "argmax")
    )
    return data.result(0).shape, argmax.operand_source(0).shape


def test_what_cannot_be_served_is_refused_before_the_network_is_built(file: Path, tmp_path: Path) -> None:
    (tmp_path / "model.pdparams").symlink_to(file)
    write(tmp_path, {"inference.yml": {"Deploy": {"transforms": [{"type": "RandomCrop", "crop_size": 512}]}}})
    with pytest.raises(DescriptionError, match="lists RandomCrop"):
        pdparams.to_archive(tmp_path / "model.pdparams", tmp_path / "inference.yml", NAME, tmp_path / "archive")
    assert not (tmp_path / "archive" / "inference.json").exists()


def test_without_a_description_pixels_are_prepared_as_paddlex_does_for_that_network() -> None:
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    stretched = Described(Normalisation.of(mean, std), (Resize((512, 512), keep_ratio=False),))
    assert pdparams.read(None, zoo.network("MaskFormer_small")) == stretched


def write(folder: Path, files: dict[str, object]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(content if isinstance(content, str) else yaml.safe_dump(content))


HALF = {"type": "Normalize"}
MIDDLE = (0.5, 0.5, 0.5)
PLAIN: dict[str, object] = {"inference.yml": {"Deploy": {"transforms": [IMAGENET]}}}
DUMPED = {"val_dataset": {"transforms": [IMAGENET], "mode": "val"}, "iters": 1000}  # as PaddleX's training writes it


@pytest.mark.parametrize(
    ("files", "found", "transforms"),
    [
        ({}, None, [HALF]),
        ({"compose.yml": {"services": {}}}, None, [HALF]),
        (PLAIN, "inference.yml", [IMAGENET]),
        (
            {
                "roads.yml": {"_base_": "cityscapes.yml", "batch_size": 4, "val_dataset": {"num_classes": 5}},
                "cityscapes.yml": {"_base_": "./all.yml", "val_dataset": {"transforms": [IMAGENET]}},
                "all.yml": {"val_dataset": {"transforms": [], "mode": "val"}},
            },
            "roads.yml",
            [IMAGENET],
        ),
        (
            {
                "roads.yml": {"_base_": ["a.yml", "b.yml"]},
                "a.yml": {"val_dataset": {"transforms": [IMAGENET]}},
                "b.yml": {"val_dataset": {"transforms": []}},
            },
            "roads.yml",
            [IMAGENET],
        ),
        ({"roads.yml": {"_base_": ["a.yml"]}, "a.yml": '{"val_dataset": {"transforms": []}}'}, "roads.yml", []),
        (
            {
                "roads.yml": {"_base_": "other.yml", "val_dataset": {"_inherited_": False, "transforms": []}},
                "other.yml": {"val_dataset": {"transforms": [IMAGENET]}},
            },
            "roads.yml",
            [],
        ),
        (
            {"training.yaml": {"val_dataset": {"transforms": [IMAGENET]}}, "compose.yml": {"services": {}}},
            "training.yaml",
            [IMAGENET],
        ),
        ({"training.yml": {"val_dataset": {"transforms": []}}, **PLAIN}, "inference.yml", [IMAGENET]),
        ({"inference/inference.yml": PLAIN["inference.yml"], "../config.yaml": {"val_dataset": {}}}, "inference.yml", [IMAGENET]),
        ({"training.yml": DUMPED, "inference/inference.yml": {"Deploy": {"transforms": []}}}, "training.yml", [IMAGENET]),
        ({"../config.yaml": DUMPED}, "config.yaml", [IMAGENET]),
        ({"../config.yaml": {"Global": {"model": NAME}}}, None, [HALF]),  # the one that PaddleX itself is run with
        ({"../other.yaml": DUMPED}, None, [HALF]),
    ],
)
def test_a_file_beside_the_weights_or_where_paddlex_keeps_it_tells_how_pixels_are_prepared(
    tmp_path: Path, files: dict[str, object], found: str | None, transforms: list[dict[str, list[float]]]
) -> None:
    """Its notes name it, and not another."""
    folder = tmp_path / "best_model"
    folder.mkdir()
    write(folder, files)
    file = pdparams.description_of(folder / "model.pdparams")
    assert (file and file.name) == found
    described = pdparams.read(file, zoo.network(NAME))
    wanted = [Normalisation.of(tuple(each.get("mean", MIDDLE)), tuple(each.get("std", MIDDLE))) for each in transforms]
    assert described.normalisation == (wanted[0] if wanted else Normalisation())
    assert described.notes == (() if transforms else (f"{found} lists no Normalize: the network gets values from 0 to 255",))


def test_a_training_yaml_means_what_paddleseg_means(tmp_path: Path) -> None:
    write(tmp_path, {"roads.yml": {"val_dataset": {"transforms": [{"type": "Resize", "target_size": [160, 96]}, HALF]}}})
    file = pdparams.description_of(tmp_path / "model.pdparams")
    assert pdparams.read(file, zoo.network(NAME)).steps == (ToFloat(), Resize((160, 96), False, None))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network is not built: that takes long."""
    monkeypatch.setattr(pdparams, "run_module", lambda *_: None)


@pytest.mark.usefixtures("built")
def test_weights_alone_are_warned_of_unless_they_are_paddlexs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "model.pdparams").touch()
    alone = locate.find("roads", str(tmp_path / "model.pdparams"), tmp_path / "work", Silent(), NAME)
    assert alone.described_by is None
    [note] = alone.archive.notes
    assert "found no inference.yml, deploy.yaml, model.yml or training YAML beside model.pdparams" in note
    assert "(inference/inference.yml, or config.yaml two folders above)" in note
    assert f"pixels are prepared as for PaddleX's own {NAME}" in note
    monkeypatch.setattr(download, "fetch", lambda *_: (tmp_path / "model.pdparams", "abc"))
    assert locate.find(NAME, zoo.network(NAME).checkpoint, tmp_path / "work", Silent()).archive.notes == ()
    [note] = locate.find(NAME, "https://host/roads.pdparams", tmp_path / "work", Silent()).archive.notes
    assert "beside https://host/roads.pdparams" in note


@pytest.mark.usefixtures("built")
def test_files_beside_a_download_are_not_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, {**PLAIN, "classes.txt": "road\n", "abc-model.pdparams": ""})
    monkeypatch.setattr(download, "fetch", lambda *_: (tmp_path / "abc-model.pdparams", "abc"))
    found = locate.find(NAME, "https://host/model.pdparams", tmp_path / "work", Silent())
    assert (found.described_by, found.archive.classes) == (None, None)


@pytest.mark.usefixtures("built")
def test_classes_txt_beside_the_weights_names_the_classes(tmp_path: Path) -> None:
    write(tmp_path, {**PLAIN, "classes.txt": "road\n", "model.pdparams": ""})
    found = locate.find(NAME, str(tmp_path / "model.pdparams"), tmp_path / "work", Silent())
    assert found.archive.classes == tmp_path / "classes.txt"
    assert (found.described_by, found.archive.described_by) == ("inference.yml", tmp_path / "inference.yml")


@pytest.mark.usefixtures("built")
def test_the_archive_is_read_again_with_the_same_normalisation(tmp_path: Path) -> None:
    """The process that runs Paddle does so."""
    write(tmp_path, {**PLAIN, "model.pdparams": ""})
    found = locate.find(NAME, str(tmp_path / "model.pdparams"), tmp_path / "work", Silent())
    for suffix in (".json", ".pdiparams"):
        found.archive.program.with_suffix(suffix).touch()
    again = read_archive(found.archive.program.parent)
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    assert (again.normalisation.apply(pixels) == found.archive.normalisation.apply(pixels)).all()


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        ({"a.yml": "val_dataset:", "b.yaml": "val_dataset:"}, r"holds a\.yml and b\.yaml: keep only the one"),
        ({"a.yml": "val_dataset: ["}, r"a\.yml is not valid YAML"),
        ({"a.yml": "_base_: ../nowhere.yml"}, r"a\.yml is based on .*/nowhere\.yml, which does not exist: create it"),
        ({"a.yml": "_base_: a.yml\nval_dataset: {}"}, r"a\.yml inherits from itself: correct its _base_"),
        (
            {"a.yml": {"_base_": "b.yml", "val_dataset": {"_inherited_": False}}, "b.yml": "val_dataset: {transforms: []}"},
            "a.yml has no",
        ),
        ({"a.yml": "val_dataset: 1"}, r"a\.yml has no transforms under val_dataset, which"),
        ({"inference.yml": "Deploy: 1"}, r"inference\.yml has no list of transforms under Deploy"),
    ],
)
def test_a_configuration_that_tells_nothing_is_refused(tmp_path: Path, files: dict[str, object], complaint: str) -> None:
    write(tmp_path, files)
    with pytest.raises(DescriptionError, match=complaint):
        pdparams.read(pdparams.description_of(tmp_path / "model.pdparams"), zoo.network(NAME))


def test_without_paddleseg_it_is_asked_for(file: Path, tmp_path: Path) -> None:
    # Importing a module that is None in sys.modules fails as if it were not installed.
    program = f"""
import sys
sys.modules["paddleseg"] = None
from pathlib import Path
from semseg_export.weights.pdparams import to_archive
to_archive(Path({str(file)!r}), None, {NAME!r}, Path({str(tmp_path)!r}))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "pip install --no-deps paddleseg==2.8.0" in done.stderr
