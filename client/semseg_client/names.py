"""Names of files to save."""

from __future__ import annotations

from collections.abc import Iterable


class Names:
    """Gives each name once: what is saved into one folder must not overwrite what else is."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = {name.casefold() for name in taken}

    def unlike(self, name: str) -> str:
        """`name`, numbered if it was given before or is taken."""
        unlike, number = name, 1
        while unlike.casefold() in self._taken:
            number += 1
            unlike = f"{name}_{number}"
        self._taken.add(unlike.casefold())
        return unlike
