"""Turns whatever a user passes to `predict` into a stream of encoded images, in order."""

from __future__ import annotations

import glob
import itertools
import logging
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..errors import InvalidInput
from .bitmap import bmp
from .sieve import RECORD, SUFFIXES, Sieve
from .source import Source, Unreadable, from_bytes, from_file, from_url, made_up_name, why

__all__ = ["SUFFIXES", "Input", "Item", "Sieve", "Source", "Unreadable", "images", "items", "sources"]

Input: TypeAlias = (
    "str | os.PathLike[str] | bytes | bytearray | memoryview | npt.NDArray[Any] | Mapping[str, Input] | Iterable[Input]"
)
Item: TypeAlias = "str | bytes | npt.NDArray[Any] | Source | Unreadable"

_log = logging.getLogger(__name__)

_ACCEPTED = (
    "a path, an http(s) URL, a folder, a glob pattern, the bytes of an image file, a numpy array (uint8, [H, W, 3] BGR),"
    ' a list or an iterator of these, or a dict {"img": ...}'
)


def sources(given: Input) -> Iterator[Source | Unreadable]:
    """The images of `given`, in order. Each is read, downloaded or rendered only when requested.

    A path may be an image, a PDF, a TIFF with several frames, a video or a folder. A folder is searched recursively,
    sorted by path. Of its files, those with a suffix in SUFFIXES are taken, and others if their first bytes are those of an
    image, a PDF or a video that can be read. Hidden files are skipped silently; what else is passed over is logged at the end,
    as a warning if there are images among it, or links to folders. The same goes for a glob pattern. An input without an image
    yields an Unreadable instead.

    Raises:
        InvalidInput: `given`, or something in its lists and dicts, is of an unsupported type. Raised before anything is
            read; for items of an iterator, when they are reached.
    """
    sieve = Sieve()
    return itertools.chain(itertools.chain.from_iterable(map(images, items(given, sieve))), _told(sieve))


def items(given: Input, sieve: Sieve | None = None) -> Iterator[Item]:
    """The individual items of `given`, not yet read: file paths, URLs, contents, and Unreadables.

    `sieve`, if given, counts the files that folders and glob patterns pass over.

    Raises:
        InvalidInput: see `sources`.
    """
    _check(given)
    return _items(given, Sieve() if sieve is None else sieve)


def images(item: Item) -> Iterator[Source | Unreadable]:
    """The images of one item that `items` yielded."""
    match item:
        case Source() | Unreadable():
            return iter([item])
        case np.ndarray():
            return iter([Source(bmp(item), None, None, made_up_name(), "")])
        case bytes():
            return from_bytes(item)
        case _:
            return from_url(item) if _is_url(item) else from_file(item)


def _told(sieve: Sieve) -> Iterator[Source | Unreadable]:
    """Yields nothing, but logs what was passed over by the time that this is reached."""
    yield from ()
    if sieve:
        _log.log(logging.WARNING if sieve.images else logging.INFO, "passed over: %s", sieve)


def _check(given: object) -> None:
    match given:
        case str() | os.PathLike() | bytes() | bytearray() | memoryview():
            pass
        case np.ndarray():
            _check_array(given)
        case Mapping():
            _check(_only_value(given))
        case list() | tuple():
            for item in given:
                _check(item)
        case _ if hasattr(given, "read"):  # iterating over it would yield lines
            raise InvalidInput(f"an open file ({_kind(given)}) is not a valid input: pass its path, or the result of its read()")
        case Iterable() if not hasattr(given, "__array__"):  # iterating over a tensor would yield rows
            pass
        case _:
            raise InvalidInput(f"{_kind(given)} is not a valid input: pass {_ACCEPTED}")


def _check_array(pixels: npt.NDArray[Any]) -> None:
    told = f"an array of {pixels.dtype} {list(pixels.shape)} is not an image"
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise InvalidInput(f"{told}: its shape must be [H, W, 3] (BGR), [H, W, 4] (BGRA), [H, W] or [H, W, 1] (grey)")
    if pixels.dtype != np.uint8:
        raise InvalidInput(f"{told}: it must be uint8, from 0 to 255")
    if not pixels.size:
        raise InvalidInput(f"{told}: it has no pixels")


def _only_value(given: Mapping[Any, Any]) -> Any:
    if len(given) != 1 or not given.keys() <= {"img", "input"}:
        keys = ", ".join(map(repr, given)) or "none"
        raise InvalidInput(f'a dict must have one key, "img" or "input"; the keys are: {keys}')
    return next(iter(given.values()))


