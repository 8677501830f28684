"""Unique names for saved files."""

from __future__ import annotations

from collections.abc import Iterable


class UniqueNames:
    """Gives out each name only once, so that no saved file overwrites another in the same folder."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def take(self, name: str) -> None:
        """Give the name to nobody."""
        self._taken.add(name.casefold())

    def claim(self, name: str) -> str:
        """`name`, or `name` with a number if it is taken. The result then counts as taken."""
        unique, number = name, 1
        while unique.casefold() in self._taken:
            number += 1
            unique = f"{name}_{number}"
        self.take(unique)
        return unique
