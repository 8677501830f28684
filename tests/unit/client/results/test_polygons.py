from __future__ import annotations

import itertools

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from semseg_client.results.polygons import Polygon, Ring, polygons

LabelMap = npt.NDArray[np.uint8]


def label_map(*rows: str) -> LabelMap:
    return np.array([[int(label) for label in row] for row in rows], np.uint8)


def random_maps() -> list[LabelMap]:
    """Small maps with every kind of contact, and larger maps with large areas."""
    rng = np.random.default_rng(7)
    small = [rng.integers(0, rng.integers(2, 5), rng.integers(1, 9, 2)).astype(np.uint8) for _ in range(300)]
    fields = [cv2.GaussianBlur(rng.random((40, 60, 4)), (0, 0), 2) for _ in range(5)]
    return [*small, *(field.argmax(axis=2).astype(np.uint8) for field in fields)]


MAPS = random_maps()


def area(ring: Ring) -> float:
    return sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in itertools.pairwise(ring)) / 2


def filled(polygon: Polygon, size: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """The pixels inside the outer ring and outside the holes: those with an odd number of vertical sides to their left."""
    sides = np.zeros((size[0], size[1] + 1), np.bool_)
    for ring in polygon:
        for (x, y0), (x1, y1) in itertools.pairwise(ring):
            if x == x1:
                sides[min(y0, y1) : max(y0, y1), x] ^= True
    inside: npt.NDArray[np.bool_] = np.logical_xor.accumulate(sides, axis=1)[:, :-1]
    return inside


def test_a_pixel_is_a_square() -> None:
    assert polygons(label_map("00", "01"))[1] == [[[[1, 1], [2, 1], [2, 2], [1, 2], [1, 1]]]]


def test_a_hole_is_a_ring_within_and_runs_the_other_way() -> None:
    outer, hole = polygons(label_map("000", "010", "000"))[0][0]
    assert outer == [[0, 0], [3, 0], [3, 3], [0, 3], [0, 0]]
    assert sorted(hole[1:]) == [[1, 1], [1, 2], [2, 1], [2, 2]]
    assert (area(outer), area(hole)) == (9, -1)


def test_areas_that_meet_at_a_corner_are_two_polygons() -> None:
    assert {label: len(found) for label, found in polygons(label_map("01", "10")).items()} == {0: 2, 1: 2}


def test_holes_that_meet_at_a_corner_are_two_rings() -> None:
    (polygon,) = polygons(label_map("0000", "0100", "0010", "0000"))[0]
    assert [area(ring) for ring in polygon] == [16, -1, -1]


def test_an_area_that_closes_around_a_hole_at_a_corner_has_an_outer_ring_and_a_hole() -> None:
    (polygon,) = polygons(label_map("011", "101", "111"))[1]
    assert [area(ring) for ring in polygon] == [8, -1]


def test_an_area_within_a_hole_is_a_polygon_of_its_own() -> None:
    found = polygons(label_map("00000", "01110", "01010", "01110", "00000"))
    assert sorted([area(ring) for ring in polygon] for polygon in found[0]) == [[1], [25, -9]]


def test_filling_the_polygons_gives_the_label_map_back() -> None:
    for each in MAPS:
        for label, found in polygons(each).items():
            drawn = np.sum([filled(polygon, each.shape) for polygon in found], axis=0)
            assert np.array_equal(drawn, each == label)


def test_the_first_ring_surrounds_its_pixels_and_the_others_are_holes() -> None:
    for each in MAPS:
        for label, found in polygons(each).items():
            for outer, *holes in found:
                assert area(outer) > 0
                assert all(area(hole) < 0 for hole in holes)
                assert all((filled([hole], each.shape) <= filled([outer], each.shape)).all() for hole in holes)
            assert sum(area(ring) for polygon in found for ring in polygon) == (each == label).sum()


def test_a_polygon_is_what_hangs_together_by_sides() -> None:
    for each in MAPS:
        for label, found in polygons(each).items():
            _, parts = cv2.connectedComponents((each == label).astype(np.uint8), connectivity=4)
            assert sorted(set(parts[filled(polygon, each.shape)].tolist()) for polygon in found) == [
                {part} for part in range(1, parts.max() + 1)
            ]


def test_rings_are_closed_turn_at_every_point_and_meet_none_twice() -> None:
    for each in MAPS:
        for polygon in itertools.chain.from_iterable(polygons(each).values()):
            for ring in polygon:
                assert ring[0] == ring[-1]
                assert len({tuple(point) for point in ring[1:]}) == len(ring) - 1
                upright = [start[0] == end[0] for start, end in itertools.pairwise(ring)]
                assert all(now != then for now, then in itertools.pairwise([*upright, upright[0]]))


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1)])
def test_a_map_of_one_class_is_one_rectangle(size: tuple[int, int]) -> None:
    height, width = size
    outline = [[0, 0], [width, 0], [width, height], [0, height], [0, 0]]
    assert polygons(np.full(size, 255, np.uint8)) == {255: [[outline]]}
