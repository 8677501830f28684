"""Reads YAML files against a table of allowed keys, and reports all mistakes at once, each with its line.

PyYAML only composes nodes here, and constructs no objects (https://pyyaml.org/wiki/PyYAMLDocumentation): no file can run code.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml

from semseg_contract.encoding import decoded

from .errors import ConfigurationError

_LARGEST = 2**16  # bytes
_DEEPEST = 16  # levels: the composer recurses once per level
_TEXT = "tag:yaml.org,2002:str"
_NULL = "tag:yaml.org,2002:null"
# YAML 1.1 would read 1:30 as 90, 010 as 8 and 1e3 as text (https://yaml.org/type/int.html). We accept decimal notation only.
_WHOLE = re.compile(r"[+-]?(?:0|[1-9]\d{0,17})", re.ASCII)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


class Wrong(Exception):
    """A value that its key does not accept. The message says what the key accepts; if `whole`, it is the complete message."""

    def __init__(self, message: str, whole: bool = False) -> None:
        super().__init__(message)
        self.whole = whole


@dataclass(frozen=True)
class Setting:
    """A key whose value, read by `parse` (which raises Wrong), becomes the setting `name`."""

    name: str
    parse: Callable[[yaml.Node], Any]


@dataclass(frozen=True)
class Ignored:
    """A key that has no effect, for `reason`. This is noted, unless its value is `here`, which is what happens anyway."""

    reason: str
    here: str = "false"


@dataclass(frozen=True)
class Misplaced:
    """A key that does not belong here, for `reason`, and the settings that it was meant to set."""

    reason: str
    names: tuple[str, ...]


Section = Mapping[str, "Section | Setting | Ignored | Misplaced"]


def read_text(name: str) -> str:
    """The text of a file.

    Raises:
        ConfigurationError: it cannot be read, is too large, or its encoding is unknown.
        FileNotFoundError: it does not exist.
    """
    try:
        with Path(name).open("rb") as file:
            content = file.read(_LARGEST + 1)
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise ConfigurationError(f"{name}: {getattr(error, 'strerror', None) or error}") from None
    if len(content) > _LARGEST:
        raise ConfigurationError(f"{name}: is larger than {_LARGEST} bytes")
    try:
        return decoded(content)[0]
    except ValueError as error:
        raise ConfigurationError(f"{name}, {error}") from None


class Reading:
    """Reads one file.

    `values` and `lines` are keyed by setting. `attempts` holds the settings that the file tries to set: a misspelt one must not
    be reported as missing, too.
    """

    def __init__(self, file: str, text: str) -> None:
        """Raises ConfigurationError if the text is not YAML, or is outside the subset accepted here."""
        self.file = file
        self.root = self._composed(text)
        self.values: dict[str, Any] = {}
        self.lines: dict[str, int] = {}
        self.attempts: set[str] = set()
        self._table: Section = {}
        self._problems: list[tuple[int, str]] = []
        self._notes: list[tuple[int, str]] = []

    def top_keys(self) -> list[str]:
        """The file's top-level keys."""
        return [key.value for key, _ in self.root.value if isinstance(key, yaml.ScalarNode)]

    def read(self, table: Section) -> None:
        """Collect the values, problems and notes of all keys."""
        self._table = table
        self._section("", self.root, table)

    def problem(self, line: int, told: str) -> None:
        """Report something wrong on that line."""
        self._problems.append((line, told))

    def note(self, line: int, told: str) -> None:
        """Note something worth knowing on that line."""
        self._notes.append((line, told))

    def failure(self, line: int, told: str) -> ConfigurationError:
        """The error for a problem that makes reporting all others pointless."""
        return ConfigurationError(*self._told([(line, told)]))

    def check(self) -> None:
        """Raises ConfigurationError if there are problems."""
        if self._problems:
            raise ConfigurationError("\n".join(self._told(self._problems)))

    def notes(self) -> tuple[str, ...]:
        """The notes, sorted by line."""
        return tuple(self._told(self._notes))

    def _told(self, lines: list[tuple[int, str]]) -> list[str]:
        return [f"{self.file}, line {line}: {told}" for line, told in sorted(lines, key=lambda each: each[0])]

    def _composed(self, text: str) -> yaml.MappingNode:
        try:
            self._check_events(text)
            root = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise self.failure(_line(mark), f"not YAML: {error.problem or error.context}") from None
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise self.failure(line, f"not YAML: contains the character U+{ord(text[error.position]):04X}") from None
        if root is None:
            raise ConfigurationError(f"{self.file}: is empty")
        if not isinstance(root, yaml.MappingNode):
            raise self.failure(_line(root.start_mark), f"is {_found(root)}, but must be keys with values")
        return root

    def _check_events(self, text: str) -> None:
        """Reject aliases, tags, deep nesting and a second document before anything is composed."""
        depth = documents = 0
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = _line(event.start_mark)
            documents += isinstance(event, yaml.DocumentStartEvent)
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if isinstance(event, yaml.AliasEvent):
                raise self.failure(line, f"the alias *{event.anchor} is not supported; write the value out")
            if isinstance(event, yaml.ScalarEvent | yaml.CollectionStartEvent) and event.tag is not None:
                raise self.failure(line, f"the tag {event.tag!r} is not supported; leave it out")
            if depth > _DEEPEST:
                raise self.failure(line, f"nested deeper than {_DEEPEST} levels")
            if documents > 1:
                raise self.failure(line, "a second document begins; a file may hold only one")

    def _section(self, path: str, node: yaml.MappingNode, section: Section) -> None:
        first: dict[str, int] = {}
        for key, value in node.value:
            line = _line(key.start_mark)
            if not isinstance(key, yaml.ScalarNode):
                self.problem(line, f"a key is {_found(key)}, but must be a name")
            elif key.value in first:
                self.problem(line, f"key {key.value!r} already appears on line {first[key.value]}")
            else:
                first[key.value] = line
                self._entry(path, key.value, line, value, section)

    def _entry(self, path: str, key: str, line: int, value: yaml.Node, section: Section) -> None:
        match section.get(key):
            case None:
                self._unknown(path, key, line, value, section)
            case Misplaced(reason, names):
                self.attempts.update(names)
                self.problem(line, f"unknown key {key!r}; {reason}")
            case Ignored(reason, here):
                if not _says(value, here):
                    self.note(line, f"{key} has no effect here: {reason}")
            case _ if _is_unset(value):
                return
            case Setting() as setting:
                self._setting(key, line, value, setting)
            case inner if isinstance(value, yaml.MappingNode):
                self._section(f"{path}.{key}".removeprefix("."), value, inner)
            case inner:
                self.attempts.update(_names(inner))
                self.problem(line, f"{key} is {_found(value)}, but must be keys with values")

    def _setting(self, key: str, line: int, value: yaml.Node, setting: Setting) -> None:
        self.attempts.add(setting.name)
        try:
            self.values[setting.name] = setting.parse(value)
            self.lines[setting.name] = line
        except Wrong as wrong:
            self.problem(line, str(wrong) if wrong.whole else f"{key} is {_found(value)}, but must be {wrong}")

    def _unknown(self, path: str, key: str, line: int, value: yaml.Node, section: Section) -> None:
        """Report an unknown key and the one that was probably meant. Read a section under that name."""
        homes = {home: keys[key] for home, keys in _sections(self._table) if not isinstance(keys.get(key), Misplaced | None)}
        if homes:
            places = " or ".join(f"in {home}" if home else "at the top of the file" for home in homes)
            self.problem(line, f"unknown key {key!r} in {path or 'the file'}; it belongs {places}")
            self.attempts.update(_names(homes))
            return
        known = [each for each, entry in section.items() if not isinstance(entry, Misplaced)]
        meant = near(key, [each for each in known if _can_be(section[each], value)])
        if meant is None:
            self.problem(line, f"unknown key {key!r}; known here: {', '.join(known)}")
            return
        self.problem(line, f"unknown key {key!r}; did you mean {meant!r}?")
        entry = section[meant]
        if isinstance(entry, Mapping) and isinstance(value, yaml.MappingNode):
            self._section(f"{path}.{meant}".removeprefix("."), value, entry)
        else:
            self.attempts.update(_names({meant: entry}))


