from __future__ import annotations

from pathlib import Path

import pytest

from semseg_client.files import write_whole


def test_a_file_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_text("old")
    write_whole(path, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["map.json"]
    assert path.read_bytes() == b"new"


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "taken"
    folder.mkdir()
    with pytest.raises(IsADirectoryError):
        write_whole(folder, b"new")
    assert [each.name for each in tmp_path.iterdir()] == ["taken"]
