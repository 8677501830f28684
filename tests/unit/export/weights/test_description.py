"""Descriptions in the encodings in which Windows in China writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from semseg_export.errors import DescriptionError
from semseg_export.weights import description, pdparams

TEXT = "# 语义分割\nval_dataset:\n  name: 道路\n  transforms: []\n"
ENCODINGS = [("utf-8", ""), ("utf-8-sig", ""), ("utf-16", " (in UTF-16)"), ("gbk", " (in GBK)")]


@pytest.mark.parametrize(("encoding", "told"), ENCODINGS)
def test_a_description_is_read_and_its_encoding_is_told(tmp_path: Path, encoding: str, told: str) -> None:
    file = tmp_path / "train.yml"
    file.write_bytes(TEXT.encode(encoding))
    assert description.read(file) == {"val_dataset": {"name": "道路", "transforms": []}}
    assert description.told(file) == f"train.yml{told}"
    assert pdparams.description_of(tmp_path / "model.pdparams") == file


def test_a_damaged_description_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "inference.yml"
    file.write_bytes(TEXT.encode().replace("路".encode(), b"\xe8\xb7"))
    with pytest.raises(DescriptionError, match="line 3: is neither UTF-8 nor GBK; save it as UTF-8"):
        description.read(file)
