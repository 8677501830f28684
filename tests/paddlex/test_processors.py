"""An inference.yml means what PaddleX 3.7.2 computes from it: its own processors run on the same images."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import yaml

from semseg_contract.transforms import Preparation
from tests.paddlex.test_paddlex import PADDLEX_PYTHON
from tests.support import ROOT, in_environment

sys.path[:0] = [str(ROOT / "model_repository/preprocess/1"), str(ROOT / "export")]
preparing = import_module("prepare")
descriptions = import_module("semseg_export.weights.preparation")

CASES = 200
INTERPOLATIONS = ("NEAREST", "LINEAR", "BICUBIC", "AREA", "LANCZOS4")


def case(random: np.random.Generator, image: Path) -> dict[str, Any]:
    """A random image, and random settings, some of them left out."""
    width, height = (int(side) for side in random.integers(8, 300, 2))
    pixels = cv2.resize(random.integers(0, 256, (9, 9, 3), np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(image), pixels)
    sides = [int(side) for side in random.integers(16, 400, 2)]
    options: dict[str, Any] = {
        "target_size": sides if random.integers(2) else sides[0],
        "keep_ratio": bool(random.integers(2)),
        "size_divisor": [None, 8, 32, 64][random.integers(4)],
        "interp": str(random.choice(INTERPOLATIONS)),
    }
    given = {key: value for key, value in options.items() if random.integers(3)}
    normalize = {} if random.integers(2) else {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225]}
    transforms = [{"type": "Resize", **given}, {"type": "Normalize", **normalize}]
    target = [None, sides[1], sides][random.integers(3)]
    return {"image": str(image), "transforms": transforms[random.integers(2) :], "target_size": target}


def ours(case: dict[str, Any], file: Path) -> tuple[npt.NDArray[np.float32], Preparation, tuple[int, int]]:
    """The network's input, the preparation that made it, and the image's size."""
    file.write_text(yaml.safe_dump({"Deploy": {"transforms": case["transforms"]}}))
    described = descriptions.read(file)
    preparation = Preparation(described.steps)
    if case["target_size"] is not None:
        sides = case["target_size"] if isinstance(case["target_size"], list) else [case["target_size"]]
        preparation = preparation.to(preparing.target(",".join(map(str, sides))))
    rgb = cv2.cvtColor(cv2.imread(case["image"], cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    made = described.normalisation.apply(preparing.prepared(preparation, rgb)[np.newaxis])[0]
    return made, preparation, (rgb.shape[1], rgb.shape[0])


def test_inputs_and_label_maps_are_paddlexs(tmp_path: Path) -> None:
    random = np.random.default_rng(17)
    cases = [case(random, tmp_path / f"{number}.png") for number in range(CASES)]
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    in_environment(PADDLEX_PYTHON, "tests/paddlex/processors.py", tmp_path / "cases.json", tmp_path)
    equal = 0
    for number, each in enumerate(cases):
        theirs = np.load(tmp_path / f"{number}.npz")
        made, preparation, size = ours(each, tmp_path / "inference.yml")
        assert made.shape == theirs["input"].shape, each
        np.testing.assert_allclose(made, theirs["input"], rtol=0, atol=1e-6, err_msg=str(each))
        equal += np.array_equal(made, theirs["input"])
        back = preparation.way_back(*size)
        assert back == [size[1], size[0]]
        np.testing.assert_array_equal(
            cv2.resize(theirs["ids"].astype(np.uint8), size, interpolation=cv2.INTER_NEAREST), theirs["map"]
        )
    print(f"\n{equal} of {CASES} inputs are equal in every bit, the others to within 1e-6; all label maps are equal")
