"""A result as HTML, for notebooks."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

from PIL import Image

from .legend import ClassShare
from .picture import encoded

_LONGEST_SIDE = 480  # pixels


def fragment(pictures: Sequence[tuple[str, Image.Image]], classes: Sequence[ClassShare]) -> str:
    """Self-contained HTML: the RGB `pictures` with their captions, and a legend of `classes`."""
    figures = "".join(_figure(caption, picture) for caption, picture in pictures)
    rows = "".join(_row(each) for each in classes)
    return (
        f'<div style="display:flex;flex-wrap:wrap;gap:12px;align-items:flex-start">{figures}'
        f'<table style="border-collapse:collapse">{rows}</table></div>'
    )


def _figure(caption: str, picture: Image.Image) -> str:
    small = picture.copy()
    small.thumbnail((_LONGEST_SIDE, _LONGEST_SIDE))
    data = base64.b64encode(encoded(small, "JPEG", quality=85)).decode()
    text = html.escape(caption)
    return (
        f'<figure style="margin:0"><img src="data:image/jpeg;base64,{data}" width="{small.width}" height="{small.height}" '
        f'alt="{text}"><figcaption>{text}</figcaption></figure>'
    )


def _row(each: ClassShare) -> str:
    swatch = f"display:inline-block;width:1em;height:1em;border:1px solid #888;background:{each.hex}"
    return (
        f'<tr><td><span style="{swatch}"></span></td><td style="text-align:left">{html.escape(each.name)}</td>'
        f'<td style="text-align:right">{each.share:.2%}</td></tr>'
    )
