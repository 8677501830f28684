"""A folder of results that a later run can resume.

The folder holds the files of the images that are done, and a hidden folder, `.semseg`:

    output/street_res.jpg, output/street_res.json, ...
    output/.semseg/done.jsonl        the journal: one line per image that is done
    output/.semseg/RANDOM/           during a run: files that are not yet complete

An image's files are written to the run's own folder and renamed into place one by one; then a line is added to the journal. A
killed run leaves its own folder behind, which the next run removes. It may also leave files in place for one image that is not in
the journal: each file is complete, but the image is processed again.

A resumed run skips an image if the journal lists it with the same input (a file's path, size and time; for other content, its
SHA-256), the same model and the same options, and its result files are unchanged. A single-image file is then not even opened.
Pages and frames are separate images: if all of them are done, their file is not opened. Otherwise it is read from the start, but
no requests are sent for the pages or frames that are done.

Names are stable: a name in the journal belongs to its image, no matter what is skipped or added later.

No result replaces an input of its own run. Of inputs that arrive one by one, only those that came before are known.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from ..errors import UnwritableOutput
from ..files import AppendedLines
from ..inputs.resolve import Item, Source, Unreadable, images
from ..inputs.sieve import RECORD
from ..pipeline.unique_names import UniqueNames
from ..results.outputs import Output
from .journal import Counted, Entry, Journal, Made
from .staging import staging

if TYPE_CHECKING:
    from ..results.result import Result

_OF_ONE_IMAGE = {errno.ENAMETOOLONG, errno.EISDIR, errno.EINVAL, errno.EILSEQ}  # other images may still be saved


@dataclass(frozen=True)
class _Key:
    input: str
    page: int | None


class OutputFolder:
    """See the top of this file. `made` says how results are made; any made differently are redone. Use in a `with` statement.

    `inputs` are the items of the run that are known already. `skipped` counts the images that were skipped.

    Raises:
        UnwritableOutput: the folder cannot be written to.
    """

    resumable = True

    def __init__(self, path: Path, made: Made, *, resume: bool = False, inputs: Iterable[Item] = ()) -> None:
        self.path = path
        self.skipped = 0
        self._made = made
        self._under_way: dict[str, tuple[_Key, str]] = {}
        with ExitStack() as held:
            try:
                (path / RECORD).mkdir(parents=True, exist_ok=True)
                self._staging = held.enter_context(staging(path / RECORD))
                self._journal = Journal(held.enter_context(AppendedLines(path / RECORD / "done.jsonl")))
                known = self._journal.read() if resume else []
            except OSError as error:
                raise self._unwritable(error) from None
            self._held = held.pop_all()
        # Names that differ only in case come from runs that did not resume. They count as one name: see UniqueNames.
        entries = {line.name.casefold(): line for line in known if isinstance(line, Entry)}
        self._entries = {entry.name: entry for entry in entries.values()}
        self._counts = {(line.input, line.stamp): line.images for line in known if isinstance(line, Counted)}
        self._names = UniqueNames(self._entries)
        self._names_of: dict[_Key, list[str]] = {}  # several if the same image was given several times
        for entry in self._entries.values():
            self._names_of.setdefault(_Key(entry.input, entry.page), []).append(entry.name)
        self._holds: dict[Path, bool] = {}  # by the folder of an input: whether it is this one
        for item in inputs:
            self._keep(item)

    def remaining(self, items: Iterable[Item]) -> Iterator[Source | Unreadable]:
        """The images of `items` that are not done yet, with the names for their files."""
        for item in items:
            self._keep(item)
            yield from self._remaining(item)

    def save(self, found: Result) -> list[Path]:
        """Save the result of an image from `remaining`. Returns the files.

        Raises:
            UnwritableOutput: the folder can no longer be written to.
            OSError, ValueError: the files of this image cannot be written.
        """
        from ..results.render import file_name, render  # Pillow and OpenCV

        key, stamp = self._under_way.pop(found.name)
        outputs = [Output(output) for output in self._made.outputs]
        try:
            for output in outputs:
                (self._staging / file_name(found, output)).write_bytes(render(found, output, self._made.compact))
            staged = [self._staging / file_name(found, output) for output in outputs]
            marks = {file.name: _mark(file.stat()) for file in staged}  # read before another process can replace the file
            files = [file.replace(self.path / file.name) for file in staged]
        except OSError as error:
            if error.errno is None or error.errno in _OF_ONE_IMAGE:
                raise
            raise self._unwritable(error) from None
        made = replace(self._made, version=found.segmentation.version)
        self._add(Entry(key.input, key.page, stamp, found.name, made, marks))
        return files

    def close(self) -> None:
        self._held.close()

    def __enter__(self) -> OutputFolder:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _keep(self, item: Item) -> None:
        """Give no image the name by which its result would replace this input: "street" if the input is street_res.jpg here."""
        if not isinstance(item, str):
            return
        file = Path(item)
        name, ending, _ = file.stem.rpartition("_")
        if ending:
            if file.parent not in self._holds:
                self._holds[file.parent] = _is_same(file.parent, self.path)
            if self._holds[file.parent]:
                self._names.take(name)

    def _remaining(self, item: Item) -> Iterator[Source | Unreadable]:
        stat = _stat(item) if isinstance(item, str) else None  # before reading: the file may change meanwhile
        if not isinstance(item, str) or stat is None:
            for image in images(item):
                yield from self._image(image)
            return
        path, stamp = str(Path(item).absolute()), " ".join(map(str, _mark(stat)))
        count = self._counts.get((path, stamp))
        keys = [_Key(path, None)] if count is None else [_Key(path, page) for page in range(count)]
        if all(self._is_done(key, stamp) for key in keys):
            for key in keys:
                self._skip(key)
            return
        pages: list[int | None] = []
        for image in images(item):
            yield from self._image(image, path, stamp)
            pages.append(image.page_index if isinstance(image, Source) else None)
        if pages and None not in pages:
            self._add(Counted(path, stamp, len(pages)))

    def _image(
        self, image: Source | Unreadable, path: str | None = None, stamp: str | None = None
    ) -> Iterator[Source | Unreadable]:
        """The image, with the name for its files, unless it is done. `path` and `stamp` are those of its file, if it has one."""
        if isinstance(image, Unreadable):
            yield image
            return
        key = _Key(path or image.input_path or "", image.page_index)
        stamp = stamp or f"sha256:{hashlib.sha256(image.content).hexdigest()}"
        if self._is_done(key, stamp):
            self._skip(key)
            return
        known = self._names_of.get(key)
        name = known.pop(0) if known else self._names.claim(image.name)
        self._under_way[name] = key, stamp
        yield replace(image, name=name)

    def _is_done(self, key: _Key, stamp: str) -> bool:
        for name in self._names_of.get(key, [])[:1]:
            entry = self._entries[name]
            if (entry.stamp, entry.made) == (stamp, self._made):
                found = {file: _stat(self.path / file) for file in entry.files}
                return all(stat is not None and _mark(stat) == entry.files[file] for file, stat in found.items())
        return False

    def _skip(self, key: _Key) -> None:
        self.skipped += 1
        self._names_of[key].pop(0)

    def _add(self, line: Entry | Counted) -> None:
        try:
            self._journal.add(line)
        except OSError as error:
            raise self._unwritable(error) from None

    def _unwritable(self, error: OSError) -> UnwritableOutput:
        return UnwritableOutput(f"{self.path} cannot be written: {error.strerror}")


def _stat(path: str | Path) -> os.stat_result | None:
    """None if there is no such file."""
    try:
        return Path(path).stat()
    except (OSError, ValueError):
        return None


def _is_same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # a URL, say
        return False


def _mark(stat: os.stat_result) -> list[int]:
    """Size and modification time, which change when the file does."""
    return [stat.st_size, stat.st_mtime_ns]
