"""Exports of every kind that people bring: each is served rightly, or refused with what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import pytest

from semseg_contract.transforms import Padding, Preparation, Resize, ResizeByLong, ToFloat
from semseg_export.errors import ExportError
from semseg_export.install import configuration
from semseg_export.synthetic_images import smooth_pixels
from tests.exports import LABELS
from tests.support import ROOT
from tests.unit.export.exported import Run

FIXED = (192, 128)


@pytest.mark.parametrize("name", ["none", "softmax", "float-ids", "paddle-2", "paddle-2-softmax"])
def test_ids_and_scores_of_any_form_are_taken_and_laid_out_for_the_cpu(run: Run, name: str) -> None:
    found = run(name)
    assert len(found.record.class_names) == 5
    assert found.agreement >= 0.9999
    assert max(found.classes) >= 3
    assert found.network.default_model_filename == "model_cpu.onnx"  # the softmax would be in its way
    assert found.told == ""


@pytest.mark.parametrize(
    "name", ["both", "scores-first", "paddlex-2", "auxiliary", "two-heads", "ids-and-logits", "scores-and-mask"]
)
def test_of_several_tensors_the_ids_are_taken_or_else_the_first(run: Run, name: str) -> None:
    found = run(name)
    assert found.agreement >= 0.9999
    assert found.network.default_model_filename == "model_cpu.onnx"
    assert "is taken, the rest is dropped" in found.told


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sigmoid1", "a score above 0.5 means class 1"),
        ("none1", "a score above 0 means class 1"),
        ("threshold1", ""),
        ("float-threshold1", ""),
        ("at-least1", ""),
        ("less1", ""),
        ("float-less1", ""),
        ("smooth-sigmoid1", "a score above 0.5 means class 1"),
        ("threshold-and-scores1", "is taken, the rest is dropped"),
    ],
)
def test_one_channel_becomes_two_classes(run: Run, name: str, told: str) -> None:
    found = run(name)
    assert len(found.record.class_names) == 2
    assert found.agreement >= 0.9999
    assert found.classes == {2}
    assert told in found.told


def test_the_threshold_on_one_channel_can_be_chosen(run: Run) -> None:
    found = run("clipped1", threshold=0.6)
    assert "above 0.6 means" in found.told
    assert found.agreement >= 0.9999
    assert found.classes == {2}


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("huge", {}, r"inference\.yml must take an image of 32x32, .*: Resize makes 16384x16384 of 32x32, over"),
        ("argmax1", {}, "an argmax over one channel always gives class 0: export it again with --output_op none"),
        ("softmax1", {}, "a softmax over one channel always gives 1: export it again with --output_op none"),
        ("clipped1", {}, r"are never negative but come from no sigmoid: say with THRESHOLD= \(--threshold\)"),
        ("threshold1", {"threshold": 0.7}, r"has its own threshold, 0\.5: leave THRESHOLD= \(--threshold\) out"),
        ("argmax", {"threshold": 0.5}, r"has 5 classes: THRESHOLD= \(--threshold\) is for networks of one channel"),
        ("multilabel", {}, "is multi-label: each of its 4 channels says yes or no"),
        ("multilabel-scores", {}, "is multi-label: each of its 4 channels says yes or no"),
        ("scores-and-ids", {}, r"returns .* \(float\), .* \(int32\), .* \(int32\): nobody can tell which has the class ids"),
        ("quarter", {}, r"scores for a 128x128 image have shape \[1, 5, 32, 32\], not one per class and pixel"),
        ("classes-300", {}, "has 300 classes, more than the 256 that fit in uint8"),
        ("grey", {}, "takes images of 1 channels .*: only networks of three channels, red, green and blue, are served"),
        ("infrared", {}, "takes images of 4 channels .*: only networks of three channels, red, green and blue, are served"),
        ("batch4", {}, "takes exactly 4 images at once: export it again for one, or for any number"),
        ("fixed-width", {}, "export it again with both height and width fixed, or with neither"),
        ("fixed-wrong", {}, r"takes only 192x128, but inference\.yml makes other sizes, such as .*keep_ratio: false"),
        (
            "undescribed",
            {},
            r"has no inference\.yml, deploy\.yaml or model\.yml, .* add inference\.yml",
        ),
        ("log-sigmoid1", {}, r"are never positive but come from no sigmoid: say with THRESHOLD= \(--threshold\)"),
        ("float-of-bool", {}, "has one channel, whose scores are never negative but come from no sigmoid"),
        ("sigmoid1", {"threshold": 5}, r"come from a sigmoid: THRESHOLD= \(--threshold\) must be between 0 and 1, not 5"),
        ("multilabel-enlarged", {}, "is multi-label: each of its 4 channels says yes or no"),
        ("ids-above-0", {}, "class ids come from int64 numbers that are no scores: export it again with --output_op none"),
        ("channels-last", {}, r"images of \[None, None, None, 3\], the channels last: export it again with the channels first"),
    ],
)
def test_what_cannot_be_served_is_refused_with_what_to_do(run: Run, name: str, settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ExportError, match=told):
        run(name, **settings)


def test_the_lines_for_a_missing_description_are_shown(run: Run) -> None:
    with pytest.raises(ExportError) as refused:
        run("undescribed")
    assert refused.value.detail.startswith("Deploy:\n  transforms:\n  - type: Normalize")


@pytest.mark.parametrize("name", ["one-class", "one-class-threshold"])
def test_a_single_class_everywhere_is_told(run: Run, name: str) -> None:
    found = run(name)
    assert found.classes == {1}
    assert "Paddle sees a single class in every image of the comparison, so only the logits prove" in found.told


def test_the_users_own_images_are_compared_too(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    for seed in range(2):
        cv2.imwrite(str(folder / f"{seed}.png"), smooth_pixels(seed, (1, 70, 90))[0])
    found = run("deploy", images=folder)
    assert [(each["width"], each["height"]) for each in found.record.comparison or []] == [(160, 96)] * 4


def test_a_network_of_one_size_without_a_resize_gets_stretched_images(run: Run) -> None:
    found = run("fixed")
    assert found.preparation == Preparation((Resize(FIXED, False, None),), FIXED)
    assert "takes only 192x128, and inference.yml has no Resize: all images are stretched to that" in found.told
    assert (found.ensemble.max_batch_size, found.network.max_batch_size) == (1, 1)
    assert list(found.network.input[0].dims) == [128, 192, 3]
    assert {(each["width"], each["height"], each["batch"]) for each in found.record.comparison or []} == {(*FIXED, 1)}


def test_a_network_of_one_size_is_served_through_its_own_transforms(run: Run) -> None:
    assert run("single-resize").preparation == Preparation((Resize(FIXED, False, None),), FIXED)
    found = run("fixed-resize")
    assert found.preparation == Preparation((Resize(FIXED, False, None),), FIXED)
    assert (found.told, found.network.max_batch_size) == ("", 8)
    padded = run("fixed-padding")
    steps = (ToFloat(), ResizeByLong(128), Padding(FIXED, (127.5, 127.5, 127.5)))
    assert padded.preparation == Preparation(steps, FIXED)


def test_a_network_for_single_images_gets_single_images(run: Run) -> None:
    found = run("batch1")
    assert (found.ensemble.max_batch_size, found.network.max_batch_size) == (1, 1)
    assert {each["batch"] for each in found.record.comparison or []} == {1}


def test_sides_that_must_be_multiples_are_found_and_padded(run: Run) -> None:
    found = run("strict")
    assert found.preparation == Preparation(divisor=4)
    assert "only sides that are multiples of 4" in found.told
    assert "size_divisor: 4" in found.told
    assert {(each["width"], each["height"]) for each in found.record.comparison or []} == {(260, 132), (256, 128)}


def test_sides_that_its_own_resize_makes_multiples_are_compared_at_those(run: Run) -> None:
    found = run("strict-resize")
    assert found.preparation == Preparation((Resize((160, 160)),), divisor=4)
    assert found.told == ""
    assert {(each["width"], each["height"]) for each in found.record.comparison or []} == {(160, 96)}


def test_a_network_is_compared_at_the_size_of_its_padding_even_if_that_is_small(run: Run) -> None:
    found = run("small-padding")
    assert [(each["width"], each["height"]) for each in found.record.comparison or []] == [(96, 64)] * 2


def test_a_deploy_yaml_means_what_paddleseg_means(run: Run) -> None:
    found = run("deploy")
    assert found.preparation == Preparation((ToFloat(), Resize((160, 96), False, None)))
    assert found.network.input[0].data_type == configuration.triton.TYPE_FP32
    assert found.told == ""


def test_an_inference_yml_that_paddleseg_may_have_meant_otherwise_is_told_of(run: Run) -> None:
    found = run("for-fastdeploy")
    assert found.preparation == Preparation((Resize((160, 96)),))
    assert "is read as PaddleX does, which makes 96x96 of an image of 32x32. PaddleSeg makes 160x96 of it" in found.told


def test_a_model_yml_of_paddlex_2_tells_transforms_and_labels(run: Run) -> None:
    found = run("model-yml")
    assert found.preparation == Preparation((Resize((160, 96), False, None),))  # it has the height first
    assert list(found.record.class_names) == LABELS


def test_classes_txt_in_the_folder_names_the_classes(run: Run, exports: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exports / "argmax", tmp_path / "net")
    (folder / "classes.txt").write_text("a\nb\nc\nd\ne\n")
    assert run(folder).record.class_names == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize("file", ["inference.json", "inference.pdiparams", "inference.pdmodel"])
def test_one_of_a_networks_files_is_not_enough(run: Run, tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"any")
    with pytest.raises(ExportError, match=r"is only one of a network's files: pass its folder, "):
        run(tmp_path / file)


def test_what_paddlesegs_tools_export_py_writes_with_older_paddle_is_taken(run: Run, tmp_path: Path) -> None:
    older = os.environ | {"FLAGS_enable_pir_api": "0"}
    command = [sys.executable, "-m", "tests.exports", str(tmp_path), "deploy"]
    subprocess.run(command, cwd=ROOT, env=older, check=True, capture_output=True)
    assert (tmp_path / "deploy" / "model.pdmodel").is_file()
    assert run(tmp_path / "deploy").preparation.steps == (ToFloat(), Resize((160, 96), False, None))


def test_gits_pointer_to_a_large_file_is_told(run: Run, exports: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(exports / "argmax", tmp_path / "net"))
    (folder / "inference.pdiparams").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ExportError, match=r"inference\.pdiparams is only Git LFS's pointer to the file: fetch .* git lfs pull"):
        run(folder)


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("one-image", "the network fails on two images at once, so it gets one at a time"),
        ("mixed-a-little", "the network's answer for an image depends on the others in the batch, so it gets one at a time"),
        ("mixed", "the network's answer for an image depends on the others in the batch, so it gets one at a time"),
    ],
)
def test_a_network_that_no_batch_suits_gets_one_image_at_a_time(run: Run, name: str, told: str) -> None:
    found = run(name)
    assert (found.ensemble.max_batch_size, found.network.max_batch_size, found.told) == (1, 1, told)


def test_a_network_that_takes_only_what_its_resize_makes_gets_only_that(run: Run) -> None:
    found = run("its-resize-only")
    assert found.preparation == Preparation((Resize((224, 160), False, None),), (224, 160))
    assert found.agreement >= 0.9999


def test_a_network_may_name_its_tensors_like_ours(run: Run) -> None:
    assert run("named-pixels").agreement == 1


def test_a_network_that_branches_on_the_image_is_converted(run: Run) -> None:
    assert run("branched").agreement == 1


@pytest.mark.parametrize("least", [40, 200])
def test_small_images_are_padded_where_the_network_needs_larger_ones(run: Run, least: int) -> None:
    found = run(f"{least}-and-more")
    assert found.preparation == Preparation(least=least)
    assert found.told == f"the network takes only sides of {least} pixels and more: smaller images are padded with grey to that"


def test_multiples_are_found_whatever_the_transforms_make_of_a_tiny_image(run: Run) -> None:
    assert run("limited-64").preparation.divisor == 64


def test_a_softmax_behind_channels_that_came_last_is_compared_by_its_logits(run: Run) -> None:
    found = run("late-softmax")
    assert (found.agreement, found.record.agreement) == (1, 1)
    assert all(each["logits"] is not None for each in found.record.comparison or [])
