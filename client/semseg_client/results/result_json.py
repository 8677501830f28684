"""The JSON file of a result, with PaddleX's names and structure."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt

# The text of each id, padded with NUL to four bytes, which numpy handles as one number.
_DIGITS = np.array([f"{label}," for label in range(256)], "S4").view(np.uint32)


def document(
    input_path: str | None,
    page_index: int | None,
    label_map: npt.NDArray[np.uint8],
    indent: int | None = 4,
    ensure_ascii: bool = False,
    compact: bool = False,
) -> bytes:
    """`label_map`, uint8 [H, W], as `pred` [1][H][W] in UTF-8.

    Each row of pixels is one line without spaces, regardless of `indent`. `compact` omits all white space.
    """
    if compact:
        indent = None
    # A byte of a file name that is not UTF-8 is written as \udcxx; json.loads restores the name.
    separators = (",", ":") if compact else None
    outer = json.dumps(
        {"input_path": input_path, "page_index": page_index, "pred": None},
        indent=indent,
        ensure_ascii=ensure_ascii,
        separators=separators,
    ).encode("utf-8", "backslashreplace")
    head, _, tail = outer.rpartition(b"null")
    one, two, three = (b"" if indent is None else b"\n" + b" " * (indent * depth) for depth in (1, 2, 3))
    rows = (b"," + three).join(b"[" + _DIGITS[row].tobytes().translate(None, b"\0")[:-1] + b"]" for row in label_map)
    return b"".join((head, b"[", two, b"[", three, rows, two, b"]", one, b"]", tail))
