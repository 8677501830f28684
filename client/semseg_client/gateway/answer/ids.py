"""Class ids as a JSON array."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt

from ..http.envelope import Text

_ROWS = 64  # written at once: little memory, but enough for OpenCV


def id_list(ids: npt.NDArray[np.uint8]) -> Text:
    """`ids` ([H, W]), row by row.

    Each is padded with spaces to the width of the largest, for a table lookup: several times faster than computing digits.
    """
    width = len(str(ids.max())) + 1  # with the comma
    return Text(1 + ids.size * width, _pieces(ids, width))


def _pieces(ids: npt.NDArray[np.uint8], width: int) -> Iterator[bytes | memoryview]:
    most = min(10 ** (width - 1), 256)
    texts = "".join(f"{each:{width - 1}}," for each in range(most)) + " " * (256 - most) * width
    table = np.frombuffer(texts.encode(), np.uint8)
    yield b"["
    for start in range(0, len(ids), _ROWS):
        rows = ids[start : start + _ROWS]
        match width:
            case 2:
                looked_up = cv2.LUT(rows, table.view(np.uint16))
            case 3:
                looked_up = cv2.applyColorMap(rows, table.reshape(256, 1, 3))  # looks up three bytes
            case _:
                looked_up = cv2.LUT(rows, table.view(np.int32))
        text = looked_up.ravel().view(np.uint8)
        if start + _ROWS >= len(ids):
            text[-1] = ord("]")
        yield text.data
