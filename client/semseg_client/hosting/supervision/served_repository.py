"""The model repository that our tritonserver polls.

In poll mode, Triton refuses every request to load or unload models, and serves what this folder holds: for each served entry of
the owner's repository, a copy of its configuration and Python code, and links to the rest. The owner's files are never changed.
"""

from __future__ import annotations

import compileall
import shutil
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..repository import check_exported, configuration

REVISION = "revision"  # a parameter of each configuration here; it shows which copy Triton has loaded
Adjustment = Callable[[ModelConfig], None]


class ServedRepository:
    """Entries of `source`, laid out by name in `folder`. Each change to an entry is a single rename: all or nothing.

    `adjust` changes the copy of a configuration, never the owner's file.
    """

    def __init__(self, source: Path, folder: Path, adjust: Adjustment) -> None:
        self.path = folder / "repository"
        self._source = source.resolve()
        self._copies = folder / "copies"
        self._adjust = adjust
        self._numbers = count(1)
        self._revisions: dict[str, str] = {}  # by entry
        self._before: dict[str, str] = {}  # the revisions that these replaced
        self._configs: dict[tuple[str, str], ModelConfig] = {}  # by entry and revision
        self.path.mkdir()
        self._copies.mkdir()

    @property
    def revisions(self) -> dict[str, str]:
        """The revision of each entry."""
        return dict(self._revisions)

    def config(self, name: str) -> ModelConfig:
        """The served configuration of an entry."""
        return self._configs[name, self._revisions[name]]

    def add(self, model: str) -> list[str]:
        """Serve a model and the steps of its ensemble. Returns the new entries, the model last.

        Raises:
            ServingError: it is not exported, or a configuration cannot be read.
        """
        check_exported(self._source, model)
        steps = [step.model_name for step in configuration(self._source, model).ensemble_scheduling.step]
        fresh = [name for name in dict.fromkeys([*steps, model]) if name not in self._revisions]
        try:
            for name in fresh:
                self.renew(name)
        except BaseException:
            self.remove(fresh)
            raise
        return fresh

    def renew(self, name: str) -> str:
        """Copy the owner's entry as it is now, so that Triton loads it. Returns the new revision.

        Raises:
            ServingError: its configuration cannot be read.
            OSError: there is no room for it.
        """
        config = configuration(self._source, name)
        text = self._adjusted((self._source / name / "config.pbtxt").read_text(encoding="utf-8"))

        def fill(copy: Path) -> None:
            copy.mkdir(parents=True)
            for child in _served(self._source / name, config):
                if config.backend == "python" and child.name.isdecimal():
                    shutil.copytree(child, copy / child.name, ignore=shutil.ignore_patterns("__pycache__"))
                    # Otherwise Python writes __pycache__ while loading the model, and Triton takes that for a change.
                    compileall.compile_dir(copy / child.name, quiet=2)
                else:
                    (copy / child.name).symlink_to(child)

        return self._install(name, text, fill)

    def duplicate(self, name: str) -> str:
        """Copy an entry as it is served, so that Triton loads it again. Returns the new revision.

        The owner's current files are not used: they may be half an export, or one that could not be loaded.

        Raises:
            OSError: there is no room for it.
        """
        served = self._copies / name / self._revisions[name]
        text = (served / "config.pbtxt").read_text(encoding="utf-8").rstrip().rpartition("\n")[0]  # without the revision
        return self._install(name, text, lambda copy: shutil.copytree(served, copy, symlinks=True))

    def restore(self, name: str) -> None:
        """Undo the last change to an entry, which Triton could not load. A new entry is removed."""
        if name in self._before:
            self._point(name, self._before[name])
        else:
            self.remove([name])

    def remove(self, names: Iterable[str]) -> None:
        """Stop serving entries. Unknown ones are ignored."""
        for name in names:
            (self.path / name).unlink(missing_ok=True)
            shutil.rmtree(self._copies / name, ignore_errors=True)
            self._revisions.pop(name, None)
            self._before.pop(name, None)

    def _install(self, name: str, text: str, fill: Callable[[Path], object]) -> str:
        revision = str(next(self._numbers))
        copy = self._copies / name / revision
        text = f'{text}\nparameters {{ key: "{REVISION}" value {{ string_value: "{revision}" }} }}\n'
        try:
            fill(copy)
            (copy / "config.pbtxt").write_text(text, encoding="utf-8")
            self._configs[name, revision] = text_format.Parse(text, ModelConfig(), allow_unknown_field=True)
            self._point(name, revision)
        except BaseException:
            if self._revisions.get(name) != revision:
                shutil.rmtree(copy, ignore_errors=True)
            raise
        return revision

    def _point(self, name: str, revision: str) -> None:
        """Serve a revision. The previous one is kept because Triton may still be loading it."""
        copies = self._copies / name
        link = copies / "link"
        link.unlink(missing_ok=True)  # from an interrupted change
        link.symlink_to(copies / revision)
        link.rename(self.path / name)
        replaced = self._revisions.get(name)
        self._revisions[name] = revision
        if replaced is not None and self._before.pop(name, None) != revision:  # never go back to a revision that was undone
            self._before[name] = replaced
        for old in copies.iterdir():
            if old.name not in (revision, replaced):
                shutil.rmtree(old, ignore_errors=True)  # the next change removes leftovers
                self._configs.pop((name, old.name), None)

    def _adjusted(self, text: str) -> str:
        try:
            config = text_format.Parse(text, ModelConfig())
        except text_format.ParseError:  # fields of a newer Triton; they would be lost
            return text
        self._adjust(config)
        config.parameters.pop(REVISION, None)
        return str(text_format.MessageToString(config, as_utf8=True))


def _served(entry: Path, config: ModelConfig) -> Iterable[Path]:
    """An entry's files, except its configuration and the unserved versions, which may be deleted at any time."""
    versions = {str(version) for version in config.version_policy.specific.versions}
    for child in entry.iterdir():
        unserved = child.name.isdecimal() and versions and child.name not in versions
        if child.name != "config.pbtxt" and not child.name.startswith(".") and not unserved:
            yield child
