"""Files with several images (PDF, TIFF, video), read one image at a time into lossless files."""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from .bitmap import bmp

Kind = Literal["pdf", "tiff", "video"]

VIDEO_SUFFIXES = frozenset({".mp4", ".avi", ".mov", ".mkv", ".webm"})
HEAD = 64  # first bytes of a file, enough to tell its kind

_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")  # the latter two are BigTIFF
# ISO media except still images (AVIF, HEIF); AVI; Matroska and WebM.
_VIDEO = re.compile(rb".{4}ftyp(?!avi|hei|hev|mif|msf)|RIFF.{4}AVI |\x1aE\xdf\xa3", re.DOTALL)
_PDF_SCALE = 2.0  # pixels per point, as in PaddleX 3.7.2
_PDF_PIXELS = 178_956_970  # the most that the server decodes; a larger page is scaled down, as in PaddleX
# PDFium allows one thread at a time, even for different documents. The lock is reentrant because the garbage collector may
# close an abandoned document while another is being read.
_PDFIUM = threading.RLock()


class NoImage(Exception):
    """The reason why an input, or one of its pages, gave no image."""


Page = bytes | NoImage  # an encoded image, or why the page has none


def kind_of(suffix: str, head: bytes) -> Kind | None:
    """The kind of a file with several images, judged by its suffix or its first bytes; None for a single image.

    The suffix is tried first, so that a damaged file is still reported by its kind. A file from a URL may have no suffix.
    """
    suffix = suffix.lower()
    if suffix == ".pdf" or head.startswith(b"%PDF-"):
        return "pdf"
    if suffix in VIDEO_SUFFIXES or _VIDEO.match(head):
        return "video"
    return "tiff" if head.startswith(_TIFF) else None


def pages(file: Path, kind: Kind) -> Iterator[Page] | None:
    """The images of `file`, each read when requested. None for a TIFF with one frame, which is a single image.

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
            import cv2

            count = cv2.imcount(str(file))
            return _tiff(file, count) if count > 1 else None


def _tiff(file: Path, count: int) -> Iterator[Page]:
    import cv2

    for index in range(count):
        try:
            # Decoded as the server decodes a TIFF with one page. Only the headers of the preceding pages are read.
            _, found = cv2.imreadmulti(str(file), start=index, count=1, flags=cv2.IMREAD_COLOR)
        except cv2.error:
            found = ()
        yield bmp(found[0]) if found else NoImage(f"page {index} cannot be decoded: the TIFF file is damaged")


def _video(file: Path) -> Iterator[Page]:
    import cv2

    capture = cv2.VideoCapture(str(file.absolute()))  # FFmpeg would take a name such as "pipe:1.mp4" for a protocol
    try:
        got, frame = capture.read()
        if not got:
            raise NoImage("no frame can be read: the video is damaged, or OpenCV lacks its codec; convert it to H.264")
        while got:
            yield bmp(frame)
            got, frame = capture.read()
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
