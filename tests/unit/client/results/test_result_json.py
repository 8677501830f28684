from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from semseg_client.results.result_json import document

LABEL_MAP = np.array([[0, 9, 10], [99, 100, 255]], np.uint8)
CONTENT = {"input_path": "in/x.jpg", "page_index": 3, "pred": [[[0, 9, 10], [99, 100, 255]]]}


@pytest.mark.parametrize(
    "options", [{}, {"indent": 0}, {"indent": 2}, {"indent": None}, {"compact": True}, {"ensure_ascii": True}]
)
def test_it_holds_the_same_however_it_is_laid_out(options: dict[str, Any]) -> None:
    assert json.loads(document("in/x.jpg", 3, LABEL_MAP, **options)) == CONTENT


def test_every_id_is_written_as_it_is() -> None:
    label_map = np.arange(256, dtype=np.uint8).reshape(2, 128)
    assert json.loads(document(None, None, label_map))["pred"] == [label_map.tolist()]


def test_a_row_of_pixels_is_a_line() -> None:
    assert document("x", None, LABEL_MAP, indent=2).decode().splitlines() == [
        "{",
        '  "input_path": "x",',
        '  "page_index": null,',
        '  "pred": [',
        "    [",
        "      [0,9,10],",
        "      [99,100,255]",
        "    ]",
        "  ]",
        "}",
    ]


def test_compact_has_no_white_space() -> None:
    assert (
        document("x", None, LABEL_MAP, compact=True) == b'{"input_path":"x","page_index":null,"pred":[[[0,9,10],[99,100,255]]]}'
    )


def test_a_path_may_hold_anything() -> None:
    for path in ("null", '"pred": null', "街.jpg", "not utf-8: \udcff"):
        for ensure_ascii in (False, True):
            assert json.loads(document(path, None, LABEL_MAP, ensure_ascii=ensure_ascii))["input_path"] == path


def test_ensure_ascii_escapes_what_is_else_utf_8() -> None:
    assert '"街"'.encode() in document("街", None, LABEL_MAP)
    assert rb'"\u8857"' in document("街", None, LABEL_MAP, ensure_ascii=True)
