from __future__ import annotations

import os
import re
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg_client.inputs import source as module
from semseg_client.inputs.source import Source, Unreadable, from_bytes, from_file, from_url, made_up_name
from tests.support import STREET
from tests.website import CONTENT, Website


def tiff(file: Path, count: int) -> Path:
    frames = [Image.new("RGB", (8, 6), (0, 0, shade)) for shade in range(count)]
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    return file


def pdf(file: Path, count: int) -> Path:
    pages = [Image.new("RGB", (8, 6), (0, 0, shade)) for shade in range(count)]
    pages[0].save(file, "PDF", save_all=True, append_images=pages[1:])
    return file


def video(file: Path, count: int) -> Path:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16))
    for _ in range(count):
        writer.write(np.zeros((16, 32, 3), np.uint8))
    writer.release()
    return file


def reasons(found: list[Source | Unreadable]) -> list[str]:
    assert all(isinstance(each, Unreadable) for each in found)
    return [each.reason for each in found if isinstance(each, Unreadable)]


def described(found: list[Source | Unreadable]) -> list[tuple[str | None, int | None, str, str]]:
    assert all(isinstance(each, Source) for each in found)
    return [(each.input_path, each.page_index, each.name, each.suffix) for each in found if isinstance(each, Source)]


def test_an_image_is_handed_on_byte_by_byte() -> None:
    assert list(from_file(str(STREET))) == [Source(STREET.read_bytes(), str(STREET), None, "street", ".jpg")]


def test_a_suffix_that_is_unknown_is_no_reason_not_to_try(tmp_path: Path) -> None:
    for name in ("street.xyz", "street", "street.tif"):
        (tmp_path / name).write_bytes(CONTENT)
        (image,) = from_file(str(tmp_path / name))
        assert isinstance(image, Source)
        assert image.content == CONTENT


def test_a_tiff_of_one_frame_is_handed_on_byte_by_byte(tmp_path: Path) -> None:
    file = tiff(tmp_path / "x.tif", 1)
    for found in (list(from_file(str(file))), list(from_bytes(file.read_bytes()))):
        (image,) = found
        assert isinstance(image, Source)
        assert image.content == file.read_bytes()
        assert image.page_index is None


def test_pages_and_frames_are_numbered_from_zero(tmp_path: Path) -> None:
    for file in (tiff(tmp_path / "x.tif", 2), pdf(tmp_path / "x.PDF", 2), video(tmp_path / "x.avi", 2)):
        path = str(file)
        assert described(list(from_file(path))) == [(path, 0, "x_0", file.suffix), (path, 1, "x_1", file.suffix)]


def test_a_damaged_frame_is_told_in_its_place(tmp_path: Path) -> None:
    file = tiff(tmp_path / "x.tif", 3)
    file.write_bytes(file.read_bytes()[:-100])  # PIL writes the last frame's pixels last
    found = list(from_file(str(file)))
    assert [type(each) for each in found] == [Source, Source, Unreadable]


def test_the_content_of_any_such_file_gives_the_same_images(tmp_path: Path) -> None:
    for file in (STREET, tiff(tmp_path / "x.tif", 2), pdf(tmp_path / "x.pdf", 2), video(tmp_path / "x.avi", 2)):
        of_file, of_bytes = list(from_file(str(file))), list(from_bytes(file.read_bytes()))
        for one, other in zip(of_file, of_bytes, strict=True):
            assert isinstance(one, Source)
            assert isinstance(other, Source)
            assert one.content == other.content
            assert one.page_index == other.page_index
            assert other.input_path is None
            assert re.fullmatch(r"\d+_\d{4}" if one.page_index is None else rf"\d+_\d{{4}}_{one.page_index}", other.name)


def test_a_made_up_name_is_the_time_and_four_digits() -> None:
    before = int(time.time())
    seconds, number = made_up_name().split("_")
    assert before <= int(seconds) <= time.time()
    assert 1000 <= int(number) <= 9999


def test_two_addresses_that_end_alike_do_not_share_an_image(site: Website) -> None:
    one, other = f"{site.url}/photos/x.jpg", f"{site.url}/empty/x.jpg"
    assert list(from_url(one)) == [Source(CONTENT, one, None, "x", ".jpg")]
    assert list(from_url(other)) == [Unreadable(other, "is empty (0 bytes)")]


def test_what_a_url_does_not_give_is_told() -> None:
    assert reasons(list(from_url("http://[::1"))) == ["is not a valid address: Invalid IPv6 URL"]


def test_a_temporary_file_goes_with_the_last_page_or_the_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = video(tmp_path / "x.avi", 3).read_bytes()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    assert len(list(from_bytes(content))) == 3
    unfinished = from_bytes(content)
    next(unfinished)
    assert list((tmp_path / "temporary").iterdir()) != []
    del unfinished
    assert list((tmp_path / "temporary").iterdir()) == []


def test_a_video_that_is_in_a_file_leaves_the_memory(tmp_path: Path) -> None:
    frames, padding = video(tmp_path / "x.avi", 3).read_bytes(), 10_000_000
    tracemalloc.start()
    found = from_bytes(frames + bytes(padding))
    next(found)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < padding / 2 < peak


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no-such-folder"))
    assert list(from_bytes(b"%PDF-1.7")) == [Unreadable("<bytes>", "No such file or directory")]


def test_files_that_give_no_image_say_why(tmp_path: Path) -> None:
    (tmp_path / "empty.jpg").touch()
    (tmp_path / "empty.pdf").touch()
    (tmp_path / "broken.pdf").write_bytes(b"nothing")
    (tmp_path / "broken.mp4").write_bytes(b"nothing" * 100)
    os.mkfifo(tmp_path / "pipe.jpg")
    told = {
        "no.jpg": "No such file or directory",
        "empty.jpg": "is empty (0 bytes)",
        "empty.pdf": "is empty (0 bytes)",
        "empty.jpg/x.jpg": "Not a directory",
        "broken.pdf": "cannot be read as a PDF file: it is damaged or has no pages",
        "broken.mp4": "no frame can be read: the video is damaged, or OpenCV lacks its codec; convert it to H.264",
        "pipe.jpg": "is neither a file nor a folder",
        "x" * 300: "File name too long",
    }
    for name, reason in told.items():
        path = str(tmp_path / name)
        assert list(from_file(path)) == [Unreadable(path, reason)]


def test_a_file_that_no_request_can_carry_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 10)
    (tmp_path / "x.jpg").write_bytes(bytes(11))
    assert reasons(list(from_file(str(tmp_path / "x.jpg")))) == ["is larger than the 2 GB that a request may hold"]


@pytest.mark.parametrize(
    ("module", "package", "file"),
    [("pypdfium2", "pypdfium2", "x.pdf"), ("cv2", "opencv-python-headless", "x.avi"), ("httpx", "httpx", "http://127.0.0.1/x")],
)
def test_a_package_that_is_missing_is_named(
    module: str, package: str, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / "x.pdf").write_bytes(b"%PDF-")
    (tmp_path / "x.avi").write_bytes(b"RIFF")
    found = from_url(file) if module == "httpx" else from_file(str(tmp_path / file))
    assert reasons(list(found)) == [f"the package {package} is needed to read it: pip install {package}"]


def test_a_source_is_printed_without_its_content() -> None:
    (image,) = from_file(str(STREET))
    assert repr(image) == f"Source(input_path='{STREET}', page_index=None, name='street', suffix='.jpg')"
