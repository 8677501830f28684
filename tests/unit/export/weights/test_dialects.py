"""Each file means what the program that reads it computes: PaddleSeg's own code runs beside ours on the same images."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import paddle
import pytest
import yaml
from paddleseg.core.infer import reverse_transform
from paddleseg.deploy.infer import DeployConfig

from semseg_contract.transforms import Fit, PaddingToMultiple, Preparation, ToFloat
from semseg_export.errors import DescriptionError
from semseg_export.weights import preparation as preparations

ROOT = Path(__file__).parents[4]
sys.path.insert(0, str(ROOT / "model_repository" / "preprocess" / "1"))
prepared = import_module("prepare").prepared
INTERPOLATIONS = ("NEAREST", "LINEAR", "CUBIC", "AREA", "LANCZOS4")
ROUNDING = 1e-5  # PaddleSeg divides, subtracts and divides; we multiply and add


def seg_steps(random: np.random.Generator) -> list[dict[str, Any]]:
    """Random transforms of PaddleSeg, in an order that its configurations have."""

    def side(least: int = 16, most: int = 160) -> int:
        return int(random.integers(least, most))

    steps: list[dict[str, Any]] = []
    match random.integers(7):
        case 0:
            steps.append({"type": "Resize", "target_size": [side(), side()], "interp": str(random.choice(INTERPOLATIONS))})
        case 1:
            divisor = int(random.choice([8, 16, 32]))
            steps.append({"type": "Resize", "target_size": [side(), side()], "keep_ratio": True, "size_divisor": divisor})
        case 2:
            steps.append({"type": "ResizeByLong", "long_size": side()})
        case 3:
            steps.append({"type": "ResizeByShort", "short_size": side(), **({"max_size": side(100)} if side() % 2 else {})})
        case 4:
            steps.append({"type": "LimitLong", "max_long": side(60), "min_long": side(16, 60)})
        case 5:
            long = side()
            steps.append({"type": "ResizeRangeScaling", "min_value": long, "max_value": long})
        case _:
            pass
    match random.integers(4):
        case 0:
            steps.append({"type": "PaddingByAspectRatio", "aspect_ratio": float(random.choice([0.5, 1.0, 1.7, 2.0]))})
        case 1:
            filling = {} if side() % 2 else {"im_padding_value": float(random.integers(0, 255))}
            steps.append({"type": "Padding", "target_size": [1000, 900], **filling})
        case _:
            pass
    return steps


def picture(random: np.random.Generator, file: Path) -> tuple[int, int]:
    width, height = (int(side) for side in random.integers(20, 200, 2))
    pixels = cv2.resize(random.integers(0, 256, (12, 12, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(file), pixels)
    return width, height


def ours(described: preparations.Described, image: Path) -> tuple[np.ndarray, Preparation]:
    """The network's input [3, H, W], as preprocess and the served graph compute it."""
    preparation = Preparation(described.steps)
    rgb = cv2.cvtColor(cv2.imread(str(image), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    return described.normalisation.apply(prepared(preparation, rgb)[np.newaxis])[0], preparation


@pytest.mark.parametrize("normalise", [False, True])
def test_a_deploy_yaml_prepares_pixels_as_paddlesegs_deployment_does(tmp_path: Path, normalise: bool) -> None:
    """A hundred random images and settings. Without Normalize, every bit is equal."""
    random = np.random.default_rng(normalise)
    file, image = tmp_path / "deploy.yaml", tmp_path / "image.png"
    for _ in range(100):
        width, height = picture(random, image)
        steps = seg_steps(random)
        settings = {} if random.integers(2) else {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
        if normalise:
            at = int(random.integers(len(steps) + 1)) if random.integers(4) == 0 else len(steps)
            steps.insert(at, {"type": "Normalize", **settings})
        file.write_text(yaml.safe_dump({"Deploy": {"transforms": steps}}))
        theirs = DeployConfig(str(file)).transforms({"img": str(image)})
        found, preparation = ours(preparations.read(file), image)
        assert found.shape == theirs["img"].shape, steps
        if normalise:
            atol = ROUNDING * max(1, np.abs(theirs["img"]).max())
            np.testing.assert_allclose(found, theirs["img"], atol=atol, err_msg=str(steps))
        else:
            np.testing.assert_array_equal(found, theirs["img"], err_msg=str(steps))
        if all(step["type"] != "ResizeRangeScaling" for step in steps):  # PaddleSeg does not record this one
            check_way_back(random, preparation, (width, height), theirs["trans_info"])


def check_way_back(random: np.random.Generator, preparation: Preparation, size: tuple[int, int], recorded: list[Any]) -> None:
    """Padding is cut off as in PaddleSeg. Both scale label maps by nearest neighbour, but Paddle computes in float32 where
    OpenCV, and so PaddleX, does in double: some rows and columns are taken one further."""
    columns, rows = preparation.size(*size)
    ids = random.integers(0, 5, (rows, columns), np.uint8)
    theirs = reverse_transform(paddle.to_tensor(ids[np.newaxis, np.newaxis].astype(np.int32)), recorded).numpy()[0, 0]
    back = np.reshape(preparation.way_back(*size), (-1, 2)).tolist()
    ours, in_floats = ids, ids
    for height, width in back:
        if height < 0:
            ours, in_floats = ours[:-height, :-width], in_floats[:-height, :-width]
        else:
            scales = in_floats.shape[0] / height, in_floats.shape[1] / width
            taken = (
                (np.arange(side, dtype=np.float32) * np.float32(scale)).astype(int)
                for side, scale in zip((height, width), scales, strict=True)
            )
            ours, in_floats = cv2.resize(ours, (width, height), interpolation=cv2.INTER_NEAREST), in_floats[np.ix_(*taken)]
    assert ours.shape == size[::-1]
    np.testing.assert_array_equal(in_floats, theirs)


SEG, TWO = "deploy.yaml", "model.yml"


@pytest.mark.parametrize(
    ("name", "transform", "told"),
    [
        (SEG, {"type": "Resize", "target_size": 512}, r"target_size of Resize to 512: it must be \[width, height\] in pixels"),
        (SEG, {"type": "Resize", "interp": "RANDOM"}, "at random, the same image would get different answers"),
        (SEG, {"type": "ResizeRangeScaling"}, "min_value 400 and max_value 600 leave the size to chance"),
        (
            SEG,
            {"type": "ResizeStepScaling"},
            "ResizeStepScaling, which cannot be served: the transforms of PaddleSeg",
        ),
        (SEG, {"type": "ResizeByShort", "short_size": [512, 640]}, "short_size of ResizeByShort .* must be a positive integer"),
        (SEG, {"type": "ResizeByLong"}, "does not set long_size of ResizeByLong: add it"),
        (
            SEG,
            {"type": "ResizeByLong", "long_size": 512, "interp": "AREA"},
            "interp of ResizeByLong: PaddleSeg has no such",
        ),
        (SEG, {"type": "ResizeByLong", "long_size": 10**50}, "long_size of ResizeByLong .* of at most 33554432"),
        (SEG, {"type": "PaddingByAspectRatio", "aspect_ratio": 1e-320}, "must be a positive number of at least 0.000001"),
        (SEG, {"type": "LimitLong", "max_long": 5, "min_long": 9}, "min_long 9 is larger than max_long 5"),
        (SEG, {"type": "Padding", "target_size": [512, 512], "im_padding_value": "grey"}, "im_padding_value .* must be a number"),
        (TWO, {"type": "Padding", "pad_mode": 1}, "pad_mode must be 0"),
        (TWO, {"type": "ResizeByShort", "max_size": 900}, "max_size of ResizeByShort is not supported: leave it out"),
        (
            TWO,
            {"type": "LimitLong", "max_long": 900},
            "LimitLong, which cannot be served: the transforms of PaddleX 2",
        ),
        (TWO, {"type": "Normalize", "max_val": [0, 255, 255]}, "min_val and max_val of Normalize must differ"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(tmp_path: Path, name: str, transform: dict[str, Any], told: str) -> None:
    entry = {transform["type"]: {key: value for key, value in transform.items() if key != "type"}}
    content = {"Transforms": [entry]} if name == TWO else {"Deploy": {"transforms": [transform]}}
    (tmp_path / name).write_text(yaml.safe_dump(content))
    with pytest.raises(DescriptionError, match=told):
        preparations.read(tmp_path / name)


def test_two_descriptions_are_one_too_many(tmp_path: Path) -> None:
    for name in ("inference.yml", "deploy.yaml"):
        (tmp_path / name).touch()
    with pytest.raises(DescriptionError, match=r"holds inference\.yml and deploy\.yaml, .*: keep the right one"):
        preparations.find(tmp_path)


def test_tuples_of_paddlex_2_and_its_padding_in_float32_are_read(tmp_path: Path) -> None:
    (tmp_path / TWO).write_text(
        "Transforms:\n- Resize: {target_size: !!python/tuple [96, 160], interp: LINEAR, keep_ratio: true}\n"
        "- Padding: {target_size: null, pad_mode: 0, size_divisor: 32, im_padding_value: !!python/tuple [1.5, 2, 3]}\n"
    )
    steps = (Fit((160, 96)), ToFloat(), PaddingToMultiple(32, (1.5, 2.0, 3.0)))
    assert preparations.read(tmp_path / TWO).steps == steps


def test_code_in_a_description_does_not_run(tmp_path: Path) -> None:
    (tmp_path / TWO).write_text("Transforms: !!python/object/apply:os.system [true]\n")
    with pytest.raises(DescriptionError, match="is not valid YAML"):
        preparations.read(tmp_path / TWO)
