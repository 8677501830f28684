"""The sizes of images that a network takes, and what becomes of others."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace

import numpy as np
from onnx import ModelProto

from semseg_contract.transforms import Preparation, Resize, Size, ToFloat, Unfit

from ..conversion.graph import Served, deciding
from ..conversion.scores import PROBE
from ..errors import GraphError
from ..runtime import Session
from ..synthetic_images import Shape, smooth_pixels
from ..weights.archive import Archive
from ..weights.preparation import made

DIVISORS = (1, 2, 4, 8, 16, 32, 64, 128)
SIDES = (96, 512)  # pixels of the images that are tried, at least: small ones, to be quick, then larger ones
TINY = 32  # pixels; each side of the image with which health is checked
ALIKE = 1e-3  # times what the logits span; rounding changes them less
SMALL = 2**20  # pixels; most that an image may have to be tried before the memory is measured


def probe(archive: Archive) -> Size:
    """The size of a small image that the network sees in serving, or PROBE. Raises GraphError."""
    try:
        Preparation(archive.steps).size(TINY, TINY)
    except Unfit as error:
        name = archive.described_by.name
        raise GraphError(f"{name} must take an image of {TINY}x{TINY}, with which health is checked: {error}") from error
    # Large ones could take more memory than there is: how much the network takes has not been measured yet.
    small = [size for size in made(archive.steps) if size[0] * size[1] <= SMALL]
    return min(small, key=_inconvenience) if small and _scales(archive) else PROBE


def _inconvenience(size: Size) -> tuple[bool, bool, int]:
    """Least for a size that many networks take: multiples of PROBE, then no smaller sides, then few pixels."""
    width, height = size
    return (
        any(side % least for side, least in zip(size, PROBE, strict=True)),
        width < PROBE[0] or height < PROBE[1],
        width * height,
    )


def fitted(served: Served, archive: Archive) -> tuple[Served, Preparation, tuple[str, ...]]:
    """The archive's preparation, completed so that it makes only sizes that the network takes, and what the user should know.

    The network is for single images if it fails on two. Raises GraphError if it cannot be served at all.
    """
    preparation, notes = _completed(served, archive)
    width, height = preparation.size(TINY, TINY)
    if served.max_batch_size > 1 and width * height <= SMALL:
        trouble = _of_two(served.model, height, width)
        if trouble:
            served, notes = replace(served, max_batch_size=1), (*notes, f"{trouble}, so it gets one at a time")
    return served, preparation, notes


def _of_two(served: ModelProto, height: int, width: int) -> str | None:
    """What is wrong with a batch of two images; None if nothing is."""
    if _failure(Session(served), (2, height, width)):
        return "the network fails on two images at once"
    logits, pixels = Session(deciding(served)), smooth_pixels(0, (2, height, width))
    together, alone = logits.run(pixels), np.concatenate([logits.run(pixels[index : index + 1]) for index in range(2)])
    if abs(together - alone).max() > ALIKE * np.ptp(together):
        return "the network's answer for an image depends on the others in the batch"
    return None


def _completed(served: Served, archive: Archive) -> tuple[Preparation, tuple[str, ...]]:
    name, steps = archive.described_by.name, archive.steps
    sizes = made(steps)
    if served.fixed is not None:
        return _of_one_size(served.fixed, archive)
    try:
        number, least = divisor(served.model)
    except GraphError:
        if not _scales(archive) or len(set(sizes)) > 1 or _failure(Session(served.model), (1, sizes[0][1], sizes[0][0])):
            raise
        return Preparation(steps, sizes[0]), ()
    preparation, notes = Preparation(steps, None, number, least), []
    if any(width % number or height % number for width, height in sizes):
        notes.append(
            f"the network takes only sides that are multiples of {number}: others are padded with grey on the right and at the"
            f" bottom. To have them scaled instead, add a Resize with size_divisor: {number} to {name}"
        )
    if any(min(size) < least for size in sizes):
        notes.append(f"the network takes only sides of {least} pixels and more: smaller images are padded with grey to that")
    return preparation, tuple(notes)


def _of_one_size(fixed: Size, archive: Archive) -> tuple[Preparation, tuple[str, ...]]:
    """For a network that takes images of one size only."""
    name, (width, height) = archive.described_by.name, fixed
    if not _scales(archive):
        stretched = Preparation((*archive.steps, Resize(fixed, keep_ratio=False, size_divisor=None)), fixed)
        return stretched, (
            f"the network takes only {width}x{height}, and {name} has no Resize: all images are stretched to that",
        )
    wrong = [size for size in made(archive.steps) if size != fixed]
    if wrong:
        raise GraphError(
            f"the network takes only {width}x{height}, but {name} makes other sizes, such as {wrong[0][0]}x{wrong[0][1]}: correct"
            f" its transforms (a Resize with target_size: [{width}, {height}] and keep_ratio: false stretches all images to that)"
        )
    return Preparation(archive.steps, fixed), ()


def _scales(archive: Archive) -> bool:
    return any(step != ToFloat() for step in archive.steps)


def divisor(served: ModelProto) -> tuple[int, int]:
    """The smallest number of which both sides of an image must be multiples, and the fewest pixels of a side (1 if TINY will do).

    With them, the served graph gives ids of the image's size. Raises GraphError if it fails at multiples of all DIVISORS.
    """
    session = Session(served)
    failures = []
    for number in DIVISORS:
        for least in SIDES:
            side = _odd_multiple(number, least)
            failure = _failure(session, (1, side, side + 2 * number))
            if failure is None:
                return number, _least(session, number, side)
            failures.append(failure)
    raise GraphError(
        f"the network failed at every size that was tried, even with sides that are multiples of {DIVISORS[-1]}: {failures[-1]}"
    )


def _odd_multiple(number: int, least: int) -> int:
    count = -(-least // number)
    return number * (count + 1 - count % 2)


def _least(session: Session, number: int, most: int) -> int:
    """The smallest multiple of `number` that a side may have, where `most` will do; 1 if that is the smallest from TINY on."""
    sides = range(-(-TINY // number) * number, most, number)
    found = bisect_left(sides, True, key=lambda side: _failure(session, (1, side, side)) is None)
    return 1 if found == 0 else [*sides, most][found]


def _failure(session: Session, shape: Shape) -> str | None:
    """Why the graph fails at images of this shape; None if it does not."""
    try:
        ids = session.run(smooth_pixels(0, shape))
    except GraphError as error:
        return str(error)
    if ids.shape != shape:
        return f"for {shape[2]}x{shape[1]} pixels it gives {ids.shape[2]}x{ids.shape[1]} ids"
    return None
