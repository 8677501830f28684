"""One image, and what is asked of it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...errors import InvalidRequest
from ..admission import FREE_PIXELS
from ..failures import Invalid, invalid
from ..schemas import Options

# The contract's names of what a caller can set, and PaddleX's.
_FIELDS = {"image": "image", "target_size": "targetSize", "model": "model"}


@dataclass(frozen=True)
class ImageRequest:
    """`image_at` and `options_at` say where in the request they stood: `body.image` and `body`, or `body` and `query`.
    `pixels` is the image's number of pixels, as far as its header tells."""

    image: bytes
    options: Options
    image_at: str
    options_at: str
    pixels: int = FREE_PIXELS

    def refused(self, error: InvalidRequest) -> Invalid:
        """What to tell the caller of an error that is the caller's. The field is one of those in `can_mend`."""
        place = self.image_at if error.field == "image" else f"{self.options_at}.{_FIELDS[str(error.field)]}"
        told = re.sub("|".join(_FIELDS), lambda name: _FIELDS[name[0]], str(error))
        return invalid(place, told, self.options.log_id)


def can_mend(error: InvalidRequest) -> bool:
    """Whether the error is in something that callers set."""
    return error.field in _FIELDS
