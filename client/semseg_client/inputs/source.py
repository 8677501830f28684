"""The images of one input (a file, a URL or bytes), or the reason why there are none."""

from __future__ import annotations

import secrets
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from .download import download, file_name
from .image_header import START
from .pages import Kind, NoImage, paged, pages

_PACKAGES = {"cv2": "opencv-python-headless"}  # where the package's name differs from the module's
_MOST_BYTES = 2**31 - 2**20  # gRPC's limit, minus room for the rest of the request


@dataclass(frozen=True)
class Source:
    """One image to segment.

    `content` is an encoded image: the file's own bytes if the file is one image, else a BMP file.
    `input_path` is the path or URL, None for arrays and bytes. The paths of files found in a folder begin with the folder's path.
    `page_index` counts the pages of a PDF or the frames of a TIFF or video from 0. It is None for a single image.
    `name` is a stem for saved files. Two sources may have the same name: code that saves them must make it unique.
    `suffix` is the suffix of the input's name as written, with its dot, or "".
    """

    content: bytes = field(repr=False)
    input_path: str | None
    page_index: int | None
    name: str
    suffix: str


@dataclass(frozen=True)
class Unreadable:
    """An input, or one of its pages, that gave no image, and why. For bytes, `input_path` is "<bytes>"."""

    input_path: str
    reason: str


@dataclass(frozen=True)
class _Origin:
    """The properties that all images of one input share."""

    input_path: str | None
    name: str
    suffix: str

    def image(self, content: bytes) -> Source:
        return Source(content, self.input_path, None, self.name, self.suffix)

    def page(self, page: bytes | NoImage, index: int) -> Source | Unreadable:
        if isinstance(page, NoImage):
            return self.unreadable(str(page))
        return Source(page, self.input_path, index, f"{self.name}_{index}", self.suffix)

    def unreadable(self, reason: str) -> Unreadable:
        return Unreadable("<bytes>" if self.input_path is None else self.input_path, reason)


def from_file(path: str) -> Iterator[Source | Unreadable]:
    """The images of a file. A file that the user names is tried, whatever its suffix.

    The server decodes by content, and reports a clear error if it cannot.
    """
    file = Path(path)
    origin = _Origin(path, file.stem, file.suffix)
    return _told(origin, _file(origin, file))


def from_url(url: str) -> Iterator[Source | Unreadable]:
    """The images at a URL."""
    return _told(_Origin(url, "", ""), _url(url))


def from_bytes(content: bytes, input_path: str | None = None, name: str | None = None) -> Iterator[Source | Unreadable]:
    """The images in a file's content, with its `input_path` and `name`, if any."""
    origin = _Origin(input_path, name or made_up_name(), "")
    return _told(origin, _content(origin, content))


def made_up_name() -> str:
    """A name for an image without one, in the form that PaddleX 3.7.2 uses."""
    return f"{int(time.time())}_{1000 + secrets.randbelow(9000)}"


def why(error: OSError | ImportError) -> str:
    """The error on one line, without the path."""
    if isinstance(error, ModuleNotFoundError) and error.name is not None:
        package = _PACKAGES.get(error.name, error.name)
        return f"the package {package} is needed to read it: pip install {package}"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _told(origin: _Origin, images: Iterator[Source | Unreadable]) -> Iterator[Source | Unreadable]:
    """Yield `images`; on an error, yield an Unreadable with the reason."""
    try:
        yield from images
    except NoImage as error:
        yield origin.unreadable(str(error))
    except (OSError, ImportError) as error:
        yield origin.unreadable(why(error))


def _file(origin: _Origin, file: Path) -> Iterator[Source | Unreadable]:
    found = file.stat()
    if not stat.S_ISREG(found.st_mode):
        raise NoImage("is neither a file nor a folder")  # a read from a pipe or a device might never end
    with file.open("rb") as stream:
        start = stream.read(START)
    kind = paged(file.suffix, start)
    if kind is not None and start:
        yield from _pages(origin, file, kind)
    elif found.st_size > _MOST_BYTES:
        raise NoImage("is larger than the 2 GB that a request may hold")
    else:
        yield from _content(origin, file.read_bytes())


def _url(url: str) -> Iterator[Source | Unreadable]:
    name = Path(file_name(url))
    yield from _content(_Origin(url, name.stem, name.suffix), download(url))


def _content(origin: _Origin, content: bytes) -> Iterator[Source | Unreadable]:
    if not content:
        raise NoImage("is empty (0 bytes)")
    kind = paged(origin.suffix, content[:START])
    if kind is None:
        yield origin.image(content)
        return
    with TemporaryDirectory(prefix="semseg-") as folder:  # the readers of pages need a file
        file = Path(folder, "input")
        file.write_bytes(content)
        del content  # free it now: reading a video takes a long time
        yield from _pages(origin, file, kind)


def _pages(origin: _Origin, file: Path, kind: Kind) -> Iterator[Source | Unreadable]:
    several = pages(file, kind)
    if several is None:
        yield origin.image(file.read_bytes())
    else:
        for index, page in enumerate(several):
            yield origin.page(page, index)
