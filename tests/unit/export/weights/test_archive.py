from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from semseg_contract.transforms import Resize
from semseg_export.errors import DescriptionError
from semseg_export.weights.archive import Normalisation, read_archive


def described(folder: Path, transforms: str) -> Normalisation:
    (folder / "inference.json").touch()
    (folder / "inference.pdiparams").touch()
    (folder / "inference.yml").write_text(f"Deploy:\n  transforms: {transforms}\n")
    return read_archive(folder).normalisation


def test_normalize_without_arguments_means_a_half(tmp_path: Path) -> None:
    assert described(tmp_path, "[{type: Normalize}]") == Normalisation((1 / 255 / 0.5,) * 3, (-1.0,) * 3)


def test_one_number_stands_for_three(tmp_path: Path) -> None:
    one = described(tmp_path, "[{type: Normalize, mean: 0.3, std: 0.2}]")
    assert one == described(tmp_path, "[{type: Normalize, mean: [0.3, 0.3, 0.3], std: [0.2, 0.2, 0.2]}]")


def test_no_transform_leaves_the_pixels(tmp_path: Path) -> None:
    pixels = np.arange(24, dtype=np.uint8).reshape(1, 2, 4, 3)
    prepared = described(tmp_path, "[]").apply(pixels)
    assert (prepared == pixels.transpose(0, 3, 1, 2)).all()


def test_pixels_are_prepared_in_the_float32_arithmetic_of_paddlex(tmp_path: Path) -> None:
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    prepared = described(tmp_path, f"[{{type: Normalize, mean: {mean}, std: {std}}}]").apply(pixels)
    assert prepared.dtype == np.float32
    for channel in range(3):
        expected = pixels[0, :, :, channel].astype(np.float32)
        expected *= (1.0 / 255) / std[channel]
        expected += -mean[channel] / std[channel]
        assert (prepared[0, channel] == expected).all()


@pytest.mark.parametrize(
    ("transform", "resize"),
    [
        ("{type: Resize}", None),
        ("{type: Resize, target_size: -1}", None),
        ("{type: Resize, target_size: 512}", Resize((512, 512))),
        ("{type: Resize, target_size: [1024, 512], keep_ratio: false}", Resize((1024, 512), keep_ratio=False)),
        ("{type: Resize, target_size: 512, size_divisor: null, interp: area}", Resize((512, 512), True, None, "AREA")),
    ],
)
def test_resize_has_paddlexs_meaning_and_defaults(tmp_path: Path, transform: str, resize: Resize | None) -> None:
    described(tmp_path, f"[{transform}, {{type: Normalize}}]")
    assert read_archive(tmp_path).steps == (() if resize is None else (resize,))


@pytest.mark.parametrize(
    ("transform", "told"),
    [
        (
            "{type: Resize}",
            "makes 32x32 of an image of 32x32. PaddleSeg makes 512x512 of it: if it exported this network, rename",
        ),
        ("{type: Resize, target_size: [96, 64]}", "makes 64x64 of an image of 32x32. PaddleSeg makes 96x64 of it"),
        ("{type: Resize, target_size: [96, 64], keep_ratio: false}", ""),
        ("{type: Resize, target_size: [90, 60], keep_ratio: false}", "makes 96x64 of an image of 32x32. PaddleSeg makes 90x60"),
        ("{type: Resize, target_size: 96}", ""),  # PaddleSeg takes no such
    ],
)
def test_what_paddleseg_would_make_is_told_where_it_is_another_size(tmp_path: Path, transform: str, told: str) -> None:
    described(tmp_path, f"[{transform}, {{type: Normalize}}]")
    notes = "".join(read_archive(tmp_path).notes)
    assert told in notes
    assert bool(told) == bool(notes)