def _kind(given: object) -> str:
    kind = type(given)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _items(given: Any, sieve: Sieve) -> Iterator[Item]:
    match given:
        case np.ndarray():
            yield given
        case bytes() | bytearray() | memoryview():
            yield bytes(given)
        case str() | os.PathLike():
            yield from _named(os.fsdecode(given), sieve)
        case Mapping():
            yield from _items(_only_value(given), sieve)
        case _:
            for item in given:
                _check(item)
                yield from _items(item, sieve)


def _is_url(given: str) -> bool:
    return re.match("https?://", given, re.IGNORECASE) is not None


def _named(given: str, sieve: Sieve) -> Iterator[str | Unreadable]:
    if _is_url(given):
        return iter([given])
    if not given:  # pathlib would read it as the working directory
        return iter([Unreadable(given, "the path is empty")])
    try:
        mode = Path(given).stat().st_mode
    except FileNotFoundError as error:
        if "://" in given:
            return iter([Unreadable(given, "only http:// and https:// addresses can be downloaded")])
        return _matching(given, sieve) if glob.has_magic(given) else iter([Unreadable(given, why(error))])
    except OSError as error:
        return iter([Unreadable(given, why(error))])
    except ValueError as error:  # it contains a NUL
        return iter([Unreadable(given, str(error))])
    return _folder(given, sieve) if stat.S_ISDIR(mode) else iter([given])


def _folder(given: str, sieve: Sieve) -> Iterator[str | Unreadable]:
    """The files in a folder. Links to folders are not followed, but counted. A folder of our results in it is passed over.

    An empty folder yields an Unreadable instead of an error, since it may be one of many inputs.
    """
    barred: list[OSError] = []
    found: list[str] = []
    here = Sieve()
    for parent, folders, names in os.walk(given, onerror=barred.append):
        if RECORD in folders and parent != given:
            here.results(parent)
            folders.clear()
            continue
        folders[:] = [name for name in folders if not name.startswith(".")]
        here.links(sum(Path(parent, name).is_symlink() for name in folders))
        files = [str(Path(parent, name)) for name in names if not name.startswith(".")]
        found += filter(here.takes, files)
    sieve.add(here)
    for error in barred:
        yield Unreadable(str(error.filename), why(error))
    if not found and not barred:
        yield Unreadable(given, f"there is no image, PDF or video in this folder{_passed_over(here)}")
    yield from sorted(found)


def _matching(pattern: str, sieve: Sieve) -> Iterator[str | Unreadable]:
    """The matching files that a folder would give: nobody named them individually."""
    here = Sieve()
    links: set[str] = set()
    results: set[str] = set()
    matches = set(_globbed(pattern, links, results))
    found = sorted(path for path in matches if not os.path.isdir(path) and here.takes(path))  # noqa: PTH112 - never raises
    here.links(len(links))
    for folder in sorted(results):
        here.results(folder)
    sieve.add(here)
    if not found:
        reason = "no such file, and as a glob pattern it matches no image, PDF or video"
        yield Unreadable(pattern, reason + _passed_over(here))
    yield from found


def _passed_over(sieve: Sieve) -> str:
    return f" (passed over: {sieve})" if sieve else ""


def _globbed(pattern: str, links: set[str], results: set[str]) -> Iterator[str]:
    """Like glob, but `**` does not follow links to folders: two that form loops could make the search endless. It adds
    them to `links` instead, and folders of our results to `results`.

    Path.glob does not work here: it rejects absolute patterns and returns hidden files.
    """
    deep = re.search(r"(?:^|(?<=/))\*\*(?:/+|$)", pattern)
    if deep is None:
        yield from glob.iglob(pattern)  # noqa: PTH207
        return
    before, after = pattern[: deep.start()], pattern[deep.end() :] or "*"
    for top in glob.iglob(before) if before else [""]:  # noqa: PTH207
        for parent, folders, _ in os.walk(top or "."):
            if RECORD in folders and parent != (top or "."):
                results.add(parent)
                folders.clear()
                continue
            folders[:] = [name for name in folders if not name.startswith(".")]
            links |= {str(path) for path in (Path(parent, name) for name in folders) if path.is_symlink()}
            inside = os.path.join(parent, "")  # noqa: PTH118 - ends in a slash
            yield from _globbed(glob.escape(inside if top else inside.removeprefix("./")) + after, links, results)
