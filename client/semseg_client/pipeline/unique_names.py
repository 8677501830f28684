"""Names of files to save."""

from __future__ import annotations

from collections.abc import Iterable


class UniqueNames:
    """Gives each name once, so that no file saved into a folder overwrites another."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def claim(self, name: str) -> str:
        """`name`, or `name` with a number if it is taken; taken from now on."""
        unique, number = name, 1
        while unique.casefold() in self._taken:
            number += 1
            unique = f"{name}_{number}"
        self._taken.add(unique.casefold())
        return unique
