from __future__ import annotations

import struct
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pypdfium2
import pytest
from numpy.typing import NDArray
from PIL import Image

from semseg_client.inputs import pages as module
from semseg_client.inputs.bitmap import bmp
from semseg_client.inputs.image_header import START
from semseg_client.inputs.pages import Kind, NoImage, paged, pages
from semseg_client.inputs.servable import servable

SIZE = (160, 120)


def noise(seed: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)


def tiff(file: Path, count: int) -> Path:
    frames = [Image.fromarray(noise(seed)[..., ::-1]) for seed in range(count)]
    frames[0].save(file, save_all=True, append_images=frames[1:])
    return file


def video(file: Path, count: int) -> Path:
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*("MJPG" if file.suffix == ".avi" else "mp4v")), 10, SIZE)
    for shade in range(count):
        writer.write(np.full((SIZE[1], SIZE[0], 3), shade * 6, np.uint8))
    writer.release()
    return file


def written_pdf(file: Path, *objects: str, trailer: str = "") -> Path:
    """A PDF file as in ISO 32000-1, section 7.5; the first object is the catalog."""
    content = "%PDF-1.7\n"
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(content))
        content += f"{number} 0 obj\n{body}\nendobj\n"
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    end = f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{len(content)}\n%%EOF\n"
    file.write_text(f"{content}xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{end}", newline="\n")
    return file


def stream(dictionary: str, content: str) -> str:
    return f"<< {dictionary} /Length {len(content)} >>\nstream\n{content}\nendstream"


def pdf(file: Path, *boxes: str, more: str = "", trailer: str = "") -> Path:
    """One page per box, each with a red square of 10 points in its lower left corner."""
    kids = " ".join(f"{4 + index} 0 R" for index in range(len(boxes)))
    return written_pdf(
        file,
        "<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {len(boxes)} >>",
        stream("", "1 0 0 rg 0 0 10 10 re f"),
        *(f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] /Contents 3 0 R {more} >>" for box in boxes),
        trailer=trailer,
    )


def all_of(file: Path, kind: Kind) -> Iterator[bytes]:
    several = pages(file, kind)
    assert several is not None
    for page in several:
        assert isinstance(page, bytes)
        yield page


def decoded(content: bytes) -> NDArray[np.uint8]:
    return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]


def test_the_frames_of_a_tiff_come_in_order_and_bit_by_bit(tmp_path: Path) -> None:
    frames = list(all_of(tiff(tmp_path / "x.tif", 3), "tiff"))
    assert [np.array_equal(decoded(frame), noise(seed)) for seed, frame in enumerate(frames)] == [True] * 3


def test_a_tiff_of_one_frame_is_an_image_by_itself(tmp_path: Path) -> None:
    assert pages(tiff(tmp_path / "x.tif", 1), "tiff") is None


