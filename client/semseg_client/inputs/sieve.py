"""Picks the inputs out of the files of a folder, and counts what it passes over."""

from __future__ import annotations

import re
import stat
from collections import Counter
from pathlib import Path

from .heif import AVIF, HEIF, INSTALL, installed
from .image_header import FORMATS, OTHER_IMAGES, START, kind_of
from .pages import KINDS, VIDEO_SUFFIXES

# PaddleX 3.7.2's suffixes and .jpe, which OpenCV also reads.
IMAGE_SUFFIXES = frozenset(
    {".bmp", ".dib", ".jpeg", ".jpg", ".jpe", ".png", ".webp", ".pbm", ".pgm", ".ppm", ".pnm", ".sr", ".ras", ".tiff", ".tif"}
)
SUFFIXES = IMAGE_SUFFIXES | {".pdf"} | VIDEO_SUFFIXES

# Most of these begin like a TIFF, whose first picture is only a thumbnail.
_RAW = frozenset(
    {".3fr", ".arw", ".cr2", ".cr3", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf"}
    | {".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f"}
)
_AUDIO = frozenset({".aac", ".m4a", ".m4b", ".mka", ".weba"})  # begin like videos
_READABLE = frozenset(FORMATS.split(", ")) | KINDS.keys()
_CAMERA_RAW, _UNREADABLE, _LINK = "camera raw", "unreadable", "link to a folder"
# Two letters begin a BMP and a PNM, and many a text.
_CERTAIN = {
    "BMP": re.compile(rb"BM.{4}\0{4}.{4}[\x0c\x28\x34\x38\x40\x6c\x7c]\0{3}", re.DOTALL),
    "PNM": re.compile(rb"P[1-6]\s(?:\s|#[^\r\n]*[\r\n])*\d+\s"),
}
_MOST_SUFFIXES = 6
RECORD = ".semseg"  # the hidden folder in a folder of our results


class Sieve:
    """Counts the files that `takes` passes over, links to folders, and folders of our results. It is true if there are any.

    `images` is the number of images among them, and of what may be or hold images: files that cannot be opened, and links. `str`
    lists them by kind.
    """

    def __init__(self) -> None:
        self._images: Counter[str] = Counter()
        self._others: Counter[str] = Counter()
        self._results: list[str] = []

    def takes(self, path: str) -> bool:
        """Whether this file is an input: by its suffix, or by its first bytes."""
        suffix = Path(path).suffix.lower()
        if suffix in SUFFIXES:
            return True
        kind = _CAMERA_RAW if suffix in _RAW else "" if suffix in _AUDIO else _kind(path)
        if kind in _READABLE or (kind in (HEIF, AVIF) and installed(kind)):
            return True
        if kind in OTHER_IMAGES or kind == _UNREADABLE:
            self._images[kind] += 1
        else:
            self._others[suffix or "no suffix"] += 1
        return False

    def results(self, folder: str) -> None:
        """Pass over a folder of our own results."""
        self._results.append(folder)

    def links(self, count: int) -> None:
        """Count links to folders: they are not followed, because they may form loops."""
        self._images += Counter({_LINK: count})

    def add(self, other: Sieve) -> None:
        self._images += other._images
        self._others += other._others
        self._results += other._results

    @property
    def images(self) -> int:
        return self._images.total()

    def __bool__(self) -> bool:
        return bool(self._images or self._others or self._results)

    def __str__(self) -> str:
        by_number = sorted(self._images.items(), key=lambda each: (-each[1], each[0]))
        told = [f"{count} {_named(kind, count)}" for kind, count in by_number]
        if self._others:
            count, suffixes = self._others.total(), sorted(self._others)
            more = ["..."] if len(suffixes) > _MOST_SUFFIXES else []
            told.append(f"{count} other file{'s' * (count > 1)} ({', '.join(suffixes[:_MOST_SUFFIXES] + more)})")
        told += [f"the results in {folder}" for folder in self._results]
        hint = f"; to read HEIF and AVIF: {INSTALL}" if {HEIF, AVIF} & self._images.keys() else ""
        return ", ".join(told) + hint


def _named(kind: str, count: int) -> str:
    return "links to folders" if kind == _LINK and count > 1 else kind


def _kind(path: str) -> str:
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):  # a read from a pipe might never end
            return ""
        with Path(path).open("rb") as file:
            start = file.read(START)
    except OSError:
        return _UNREADABLE
    kind = kind_of(start)
    return kind if kind not in _CERTAIN or _CERTAIN[kind].match(start) else ""