@pytest.mark.parametrize(
    ("transforms", "complaint"),
    [
        (
            "[{type: CenterCrop, size: 512}, {type: Normalize}]",
            "lists CenterCrop, .*of PaddleX .* Resize, Normalize$",
        ),
        ("[{type: Normalize}, {type: Normalize}]", "lists Normalize more than once"),
        (
            "[{type: Resize, target_size: [512, 512, 3]}]",
            r"target_size of Resize to \[512, 512, 3\]: it must be a number of pixels",
        ),
        ("[{type: Resize, target_size: 0}]", "target_size of Resize to 0: it must be a number"),
        ("[{type: Resize, target_size: 512, keep_ratio: 1}]", "keep_ratio of Resize to 1: it must be true or false"),
        ("[{type: Resize, target_size: 512, size_divisor: 0}]", "size_divisor of Resize to 0: it must be a positive integer"),
        ("[{type: Resize, target_size: 512, interp: RANDOM}]", "interp of Resize to RANDOM: it must be one of NEAREST"),
        ("[{type: Resize, target_size: 512, scale: 2}]", "sets scale of Resize"),
        ("[{type: Resize, on: 1}]", "sets True of Resize: PaddleX has no such option"),
        ("[{type: Resize, 1: 1, foo: 2}]", "sets 1, foo of Resize: PaddleX has no such option"),
        ("[{type: Resize, target_size: 33554433}]", "target_size of Resize to 33554433: it must be a number of pixels"),
        ("[{type: Normalize, mean: 1.0e+300}]", r"mean of Normalize to 1e\+300: it must be a number of at most 1000000000000"),
        ('[{type: "Clear\\e[2J"}]', r"lists Clear \[2J, which cannot be served"),
        ("[{type: Normalize, scale: 1.0}]", "sets scale of Normalize: PaddleX has no such option"),
        ("[{type: Normalize, mean: [0.5, 0.5]}]", r"mean of Normalize to \[0.5, 0.5\]: it must be a number, or three"),
        ("[{type: Normalize, std: high}]", "std of Normalize to high: it must be a number"),
        ("[{type: Normalize, std: 0}]", "std of Normalize to 0: it must be other than zero"),
        ("[{type: Normalize, std: 1.0e-320}]", "it must be other than zero, by at least 0.000001"),
        ("Normalize", "has no list of transforms under Deploy"),
        ("[", "is not valid YAML"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(tmp_path: Path, transforms: str, complaint: str) -> None:
    with pytest.raises(DescriptionError, match=complaint):
        described(tmp_path, transforms)


LAUGHS = "a0: &a0 [1]\n" + "".join(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("!!python/object/apply:os.system ['touch trap']", id="call"),
        pytest.param("!!python/name:os.system", id="name"),
        pytest.param(LAUGHS + "Deploy: {transforms: [{type: *a9}]}", id="aliases of aliases"),
        pytest.param("[" * 5000, id="deep"),
        pytest.param("Deploy: 2026-99-99", id="no date"),
        pytest.param("Deploy: \0", id="control character"),
        pytest.param("Deploy: {transforms: [{type: Normalize, mean: 1" + "0" * 400 + "}]}", id="a long number"),
        pytest.param("Deploy: 0x1" + "0" * 9000, id="a number too long to show"),
        pytest.param("Deploy: !!int ''", id="no number"),
        pytest.param("Deploy: !!bool perhaps", id="neither true nor false"),
        pytest.param("Deploy: !!timestamp yesterday", id="no time"),
        pytest.param("#" * (2 << 20), id="large"),
    ],
)
def test_a_hostile_description_is_refused_in_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "inference.json").touch()
    (tmp_path / "inference.pdiparams").touch()
    (tmp_path / "inference.yml").write_text(content)
    with pytest.raises(DescriptionError, match="is not valid YAML") as refusal:
        read_archive(tmp_path)
    assert str(refusal.value).isprintable()
    assert len(str(refusal.value)) < 500


def test_an_absent_description_is_said(tmp_path: Path) -> None:
    (tmp_path / "inference.pdmodel").touch()
    (tmp_path / "inference.pdiparams").touch()
    with pytest.raises(DescriptionError, match=r"has no inference\.yml"):
        read_archive(tmp_path)
