"""Reads untrusted YAML files that say how pixels are prepared: an exporter's, or a training configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from semseg_contract.encoding import UTF_8, decoded

from ..errors import DescriptionError, printable

LARGEST = 1 << 20  # bytes; official files have a few hundred
# 16 aliases make a file at most 350 times larger; nine levels of nine aliases would make it 400 million times larger.
ALIASES = 16
DIGITS = 64  # of an integer; official files have up to five. Python takes long to read and to write longer ones.


class _Loader(yaml.SafeLoader):
    aliases = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.aliases += self.check_event(yaml.AliasEvent)
        if self.aliases > ALIASES:
            raise yaml.YAMLError(f"it has more than {ALIASES} aliases")
        return super().compose_node(parent, index)


# PaddleX 2 writes tuples with this tag. Here they become lists, like all other sequences.
_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _Loader.construct_sequence)  # type: ignore[type-var]


def _integer(loader: _Loader, node: Any) -> int:
    if len(node.value) > DIGITS:
        raise yaml.YAMLError(f"it has an integer of more than {DIGITS} digits")
    return loader.construct_yaml_int(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _integer)
# Python's own errors in reading a value that is not of the type that its tag names, as in !!int ''.
MISTAGGED = (ValueError, TypeError, LookupError, AttributeError, OverflowError)


def read(file: Path) -> Any:
    """The file's content: dictionaries, lists, numbers and text. Raises DescriptionError."""
    try:
        if file.stat().st_size > LARGEST:
            raise yaml.YAMLError(f"it is larger than {LARGEST >> 20} MiB")
        return yaml.load(decoded(file.read_bytes())[0], _Loader)  # noqa: S506 - a SafeLoader
    except (yaml.YAMLError, RecursionError, *MISTAGGED) as error:
        raise DescriptionError(f"{file} is not valid YAML: {printable(str(error))}") from error


def told(file: Path) -> str:
    """The name of a file that has been read, with its encoding if that is not UTF-8."""
    encoding = decoded(file.read_bytes())[1]
    return file.name if encoding == UTF_8 else f"{file.name} (in {encoding})"
