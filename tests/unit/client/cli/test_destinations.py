from __future__ import annotations

from pathlib import Path

import pytest
import typer

from semseg_client.cli.destinations import only_image, output_of
from semseg_client.errors import UnwritableOutput
from semseg_client.inputs.resolve import items
from semseg_client.results.outputs import Output
from tests.support import STREET

OPTION = "--save-path"


@pytest.mark.parametrize(
    ("path", "asked", "output"),
    [
        ("r.jpg", None, Output.PICTURE),
        ("r.PNG", None, Output.PICTURE),
        ("r.json", None, Output.JSON),
        ("r.geojson", None, Output.POLYGONS),
        ("r.png", [Output.IDS], Output.IDS),
        ("r.json", [Output.POLYGONS], Output.POLYGONS),
        ("r", None, None),
        ("r.2024", None, None),
        ("r.png/", None, None),
        ("there.jpg", None, None),
    ],
)
def test_a_suffix_makes_a_file_and_a_slash_a_folder(
    path: str, asked: list[Output] | None, output: Output | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.jpg").mkdir()
    assert output_of(path, OPTION, asked) is output


@pytest.mark.parametrize(
    ("path", "asked", "told"),
    [
        ("r.jpg", [Output.IDS], "'r.jpg' cannot hold ids: use a file that ends in .png, or a folder"),
        ("r.png", [Output.JSON], "cannot hold json: use a file that ends in .json, or a folder"),
        ("r.avif", None, r"cannot hold picture or json or polygons: use a file that ends in \.bmp, .*\.webp, or a folder"),
        ("r.jp2", None, "with a slash at its end"),
        ("r.ras", None, "cannot hold"),
    ],
)
def test_a_file_whose_suffix_does_not_fit_is_refused(path: str, asked: list[Output] | None, told: str) -> None:
    with pytest.raises(typer.BadParameter, match=told):
        output_of(path, OPTION, asked)


def test_a_path_that_cannot_be_looked_up_is_told() -> None:
    with pytest.raises(UnwritableOutput, match=r"\.jpg cannot be written: File name too long"):
        output_of(f"{'a' * 300}.jpg", OPTION)


def test_an_image_is_not_replaced_by_its_own_result(tmp_path: Path) -> None:
    image, link = tmp_path / "a.jpg", tmp_path / "b.jpg"
    image.write_bytes(STREET.read_bytes())
    link.symlink_to(image)
    for path in (image, link):
        with pytest.raises(typer.BadParameter, match="is the input itself: choose another file"):
            only_image(items(str(image)), path, OPTION)
    assert len(only_image(items(str(image)), tmp_path / "c.jpg", OPTION)) == 1
