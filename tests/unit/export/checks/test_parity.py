from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from onnx import ModelProto

from semseg_contract.transforms import PLAIN, Padding, Preparation, ResizeByShort
from semseg_export.checks import parity
from semseg_export.checks.parity import Agreement
from semseg_export.conversion.graph import served_graph
from semseg_export.errors import DisagreementError
from semseg_export.runtime import Session
from semseg_export.synthetic_images import smooth_pixels
from semseg_export.weights.archive import Archive, Normalisation


def test_another_normalisation_does_not_pass_the_gate(network: ModelProto, archive: Archive, tmp_path: Path) -> None:
    alpha = tuple(value * 1.05 for value in archive.normalisation.alpha)
    served = served_graph(network, Normalisation(alpha, archive.normalisation.beta))
    agreements = parity.measure(served, archive, PLAIN, tmp_path)
    assert [(a.batch, a.height, a.width) for a in agreements] == list(parity.SHAPES)
    assert all(a.classes >= 5 for a in agreements)
    with pytest.raises(DisagreementError, match=r"% of the pixels, less than 99.9000%: nothing was installed"):
        parity.require(agreements, 0.999)


def test_labels_come_from_the_image(network: ModelProto, archive: Archive) -> None:
    session = Session(served_graph(network, archive.normalisation).model)
    first, second = (session.run(smooth_pixels(seed, (1, 128, 256))) for seed in range(2))
    assert (first == second).mean() < 0.5


def test_the_worst_batch_decides() -> None:
    good, bad = Agreement(1, 10, 10, 0, 3), Agreement(2, 10, 10, 1, 3)
    assert parity.lowest([good, bad]) == pytest.approx(0.995)
    parity.require([good, bad], 0.995)
    with pytest.raises(DisagreementError):
        parity.require([good, bad], 0.999)


def test_a_pixel_that_rounding_does_not_explain_is_refused() -> None:
    explained = Agreement(1, 100, 100, 1, 3, logits=1e-4, spread=10, margin=0.09)
    parity.require([explained], 0.999)
    with pytest.raises(
        DisagreementError,
        match="is 5 below the highest, where those of one class span 10: rounding cannot explain that",
    ):
        parity.require([explained, replace(explained, margin=5)], 0.999)
    with pytest.raises(DisagreementError, match="logits for a 100x100 image are not finite"):
        parity.require([replace(explained, logits=float("nan"))], 0.999)


def test_the_margin_is_that_of_the_class_that_was_given() -> None:
    logits = np.array([10, 9.99, -10], np.float32).reshape(1, 3, 1, 1)
    for given, margin in ((0, 0), (1, 0.01), (2, 20)):
        ids = np.array([[[given]]], np.uint8)
        assert parity.largest_margin(logits, ids, ids != 0) == pytest.approx(margin, abs=1e-6)


def test_paddle_answers_for_images_by_command(pir_folder: Path, tmp_path: Path) -> None:
    pixels = smooth_pixels(3, (1, 70, 90))[0]
    cv2.imwrite(str(tmp_path / "street.png"), pixels[..., ::-1])
    np.save(tmp_path / "pixels.npy", pixels)
    command = [
        sys.executable,
        "-m",
        "semseg_export.workers.reference",
        pir_folder,
        tmp_path / "street.png",
        tmp_path / "pixels.npy",
    ]
    subprocess.run([*command, "--out", tmp_path / "out"], check=True, capture_output=True)
    street, same = (np.load(tmp_path / "out" / f"{stem}.npy") for stem in ("street", "pixels"))
    assert street.dtype == np.uint8
    assert street.shape == (70, 90)
    assert len(np.unique(street)) >= 5
    assert (street == same).all()


def test_an_image_that_is_none_is_said(pir_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    command = [sys.executable, "-m", "semseg_export.workers.reference", pir_folder, tmp_path / "text.png", "--out", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert "text.png is not an image that OpenCV can read" in done.stderr


def test_nothing_larger_than_what_will_be_served_is_compared() -> None:
    enlarged = Preparation((ResizeByShort(1024),))
    assert parity.possible([(1, 256, 512), (2, 256, 512)], enlarged, 8, 8) == [(1, 1024, 2048), (2, 1024, 2048)]
    assert parity.possible([(1, 256, 512), (2, 256, 512)], enlarged, 8, 2) == [(1, 1024, 2048)]
    assert parity.possible([(1, 256, 512), (1, 256, 768)], enlarged, 8, 2) == [(1, 1024, 2048)]
    assert parity.possible([(1, 1024, 2048)], PLAIN, 8, 1) == [(1, 1024, 2048)]  # so much was run to measure the memory
    assert parity.possible(parity.SHAPES, Preparation((Padding((48, 40)),)), 8, 8) == [(1, 40, 48)]
