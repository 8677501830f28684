"""The sizes of images that a network takes, and what becomes of others."""

from __future__ import annotations

from onnx import ModelProto

from semseg_contract.transforms import LARGEST, Preparation, Resize, ToFloat

from ..conversion.graph import Served
from ..errors import GraphError
from ..runtime import Session
from ..synthetic_images import smooth_pixels
from ..weights.archive import Archive
from ..weights.preparation import made

DIVISORS = (1, 2, 4, 8, 16, 32, 64, 128)
LEAST = 96  # pixels; a small image, to be quick, but not tiny
TINY = 32  # pixels; each side of the image with which health is checked


def fitted(served: Served, archive: Archive) -> tuple[Preparation, tuple[str, ...]]:
    """The archive's preparation, completed so that it makes only sizes that the network takes, and what the user should know.

    Raises GraphError if that is not possible.
    """
    name = archive.described_by.name
    if not made(archive.steps):
        raise GraphError(f"{name} makes more than {LARGEST} pixels of images, or takes none of 32x32: correct its transforms")
    if served.fixed is None:
        number = divisor(served.model)
        preparation = Preparation(archive.steps, None, number)
        if all(width % number == height % number == 0 for width, height in made(archive.steps)):
            return preparation, ()
        return preparation, (
            f"the network takes only sides that are multiples of {number}: others are padded with grey on the right and at the"
            f" bottom. To have them scaled instead, add a Resize with size_divisor: {number} to {name}",
        )
    width, height = served.fixed
    if not [step for step in archive.steps if step != ToFloat()]:
        stretched = Preparation((*archive.steps, Resize(served.fixed, keep_ratio=False, size_divisor=None)), served.fixed)
        return stretched, (
            f"the network takes only {width}x{height}, and {name} has no Resize: all images are stretched to that",
        )
    wrong = [size for size in made(archive.steps) if size != served.fixed]
    if wrong:
        raise GraphError(
            f"the network takes only {width}x{height}, but {name} makes other sizes, such as {wrong[0][0]}x{wrong[0][1]}: correct"
            f" its transforms (a Resize with target_size: [{width}, {height}] and keep_ratio: false stretches all images to that)"
        )
    return Preparation(archive.steps, served.fixed), ()


def divisor(served: ModelProto) -> int:
    """The smallest number of which both sides of an image must be multiples: with them, the served graph gives ids of that size.

    Raises GraphError if it fails at multiples of all DIVISORS.
    """
    session = Session(served)
    failures = []
    for number in DIVISORS:
        failure = _failure(session, number)
        if failure is None:
            return number
        failures.append(failure)
    raise GraphError(
        f"the network failed at every size that was tried, even with sides that are multiples of {DIVISORS[-1]}: {failures[-1]}"
    )


def _failure(session: Session, number: int) -> str | None:
    """Why the graph fails at odd multiples of a number; None if it does not."""
    side = -(-LEAST // number) * number
    if side // number % 2 == 0:
        side += number
    tiny = -(-TINY // number) * number
    for height, width in ((side, side + 2 * number), (tiny, tiny)):
        try:
            ids = session.run(smooth_pixels(0, (1, height, width)))
        except GraphError as error:
            return str(error)
        if ids.shape != (1, height, width):
            return f"for {width}x{height} pixels it gives {ids.shape[2]}x{ids.shape[1]} ids"
    return None
