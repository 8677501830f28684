"""One image and its options."""

from __future__ import annotations

from dataclasses import dataclass

from ...errors import InvalidRequest
from ..failures import Invalid, invalid
from ..schemas import Options

# The fields that a caller can set: the contract's names, mapped to PaddleX's.
_FIELDS = {"image": "image", "target_size": "targetSize", "model": "model"}


@dataclass(frozen=True)
class ImageRequest:
    """`image_at` and `options_at` say where in the request these were: `body.image` and `body`, or `body` and `query`.
    `pixels` is the number of pixels according to the image's header, or 0 until that is read."""

    image: bytes
    options: Options
    image_at: str
    options_at: str
    pixels: int = 0

    def refused(self, error: InvalidRequest) -> Invalid:
        """The answer to a caller's error; `can_mend(error)` must be true."""
        place = self.image_at if error.field == "image" else f"{self.options_at}.{_FIELDS[str(error.field)]}"
        return invalid(place, str(error).replace("target_size", _FIELDS["target_size"]), self.options.log_id)


def can_mend(error: InvalidRequest) -> bool:
    """Whether the error is in a field that the caller can set."""
    return error.field in _FIELDS
