"""Which files of a folder are images, and how the others are told."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from semseg_client.inputs import heif
from semseg_client.inputs.resolve import Sieve, Source, sources
from tests.fuzz.seeds import encoded, scene, seeds

JPEG = encoded(".jpg", scene())
OTHERS = {
    "GIF": b"GIF89a\1\0\1\0",
    "JPEG 2000": b"\0\0\0\x0cjP  \r\n\x87\n",
    "JPEG XL": b"\xff\x0a\1\2",
    "SVG": b"<svg xmlns='a'/>",
    "Photoshop (PSD)": b"8BPS\0\1",
    "TGA": bytes((0, 0, 2, *bytes(9), 1, 0, 1, 0, 24, 0)),
    "ICO": b"\0\0\1\0\1\0\x10\x10",
}


def taken(folder: Path, files: dict[str, bytes]) -> tuple[list[str], Sieve]:
    sieve = Sieve()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return [name for name in files if sieve.takes(str(folder / name))], sieve


@pytest.mark.parametrize("suffix", ["", ".jfif", ".jfi", ".pjpeg", ".pjp", ".JFIF", ".orig", ".gif", ".heic", ".1", ".txt"])
def test_an_image_is_taken_whatever_its_suffix(suffix: str, tmp_path: Path) -> None:
    names, sieve = taken(tmp_path, {f"a{suffix}": JPEG})
    assert names
    assert not sieve


@pytest.mark.parametrize("kind", seeds())
def test_an_image_of_each_readable_kind_is_taken_without_a_suffix(kind: str, tmp_path: Path) -> None:
    assert taken(tmp_path, {"a": seeds()[kind]})[0]


@pytest.mark.parametrize("start", [b"%PDF-1.7\n", b"\0\0\0\x20ftypisom", b"\x1aE\xdf\xa3\1\0\0\0"])
def test_a_pdf_or_video_is_taken_without_a_suffix(start: bytes, tmp_path: Path) -> None:
    assert taken(tmp_path, {"a": start})[0]


@pytest.mark.parametrize("name", ["song.m4a", "song.mka"])
def test_sound_is_no_video(name: str, tmp_path: Path) -> None:
    names, sieve = taken(tmp_path, {name: b"\0\0\0\x20ftypisom"})
    assert (names, str(sieve)) == ([], f"1 other file ({Path(name).suffix})")


def test_an_image_of_another_kind_is_counted_whatever_its_suffix(tmp_path: Path) -> None:
    assert str(taken(tmp_path, {"a.txt": OTHERS["GIF"]})[1]) == "1 GIF"


@pytest.mark.parametrize("name", ["notes.txt", "x.CSV", "pipe"])
def test_a_pipe_is_not_opened_but_counted(name: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / name)  # to open it would wait for ever
    sieve = Sieve()
    assert not sieve.takes(str(tmp_path / name))
    assert str(sieve) == f"1 other file ({Path(name).suffix.lower() or 'no suffix'})"
    assert not sieve.images


@pytest.mark.parametrize("kind", OTHERS)
def test_an_image_of_another_kind_is_counted_by_its_name(kind: str, tmp_path: Path) -> None:
    names, sieve = taken(tmp_path, {"a": OTHERS[kind], "b.dat": OTHERS[kind]})
    assert not names
    assert (str(sieve), sieve.images) == (f"2 {kind}", 2)


@pytest.mark.parametrize("suffix", [".nef", ".DNG", ".cr2", ".arw"])
def test_a_cameras_raw_file_is_not_taken_for_the_tiff_that_it_begins_like(suffix: str, tmp_path: Path) -> None:
    names, sieve = taken(tmp_path, {f"a{suffix}": seeds()["tiff"]})
    assert not names
    assert str(sieve) == "1 camera raw"


@pytest.mark.parametrize("text", [b"BMW of 1999, a list of parts and prices\n", b"P1 is the first of the pages\n", b"\n", b""])
def test_a_text_that_begins_like_an_image_is_none(text: bytes, tmp_path: Path) -> None:
    names, sieve = taken(tmp_path, {"README": text})
    assert not names
    assert str(sieve) == "1 other file (no suffix)"


def test_what_is_passed_over_is_told_by_kind_and_number(tmp_path: Path) -> None:
    names, sieve = taken(
        tmp_path,
        {
            **{f"{number}.gif": OTHERS["GIF"] for number in range(3)},
            "a.jp2": OTHERS["JPEG 2000"],
            "b.jpg": JPEG,
            "notes.txt": b"x",
            "Thumbs.db": b"x",
        },
    )
    assert names == ["b.jpg"]
    assert str(sieve) == "3 GIF, 1 JPEG 2000, 2 other files (.db, .txt)"


def test_many_suffixes_are_told_in_part(tmp_path: Path) -> None:
    _, sieve = taken(tmp_path, {f"a.x{number}": b"x" for number in range(9)})
    assert str(sieve) == "9 other files (.x0, .x1, .x2, .x3, .x4, .x5, ...)"


def test_heif_is_passed_over_with_the_extra_named_only_if_it_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"IMG_1.HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "b": b"\0\0\0\x18ftypavif\0\0\0\0mif1avif"}
    assert taken(tmp_path, files)[0] == [*files]
    monkeypatch.setattr(heif, "find_spec", lambda _: None)
    names, sieve = taken(tmp_path, files)
    assert not names
    assert str(sieve) == "1 AVIF, 1 HEIF (HEIC); to read HEIF and AVIF: pip install 'paddle-semseg-client[heif]'"


def test_a_pipeline_warns_of_images_but_only_mentions_other_files(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    taken(tmp_path, {"a": JPEG, ".b.gif": OTHERS["GIF"], "._c.jpg": b"\0\5\x16\7", "notes.txt": b"x"})
    caplog.set_level(logging.INFO)
    assert [each.input_path for each in sources(tmp_path)] == [str(tmp_path / "a")]
    taken(tmp_path, {"d.gif": OTHERS["GIF"]})
    assert all(isinstance(each, Source) for each in sources(str(tmp_path / "*")))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", "passed over: 1 other file (.txt)"),
        ("WARNING", "passed over: 1 GIF, 1 other file (.txt)"),
    ]
