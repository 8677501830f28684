"""Files with several images (PDF, TIFF, video), read one image at a time into lossless files."""

from __future__ import annotations

import itertools
import math
import re
import threading
from collections.abc import Iterator
from functools import partial
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any, Literal

from .bitmap import bmp
from .image_header import Undecodable, kind_of, read, tiff_pages
from .pixels import MOST_PIXELS, same

Kind = Literal["pdf", "tiff", "video"]

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm"})

KINDS: dict[str, Kind] = {"PDF": "pdf", "a video": "video", "TIFF": "tiff"}  # by the names in image_header.py
_WHOLE_VIDEO = 0.9  # of the frames that it tells: some containers only estimate their number
_PDF_SCALE = 2.0  # pixels per point, as in PaddleX 3.7.2
_PDF_PIXELS = MOST_PIXELS  # a larger page is scaled down, as in PaddleX
# PDFium allows one thread at a time, even for different documents. The lock is reentrant because the garbage collector may
# close an abandoned document while another is being read.
_PDFIUM = threading.RLock()


class NoImage(Exception):
    """The reason why an input, or one of its pages, gave no image."""


class UpperBytes(bytes):
    """A page as a BMP of the upper bytes of its samples, which have two: OpenCV cannot read both (see `same`)."""


Page = bytes | NoImage  # an encoded image, or why the page has none


def paged(suffix: str, start: bytes) -> Kind | None:
    """The kind of a file with several images, judged by its suffix or its first START bytes; None for a single image.

    The suffix is tried first, so that a damaged file is still reported by its kind. A file from a URL may have no suffix.
    """
    suffix = suffix.lower()
    if suffix == ".pdf":
        return "pdf"
    return "video" if suffix in VIDEO_SUFFIXES else KINDS.get(kind_of(start))


def pages(file: Path, kind: Kind) -> Iterator[Page] | None:
    """The images of `file`, each read when requested. None for a TIFF with one page, which is a single image.

    Reduced copies and masks of a TIFF's pages are no images of their own.

    Raises, here or at the first page:
        NoImage: the file has no image.
        ModuleNotFoundError: a package that reads files of this kind is not installed.
    """
    match kind:
        case "pdf":
            return _pdf(file)
        case "video":
            return _video(file)
        case "tiff":
            return _tiff(file)


def _tiff(file: Path) -> Iterator[Page] | None:
    places: list[int] = []
    headers: list[int | str] = []  # of each page: its bits, or why it cannot be decoded
    missing: list[Page] = []  # why there are no more pages, if the file should have them
    with file.open("rb") as stream, mmap(stream.fileno(), 0, access=ACCESS_READ) as data:
        try:
            for place, offset in tiff_pages(data):
                places.append(place)
                headers.append(_bits(data, offset))
        except Undecodable as error:
            missing = [NoImage(f"page {len(places)} {error}")]
    if not places or (places == [0] and not missing):  # the server reads the first page, or says why not
        return None
    return itertools.chain(map(partial(_tiff_page, file), itertools.count(), places, headers), missing)


def _bits(data: mmap, page: int) -> int | str:
    """The bits per sample of a TIFF's page, or why it cannot be decoded."""
    try:
        return read(data, page).bits
    except Undecodable as error:
        return str(error)


def _tiff_page(file: Path, index: int, place: int, bits: int | str) -> Page:
    """The page at `place` in the file. It is decoded as the server decodes a TIFF with one page; 16 bits are kept."""
    import cv2

    if isinstance(bits, str):
        return NoImage(f"page {index} {bits}")
    try:  # reads only the headers of the pages before
        found = cv2.imreadmulti(str(file), start=place, count=1, flags=cv2.IMREAD_COLOR)[1]
        deep = cv2.imreadmulti(str(file), start=place, count=1, flags=cv2.IMREAD_UNCHANGED)[1] if bits == 16 else ()
    except cv2.error:
        found = deep = ()
    if not found:
        return NoImage(f"page {index} cannot be decoded: the TIFF file is damaged")
    if deep and same(deep[0], found[0]):
        colours = deep[0][..., :3] if deep[0].ndim == 3 else deep[0]  # without alpha
        return cv2.imencode(".tif", colours, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes()
    return UpperBytes(bmp(found[0])) if bits == 16 else bmp(found[0])


def _video(file: Path) -> Iterator[Page]:
    import cv2

    capture = cv2.VideoCapture(str(file.absolute()))  # FFmpeg would take a name such as "pipe:1.mp4" for a protocol
    try:
        got, frame = capture.read()
        if not got:
            raise NoImage("no frame can be read: the video is damaged, or OpenCV lacks its codec; convert it to H.264")
        rate, told = capture.get(cv2.CAP_PROP_FPS), capture.get(cv2.CAP_PROP_FRAME_COUNT)  # no positive number if unknown
        count, reached = 0, 0.0
        while got:
            count += 1
            # The number is often computed from the length, at a constant rate. So the time counts, too.
            reached = max(count, capture.get(cv2.CAP_PROP_POS_MSEC) / 1000 * rate)
            yield bmp(frame)
            got, frame = capture.read()
        if reached < _WHOLE_VIDEO * told - 1:
            yield NoImage(
                f"the video breaks off: {count} of about {told:.0f} frames can be read; get the whole file, or convert it"
            )
    finally:
        capture.release()


def _pdf(file: Path) -> Iterator[Page]:
    import pypdfium2

    try:
        with _PDFIUM:
            document = pypdfium2.PdfDocument(file)
    except pypdfium2.PdfiumError as error:
        if re.search("password|security", str(error), re.IGNORECASE):
            raise NoImage("the PDF file is password-protected: save it without a password") from error
        raise NoImage("cannot be read as a PDF file: it is damaged or has no pages") from error  # PDFium may say "Success"
    try:
        with _PDFIUM:
            document.init_forms()  # so that filled-in form fields are drawn
            count = len(document)
        for index in range(count):
            yield _rendered(document, index)
    finally:
        with _PDFIUM:
            document.close()


def _rendered(document: Any, index: int) -> Page:
    import pypdfium2

    try:
        with _PDFIUM:
            page = document[index]
            try:
                width, height = page.get_size()
                scale = min(_PDF_SCALE, math.sqrt(0.99 * _PDF_PIXELS / (width * height)))  # 0.99: sides are rounded up
                return bmp(page.render(scale=scale).to_numpy())
            finally:
                page.close()
    except (pypdfium2.PdfiumError, ValueError, ZeroDivisionError) as error:
        return NoImage(f"page {index} of the PDF file cannot be rendered: {error}")