def near(name: str, known: Collection[str], likeness: float = 0.6) -> str | None:
    """The known name that was probably meant. `likeness`, 0 to 1, is the least similarity by difflib's measure."""
    by_folded = {each.casefold(): each for each in known}
    found = get_close_matches(name.casefold(), by_folded, cutoff=likeness)
    # Try swapped letters first: for modle_name, difflib ranks module_name above model_name.
    return by_folded[max(found, key=lambda each: sorted(each) == sorted(name.casefold()))] if found else None


def text(node: yaml.Node) -> str:
    """The value of a node that must be non-empty text. Raises Wrong."""
    if not isinstance(node, yaml.ScalarNode) or node.tag != _TEXT or not node.value.strip():
        raise Wrong("text, in quotes if it looks like a number or another type")
    return str(node.value)


def whole(low: int, high: int | None = None) -> Callable[[yaml.Node], int]:
    """A parser for whole numbers from `low` to `high`, inclusive. It raises Wrong."""

    def parse(node: yaml.Node) -> int:
        number = _plain(node, _WHOLE)
        if number is None or int(number) < low or (high is not None and int(number) > high):
            raise Wrong(f"a whole number from {low}" + (" up" if high is None else f" to {high}"))
        return int(number)

    return parse


def seconds(node: yaml.Node) -> float:
    """A number of seconds, which must be positive and finite. Raises Wrong."""
    number = _plain(node, _DECIMAL)
    if number is None or not 0 < float(number) < math.inf:
        raise Wrong("a number of seconds above 0")
    return float(number)


