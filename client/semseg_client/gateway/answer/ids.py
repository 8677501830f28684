"""Class ids as a JSON array."""

from __future__ import annotations

import cv2
import numpy as np
import numpy.typing as npt

from ..http.envelope import Pieces


def id_list(ids: npt.NDArray[np.uint8]) -> Pieces:
    """`ids` ([H, W]), row by row.

    Each is padded with spaces to the width of the largest, for a table lookup: several times faster than computing digits.
    """
    width = len(str(ids.max())) + 1
    most = min(10 ** (width - 1), 256)
    texts = "".join(f"{each:{width - 1}}," for each in range(most)) + " " * (256 - most) * width
    table = np.frombuffer(texts.encode(), np.uint8)
    match width:
        case 2:
            looked_up = cv2.LUT(ids, table.view(np.uint16))
        case 3:
            looked_up = cv2.applyColorMap(ids, table.reshape(256, 1, 3))  # looks up three bytes
        case _:
            looked_up = cv2.LUT(ids, table.view(np.int32))
    text = looked_up.ravel().view(np.uint8)
    text[-1] = ord("]")
    return Pieces((b"[", text.data))
