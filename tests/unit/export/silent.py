"""A step of an export that shows nothing."""

from __future__ import annotations


class Silent:
    done = ""

    def show(self, _: str) -> None:
        pass

    def meter(self, *_: object, **__: object) -> Silent:
        return self

    def update(self, *_: object) -> None:
        pass