def _plain(node: yaml.Node, pattern: re.Pattern[str]) -> str | None:
    """The unquoted value, if it fits the pattern."""
    unquoted = isinstance(node, yaml.ScalarNode) and node.style is None
    return str(node.value) if unquoted and pattern.fullmatch(node.value) else None


def _line(mark: Any) -> int:
    """A mark's line, counted from 1 (PyYAML counts from 0). Marks from text are never None, although the type stubs allow it."""
    return int(mark.line) + 1


def _is_unset(node: yaml.Node) -> bool:
    """Whether a value is null, or None, which YAML reads as text but PaddleX 3.7.2's own file uses."""
    return isinstance(node, yaml.ScalarNode) and (node.tag == _NULL or node.value == "None")


def _says(node: yaml.Node, here: str) -> bool:
    """Whether a value is `here`, null or empty."""
    if isinstance(node, yaml.CollectionNode):
        return not node.value
    return _is_unset(node) or str(node.value).lower() in ("", here)


def _can_be(entry: Section | Setting | Ignored | Misplaced, node: yaml.Node) -> bool:
    """Whether a value is of the entry's kind: a mapping for a section, anything else for a setting."""
    return isinstance(entry, Ignored) or _is_unset(node) or isinstance(entry, Mapping) == isinstance(node, yaml.MappingNode)


def _found(node: yaml.Node) -> str:
    match node:
        case yaml.MappingNode():
            return "a section of keys"
        case yaml.SequenceNode():
            return f"a list of {len(node.value)}"
        case _ if _is_unset(node):
            return "nothing"
        case _:
            shown = node.value if len(node.value) <= 200 else f"{node.value[:200]}..."
            return repr(shown) if node.tag == _TEXT else str(shown)


def _names(section: Section) -> Iterator[str]:
    """The names of all settings in a section and its subsections."""
    for entry in section.values():
        if isinstance(entry, Setting):
            yield entry.name
        elif isinstance(entry, Mapping):
            yield from _names(entry)


def _sections(section: Section, path: str = "") -> Iterator[tuple[str, Section]]:
    """A section and all its subsections, each with its path."""
    yield path, section
    for key, entry in section.items():
        if isinstance(entry, Mapping):
            yield from _sections(entry, f"{path}.{key}".removeprefix("."))
