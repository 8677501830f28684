"""The file of API keys, in YAML or JSON: each entry maps a name to its key.

alice: sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
batch-job: {key: sha256:..., per_second: 5, per_minute: 100, concurrent: 2}
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from ...checked_yaml import Reading, Wrong, near, read_text, text, whole
from ...errors import ConfigurationError
from .rates import Limits

PREFIX = "sha256:"
_HASH = re.compile(r"[0-9a-fA-F]{64}")
_SENDABLE = re.compile(r"[\x21-\x7e]+")  # what a header can carry


@dataclass(frozen=True)
class Key:
    """A caller's key, as its SHA-256, with the caller's name and limits."""

    name: str
    digest: bytes
    limits: Limits
    plain: bool = False  # whether the file holds the key itself


def read_keys(file: Path) -> tuple[Key, ...]:
    """The keys in the file.

    Raises:
        ConfigurationError: the file cannot be read or is invalid; each error names its line, and none reveals a key.
    """
    try:
        reading = Reading(str(file), read_text(str(file)))
    except FileNotFoundError:
        raise ConfigurationError(f"{file}: no such file") from None
    keys: dict[str, Key] = {}
    for name_node, node in reading.root.value:
        line = name_node.start_mark.line + 1
        name = name_node.value if isinstance(name_node, yaml.ScalarNode) else ""
        try:
            key = _key(name, node)
            if name in keys:
                raise Wrong(f"{name!r} is in the file twice")
            if twin := next((each.name for each in keys.values() if each.digest == key.digest), None):
                raise Wrong(f"{name!r} has the same key as {twin!r}")
        except Wrong as wrong:
            reading.problem(line, str(wrong))
        else:
            keys[name] = key
    if not reading.root.value:
        reading.problem(1, "holds no key")
    reading.check()
    return tuple(keys.values())


def _key(name: str, node: yaml.Node) -> Key:
    if not name.strip():
        raise Wrong("a key has no name")
    if not isinstance(node, yaml.MappingNode):
        return _made(name, node, Limits())
    values: dict[str, Any] = {}
    for key_node, value in node.value:
        field = str(key_node.value)
        parse = _FIELDS.get(field)
        if parse is None:
            meant = near(field, _FIELDS)
            raise Wrong(f"unknown field {field!r} of {name!r}; " + (f"did you mean {meant!r}?" if meant else f"known: {_KNOWN}"))
        try:
            values[field] = parse(value)
        except Wrong as wrong:
            raise Wrong(f"{field} of {name!r} must be {wrong}") from None
    if "key" not in values:
        raise Wrong(f"{name!r} has no key")
    return _made(name, values.pop("key"), Limits(**values))


def _made(name: str, node: yaml.Node, limits: Limits) -> Key:
    try:
        written = text(node)
    except Wrong as wrong:
        raise Wrong(f"the key of {name!r} must be {wrong}") from None
    if written.startswith(PREFIX):
        digest = written.removeprefix(PREFIX)
        if _HASH.fullmatch(digest) is None:
            raise Wrong(f"the key of {name!r} must have 64 hexadecimal digits after {PREFIX}")
        return Key(name, bytes.fromhex(digest), limits)
    if _SENDABLE.fullmatch(written) is None:
        raise Wrong(f"the key of {name!r} must be visible ASCII characters without spaces")
    return Key(name, hashed(written), limits, plain=True)


def hashed(key: str) -> bytes:
    """SHA-256 of a key. Keys are random, so a slower hash would protect nothing."""
    return hashlib.sha256(key.encode("latin-1", "replace")).digest()


_FIELDS: dict[str, Callable[[yaml.Node], Any]] = {
    "key": lambda node: node,
    "per_second": whole(1),
    "per_minute": whole(1),
    "concurrent": whole(1),
}
_KNOWN = ", ".join(_FIELDS)