def test_a_damaged_frame_of_a_tiff_costs_itself_alone(tmp_path: Path) -> None:
    file = tiff(tmp_path / "x.tif", 3)
    content = file.read_bytes()
    file.write_bytes(content[: -len(noise(2).tobytes()) // 2])  # PIL writes the last frame's pixels last
    several = pages(file, "tiff")
    assert several is not None
    first, second, third = several
    assert np.array_equal(decoded(first), noise(0))  # type: ignore[arg-type]
    assert np.array_equal(decoded(second), noise(1))  # type: ignore[arg-type]
    assert str(third).startswith("page 2 cannot be decoded: not a whole image, or not a valid TIFF: one of its 1 strips")


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize(("cut", "lost"), [(2, 0), (30, 1), (130, 1)], ids=["offset", "half a page", "a page"])
def test_a_tiff_whose_end_is_missing_gives_its_whole_pages_and_says_so(cut: int, lost: int, count: int, tmp_path: Path) -> None:
    file = written_tiff(tmp_path / "x.tif", *[(GREY, {})] * count)  # each page's directory, 114 bytes, is behind its pixels
    file.write_bytes(file.read_bytes()[:-cut])
    *whole, missing = pages(file, "tiff") or ()
    assert len(whole) == count - lost
    assert all(isinstance(page, bytes) and np.array_equal(decoded(page)[..., 0], GREY) for page in whole)
    assert str(missing).startswith(f"page {count - lost} cannot be decoded: not a whole image, or not a valid TIFF: its ")


@pytest.mark.parametrize("name", ["x.avi", "x.mp4"])
def test_the_frames_of_a_video_come_in_order(name: str, tmp_path: Path) -> None:
    shades = [float(decoded(frame).mean()) for frame in all_of(video(tmp_path / name, 12), "video")]
    assert shades == pytest.approx([shade * 6 for shade in range(12)], abs=4)  # lossy


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_video_that_breaks_off_says_so_after_its_frames(share: float, tmp_path: Path) -> None:
    file = video(tmp_path / "x.avi", 40)
    content = file.read_bytes()
    file.write_bytes(content[: int(len(content) * share)])
    *frames, last = pages(file, "video") or ()
    assert 0 < len(frames) < 36
    assert all(isinstance(frame, bytes) for frame in frames)
    told = f"the video breaks off: {len(frames)} of about 40 frames can be read; get the whole file, or convert it"
    assert str(last) == told


@pytest.mark.parametrize("count", [1, 2, 3, 25])
def test_a_whole_video_is_not_said_to_break_off(count: int, tmp_path: Path) -> None:
    for name in ("x.avi", "x.mp4"):
        assert len(list(all_of(video(tmp_path / name, count), "video"))) == count


def test_a_video_is_not_held_in_memory(tmp_path: Path) -> None:
    file = video(tmp_path / "x.avi", 40)
    tracemalloc.start()
    count = sum(1 for _ in all_of(file, "video"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 40
    assert peak < 6 * len(bmp(noise(0)))


def test_what_opencv_takes_for_no_video_says_so(tmp_path: Path) -> None:
    file = tmp_path / "x.mp4"
    file.write_bytes(b"no video" * 100)
    with pytest.raises(NoImage, match="no frame can be read: the video is damaged"):
        list(all_of(file, "video"))


def test_a_video_is_never_a_protocol_of_ffmpegs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert len(list(all_of(video(Path("x.mp4"), 2).rename("file:y.mp4"), "video"))) == 2


def test_pages_of_a_pdf_have_two_pixels_a_point_and_paddlex_s_order_of_channels(tmp_path: Path) -> None:
    first, second = map(decoded, all_of(pdf(tmp_path / "x.pdf", "0 0 50 40", "0 0 30 60"), "pdf"))
    assert first.shape == (80, 100, 3)
    assert second.shape == (120, 60, 3)
    assert first[70, 10].tolist() == [0, 0, 255]  # red, in BGR
    assert first[10, 10].tolist() == [255, 255, 255]


def test_what_was_filled_into_a_pdf_is_drawn(tmp_path: Path) -> None:
    file = written_pdf(
        tmp_path / "x.pdf",
        "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [4 0 R] >> >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 50 40] /Annots [4 0 R] >>",
        "<< /Type /Annot /Subtype /Widget /FT /Tx /T (x) /V (x) /F 4 /Rect [0 0 20 20] /P 3 0 R /AP << /N 5 0 R >> >>",
        stream("/Type /XObject /Subtype /Form /BBox [0 0 20 20]", "0 0 1 rg 0 0 20 20 re f"),
    )
    (page,) = map(decoded, all_of(file, "pdf"))
    assert page[60, 20, 2] < 255


def test_a_page_beyond_what_the_server_decodes_is_rendered_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PDF_PIXELS", 10_000)
    (page,) = map(decoded, all_of(pdf(tmp_path / "x.pdf", "0 0 100 400"), "pdf"))
    height, width = page.shape[:2]
    assert 9_000 < height * width <= 10_000
    assert height / width == pytest.approx(4, rel=0.05)


def test_a_page_of_a_pdf_that_cannot_be_rendered_costs_itself_alone(tmp_path: Path) -> None:
    file = pdf(tmp_path / "x.pdf", "0 0 50 40", "0 0 50 40", "0 0 50 40")
    content = file.read_bytes()
    at = content.rindex(b"/Type /Page /Parent", 0, content.rindex(b"/Type /Page /Parent"))
    file.write_bytes(content[:at] + b"/Type /Font" + content[at + len(b"/Type /Font") :])
    first, second, third = list(pages(file, "pdf") or [])
    assert isinstance(first, bytes)
    assert str(second).startswith("page 1 of the PDF file cannot be rendered: ")
    assert isinstance(third, bytes)


def test_a_pdf_that_is_damaged_or_has_no_pages_says_so(tmp_path: Path) -> None:
    damaged = tmp_path / "x.pdf"
    damaged.write_bytes(b"%PDF-1.7\nno more")
    for file in (damaged, pdf(tmp_path / "empty.pdf")):
        with pytest.raises(NoImage, match="cannot be read as a PDF file: it is damaged or has no pages"):
            list(all_of(file, "pdf"))


def test_a_locked_pdf_says_so(tmp_path: Path) -> None:
    code = "0" * 64
    lock = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{code}> /U <{code}> /P -4 >> /ID [<00> <00>]"
    with pytest.raises(NoImage, match="password-protected: save it without a password"):
        list(all_of(pdf(tmp_path / "x.pdf", "0 0 50 40", trailer=lock), "pdf"))


def test_two_readings_of_a_pdf_do_not_disturb_each_other(tmp_path: Path) -> None:
    file = pdf(tmp_path / "x.pdf", "0 0 50 40", "0 0 30 60")
    alone = list(all_of(file, "pdf"))
    one, other = all_of(file, "pdf"), all_of(file, "pdf")
    assert [next(one), next(other)] == [alone[0]] * 2
    del one  # before it has been read to the end
    assert next(other) == alone[1]


def test_without_the_package_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, pypdfium2.__name__, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        list(all_of(pdf(tmp_path / "x.pdf", "0 0 50 40"), "pdf"))
    assert caught.value.name == "pypdfium2"


def test_files_are_known_by_their_content_where_the_suffix_does_not_tell(tmp_path: Path) -> None:
    files = [
        tiff(tmp_path / "x.tif", 1),
        pdf(tmp_path / "x.pdf", "0 0 50 40"),
        video(tmp_path / "x.avi", 1),
        video(tmp_path / "x.mp4", 1),
    ]
    assert [paged("", file.read_bytes()[:START]) for file in files] == ["tiff", "pdf", "video", "video"]
    assert paged("", b"\x1aE\xdf\xa3\x01\0\0\0") == "video"
    assert paged("", b"\0\0\0\x1cftypavif") is None
    assert paged("", b"\0\0\0\x1cftypmiaf\0\0\0\0miafmif1heic") is None
    assert paged("", b"\0\0\0\x1cftypM4A \0\0\0\0M4A mp42isom") is None
    assert paged(".tif", b"\x89PNG\r\n\x1a\n") is None


@pytest.mark.parametrize(("suffix", "kind"), [(".PDF", "pdf"), (".Mp4", "video"), (".webm", "video"), (".jpg", None)])
def test_a_known_suffix_decides_for_damaged_files_too(suffix: str, kind: Kind | None) -> None:
    assert paged(suffix, b"damaged") == kind


def written_tiff(file: Path, *pages: tuple[NDArray[np.generic], dict[int, int]]) -> Path:
    """A TIFF of uncompressed pages, grey [H, W] or RGB [H, W, 3], each with these tags besides its own."""
    data = bytearray(b"II*\0\0\0\0\0")
    link = 4
    for pixels, more in pages:
        height, width = pixels.shape[:2]
        samples = pixels.shape[2] if pixels.ndim == 3 else 1
        strip = len(data)
        data += pixels.tobytes()
        depths = len(data)
        data += struct.pack(f"<{samples}H", *[pixels.itemsize * 8] * samples) + bytes(4)
        inline = pixels.itemsize * 8 * (1 if samples == 1 else 0x10001)  # up to two values
        tags = {256: width, 257: height, 258: inline if samples < 3 else depths, 259: 1}
        tags |= {262: 2 if samples > 2 else 1, 273: strip, 277: samples, 278: height, 279: pixels.nbytes, **more}
        struct.pack_into("<I", data, link, len(data))
        data += struct.pack("<H", len(tags))
        for tag, value in sorted(tags.items()):
            data += struct.pack("<HHII", tag, 3 if tag == 258 else 4, samples if tag == 258 else 1, value)
        link = len(data)
        data += bytes(4)
    file.write_bytes(data)
    return file


GREY = np.arange(64 * 48, dtype=np.uint32).reshape(48, 64).astype(np.uint8)


def test_a_page_that_opencv_would_read_wrongly_costs_itself_alone(tmp_path: Path) -> None:
    file = written_tiff(tmp_path / "a.tif", (GREY, {}), (GREY.astype(np.float32), {339: 3}), (np.dstack([GREY] * 3), {}))
    first, second, third = pages(file, "tiff") or ()
    assert isinstance(first, bytes)
    assert str(second).startswith("page 1 cannot be decoded: a TIFF of 1 band, 32-bit floating-point, grey, ")
    assert np.array_equal(decoded(third), np.dstack([GREY] * 3))


def test_reduced_copies_and_masks_are_no_pages(tmp_path: Path) -> None:
    """As in a cloud-optimised GeoTIFF."""
    small, mask = (GREY[::2, ::2].copy(), {254: 1}), (GREY, {254: 4})
    assert pages(written_tiff(tmp_path / "a.tif", (GREY, {}), small, mask), "tiff") is None
    assert len(list(pages(written_tiff(tmp_path / "b.tif", (GREY, {}), small, (GREY, {})), "tiff") or ())) == 2
    [page] = pages(written_tiff(tmp_path / "c.tif", small, (GREY, {})), "tiff") or ()
    assert isinstance(page, bytes)
    assert np.array_equal(decoded(page)[..., 0], GREY)


def test_pages_of_sixteen_bits_that_opencv_reads_in_two_ways_are_read_as_one_byte(tmp_path: Path) -> None:
    """White as 0, and grey with alpha."""
    deep = GREY.astype(np.uint16) * 257
    file = written_tiff(tmp_path / "a.tif", (deep, {262: 0}), (np.dstack([deep] * 2), {338: 1}))
    white, alpha = pages(file, "tiff") or ()
    assert isinstance(white, bytes)
    assert isinstance(alpha, bytes)
    assert np.array_equal(decoded(white)[..., 0], 255 - GREY)
    assert np.array_equal(decoded(alpha)[..., 0], GREY)
    assert [servable(page) for page in (white, alpha)] == [(white, ""), (alpha, "")]
    with pytest.raises(NoImage, match=r"^cannot be scaled: save it as grey or RGB"):
        servable(white, 12)


def test_such_pages_that_are_almost_black_or_white_are_hinted_at(tmp_path: Path) -> None:
    low = GREY.astype(np.uint16) * 16
    file = written_tiff(tmp_path / "a.tif", (low, {262: 0}), (np.dstack([low] * 2), {338: 1}))
    hints = [servable(page)[1] for page in pages(file, "tiff") or () if isinstance(page, bytes)]
    assert [hint.partition(";")[0] for hint in hints] == [f"the network sees it almost {colour}" for colour in ("white", "black")]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pages_of_sixteen_bits_keep_them_and_look_as_opencv_reads_them(channels: int, tmp_path: Path) -> None:
    deep = GREY.astype(np.uint16) * 16 if channels == 1 else np.dstack([GREY.astype(np.uint16) * 16] * channels)
    alpha = {338: 1} if channels in (2, 4) else {}
    file = written_tiff(tmp_path / "a.tif", (deep, alpha), (deep, alpha))
    for index, page in enumerate(pages(file, "tiff") or ()):
        assert isinstance(page, bytes)
        assert servable(page)[1].startswith("its largest 16-bit sample is 4080, ")
        assert np.array_equal(decoded(servable(page, 12)[0])[..., 0], GREY)
        [expected] = cv2.imreadmulti(str(file), start=index, count=1, flags=cv2.IMREAD_COLOR)[1]
        assert np.array_equal(decoded(page), expected)


@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_pages_are_turned_by_their_orientation(turn: int, tmp_path: Path) -> None:
    file = written_tiff(tmp_path / "a.tif", *[(GREY, {274: turn})] * 2)
    for page in pages(file, "tiff") or ():
        assert np.array_equal(decoded(page)[..., 0], np.rot90(GREY, {1: 0, 3: 2, 6: -1, 8: 1}[turn]))
