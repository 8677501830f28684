"""Exact sums over all pixels, and the measures that tools compute from them."""

from __future__ import annotations

import numpy as np
import pytest

from semseg_client.evaluation.confusion import IGNORED, UnknownId, counts, measures


def ids(*rows: list[int]) -> np.ndarray:
    return np.array(rows, np.uint8)


def test_each_pixel_counts_once_in_its_true_row_and_found_column() -> None:
    found = counts(ids([0, 0, 1], [2, 1, 1]), ids([0, 1, 1], [2, 2, 1]), 3)
    assert found.tolist() == [[1, 1, 0], [0, 2, 1], [0, 0, 1]]
    assert found.dtype == np.int64


def test_ignored_pixels_do_not_count() -> None:
    assert counts(ids([IGNORED, 0]), ids([1, 0]), 2).tolist() == [[1, 0], [0, 0]]
    assert counts(ids([IGNORED]), ids([1]), 2).sum() == 0


def test_many_classes_do_not_overflow() -> None:
    truth = np.arange(255, dtype=np.uint8).reshape(15, 17)
    assert np.array_equal(counts(truth, truth, 255), np.eye(255))


def test_an_id_that_the_model_does_not_know_is_named() -> None:
    with pytest.raises(UnknownId, match=r"^class id 19, 33, but the model's go from 0 to 18, and 255 does not count"):
        counts(ids([19, 33], [0, IGNORED]), ids([0, 0], [0, 0]), 19)


def test_an_answer_with_an_unknown_id_is_no_silent_error() -> None:
    with pytest.raises(UnknownId, match="the answer to it has class id 3, but the model's go from 0 to 2"):
        counts(ids([0]), ids([3]), 3)


def test_the_measures_of_a_small_matrix_by_hand() -> None:
    found = measures(np.array([[3, 1, 0], [1, 5, 0], [0, 0, 0]]))
    assert found.iou[:2].tolist() == [3 / 5, 5 / 7]
    assert np.isnan(found.iou[2])
    assert found.miou == pytest.approx((3 / 5 + 5 / 7) / 2)
    assert found.miou_with_absent == pytest.approx((3 / 5 + 5 / 7) / 3)
    assert found.class_dice[:2].tolist() == [6 / 8, 10 / 12]
    assert found.accuracy == 8 / 10
    assert found.kappa == pytest.approx((0.8 - 0.52) / (1 - 0.52))
    assert found.precision[:2].tolist() == [3 / 4, 5 / 6]
    assert found.recall[:2].tolist() == [3 / 4, 5 / 6]


def test_a_class_that_is_only_found_counts_as_wrong() -> None:
    assert measures(np.array([[3, 1], [0, 0]])).miou == pytest.approx(3 / 8)


def test_nothing_at_all_is_no_figure() -> None:
    found = measures(np.zeros((2, 2), np.int64))
    assert np.isnan([found.miou, found.accuracy, found.kappa, found.dice]).all()
    assert found.pixels == 0


def test_sums_stay_exact_beyond_what_float32_can_count() -> None:
    large = np.array([[2**40 + 1, 0], [0, 1]])
    assert measures(large).pixels == 2**40 + 2
