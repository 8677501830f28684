"""The outlines of a label map's classes, exact to the pixel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
import numpy.typing as npt

from .legend import ClassShare

Ring = list[list[int]]
Polygon = list[Ring]

_OUTSIDE = 256  # no class id


def feature_collection(label_map: npt.NDArray[np.uint8], classes: Sequence[ClassShare]) -> dict[str, Any]:
    """`polygons` as GeoJSON (RFC 7946): one MultiPolygon feature per class. `classes` must be those of the label map."""
    found = polygons(label_map)
    features = [
        {
            "type": "Feature",
            "properties": {"id": each.id, "name": each.name, "colour": each.hex, "pixels": each.pixels},
            "geometry": {"type": "MultiPolygon", "coordinates": found[each.id]},
        }
        for each in classes
    ]
    return {"type": "FeatureCollection", "features": features}


def borders(label_map: npt.NDArray[np.uint8]) -> int:
    """The number of pixel sides between two classes. `polygons` needs up to about 750 bytes of memory for each."""
    return int(np.count_nonzero(label_map[:, 1:] != label_map[:, :-1]) + np.count_nonzero(label_map[1:] != label_map[:-1]))


def polygons(label_map: npt.NDArray[np.uint8]) -> dict[int, list[Polygon]]:
    """The polygons of every class in `label_map`, uint8 [H, W], by class id.

    They follow the edges of pixels, not their centres. A point is [x, y] with x from 0 to W and y from 0 to H, downwards, and the
    pixel in row r and column c is the square from [c, r] to [c + 1, r + 1]. So the area of a class's polygons is its number of
    pixels, and all polygons together cover the image without gap or overlap.

    A polygon covers pixels of one class that are connected by their sides; areas that touch only at a corner are two polygons.
    It is a list of rings: the outer one first, then its holes. A ring lists the points where it turns and repeats its first
    point at the end. It passes no other point twice, so the polygons are valid under OGC's Simple Features. By the shoelace
    formula the area of an outer ring is positive and that of a hole negative, which is RFC 7946's right-hand rule for these
    coordinates.
    """
    corners = _corners(label_map)
    points = np.stack([corners.x, corners.y], axis=1).tolist()
    parts = _parts(label_map)[corners.pixel].tolist()
    labels = corners.label.tolist()
    found: dict[int, list[Polygon]] = {}
    started: dict[int, Polygon] = {}
    # Corners are sorted, so a part's first corner is one of its topmost: its first loop is the outer one, and holes follow.
    for loop in _loops(corners):
        part = parts[loop[0][0]]
        if part not in started:
            started[part] = []
            found.setdefault(labels[loop[0][0]], []).append(started[part])
        for ring in loop:
            closed = [points[corner] for corner in ring]
            closed.append(list(closed[0]))
            started[part].append(closed)
    return found


@dataclass(frozen=True)
class _Corners:
    """The corners of outlines: int64 arrays of equal length, sorted by class, y and x.

    `pixel` is the flat index of the pixel at the corner. `follower` is the next corner along the outline, with the class on the
    right. Where two pixels of a class meet diagonally, each has a corner at that point and `twin` is the other one; elsewhere it
    is -1.
    """

    label: npt.NDArray[np.int64]
    x: npt.NDArray[np.int64]
    y: npt.NDArray[np.int64]
    pixel: npt.NDArray[np.int64]
    follower: npt.NDArray[np.int64]
    twin: npt.NDArray[np.int64]


def _corners(label_map: npt.NDArray[np.uint8]) -> _Corners:
    height, width = label_map.shape
    padded = np.pad(label_map.astype(np.int16), 1, constant_values=_OUTSIDE)
    upper_left, upper_right = padded[:-1, :-1], padded[:-1, 1:]
    lower_left, lower_right = padded[1:, :-1], padded[1:, 1:]
    mixed = np.flatnonzero((upper_left != upper_right) | (upper_left != lower_left) | (upper_left != lower_right))
    y, x = np.divmod(mixed, width + 1)
    around = [padded.take((y + below) * (width + 2) + x + right) for below in (0, 1) for right in (0, 1)]

    sides = (256, height + 1, width + 1, 2, 2, 2)
    found = []
    for place, own in enumerate(around):
        below, right = divmod(place, 2)
        beside, over, across = (around[place ^ step] for step in (1, 2, 3))
        convex = (beside != own) & (over != own)
        concave = (beside == own) & (over == own) & (across != own)
        at = np.flatnonzero((convex | concave) & (own != _OUTSIDE))
        leaves_along_row = (convex[at] == (below == right)).astype(np.int64)
        rows, columns = np.full_like(at, below), np.full_like(at, right)
        found.append(np.ravel_multi_index((own[at], y[at], x[at], columns, rows, leaves_along_row), sides))
    sorted_corners = np.sort(np.concatenate(found))
    label, y, x, columns, rows, leaves_along_row = np.unravel_index(sorted_corners, sides)

    # Along a grid line, a class's consecutive corners pair up as the two ends of a side. Of two twins, the one whose pixel comes
    # first along the line ends a side, and the other begins the next.
    number = np.arange(len(label))
    down_columns = np.argsort(np.ravel_multi_index((label, x, y, rows), (256, width + 1, height + 1, 2)))
    along_column = np.empty_like(number)
    along_column[down_columns] = down_columns[number ^ 1]
    follower = np.where(leaves_along_row == 1, number ^ 1, along_column)

    first = np.flatnonzero(sorted_corners[:-1] // 8 == sorted_corners[1:] // 8)
    twin = np.full_like(number, -1)
    twin[first], twin[first + 1] = first + 1, first
    return _Corners(label, x, y, (y - 1 + rows) * width + x - 1 + columns, follower, twin)


def _loops(corners: _Corners) -> Iterator[list[list[int]]]:
    """Each outline as rings of corners. The first ring contains the outline's first corner.

    Where an outline passes a point twice, it is cut into rings that touch there.
    """
    follower, twin = corners.follower.tolist(), corners.twin.tolist()
    seen = bytearray(len(follower))
    for start in range(len(follower)):
        if seen[start]:
            continue
        ring: list[int] = []
        cut = []
        place: dict[int, int] = {}  # position in the ring of each corner with a twin
        corner = start
        while not seen[corner]:
            seen[corner] = 1
            if twin[corner] >= 0:
                before = place.get(twin[corner], len(ring))
                if ring[before : before + 1] == [twin[corner]]:
                    cut.append(ring[before:])
                    del ring[before:]
                place[corner] = len(ring)
            ring.append(corner)
            corner = follower[corner]
        yield [ring, *cut]


def _parts(label_map: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """A number for every pixel, int32 [H * W]: equal for pixels of one class that are connected by their sides."""
    height, width = label_map.shape
    # To label all classes at once, pixels are placed two apart, with a bond between neighbours of the same class.
    bonds = np.zeros((2 * height - 1, 2 * width - 1), np.uint8)
    bonds[::2, ::2] = 1
    bonds[::2, 1::2] = label_map[:, 1:] == label_map[:, :-1]
    bonds[1::2, ::2] = label_map[1:] == label_map[:-1]
    _, numbers = cv2.connectedComponents(bonds, connectivity=4)
    return cast(npt.NDArray[np.int32], numbers[::2, ::2].ravel())
