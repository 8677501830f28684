"""Compares the finished graph on ONNX Runtime with Paddle's own inference, on the same pixels.

Without Paddle's program, an ONNX file is compared with itself as it was before the export changed it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import ModelProto

from semseg_contract.limits import MEGAPIXEL, SIZES
from semseg_contract.transforms import Preparation, Size

from ..conversion.graph import Served, deciding
from ..errors import DisagreementError
from ..paddle_process import run_module
from ..runtime import Session
from ..synthetic_images import Shape, smooth_pixels
from ..weights.archive import PADDLE, Archive

# PP-LiteSeg pools the image, halved five times, into 4 bins. These divide 8x16 and 32x64 evenly, but not 11x14 and 10x13.
SHAPES: tuple[Shape, ...] = ((1, 256, 512), (1, 333, 417), (1, 320, 416), (2, 256, 512), (1, 1024, 2048))
PROBED = 1024 * 2048  # pixels of the largest; so many are run in any case, to measure the memory
CANDIDATE: tuple[Shape, ...] = ((1, 128, 256),)
TINY: Size = (32, 32)
LEAST = 2  # images, even if all have the same shape
CANDIDATES = 8  # random images from which those with most classes are chosen
ALMOST = 0.99  # the least share of equal pixels that rounding may explain
ANSWERS = "answers"  # folder of the workspace
NEAR = 0.01  # times the logits' spread; rounding cannot swap classes whose logits in Paddle differ by more


@dataclass(frozen=True)
class Agreement:
    """How well one batch's ids agree. `differing` counts the pixels whose class differs, `classes` the classes that Paddle found.

    If Paddle's logits are available: `logits` is the largest absolute difference, `spread` the widest range that Paddle's logits
    of one class have in an image, and `margin` the largest gap, in Paddle's logits, between Paddle's class of a pixel and the
    exported network's.
    """

    batch: int
    height: int
    width: int
    differing: int
    classes: int
    logits: float | None = None
    spread: float | None = None
    margin: float | None = None

    @property
    def share(self) -> float:
        """The share of equal pixels, 0 to 1."""
        return 1 - self.differing / (self.batch * self.height * self.width)

    @property
    def rounding(self) -> bool:
        """Whether every differing pixel is a near-tie, or there are no logits to tell."""
        return self.margin is None or self.spread is None or self.margin <= NEAR * self.spread


def measure(
    served: Served,
    archive: Archive,
    preparation: Preparation,
    workspace: Path,
    cpu_model: ModelProto | None = None,
    images: Sequence[npt.NDArray[Any]] = (),
    limit: int = SIZES[-1],
) -> list[Agreement]:
    """Compare the served graph with Paddle on smooth random images, at sizes that can occur, and on `images`, [1, H, W, 3].

    `cpu_model` is the same network laid out for the CPU; `limit` is the largest image to be served, in megapixels. Raises
    ConversionError, and DisagreementError if the ids of `cpu_model` differ.
    """
    shapes = possible(SHAPES, preparation, served.max_batch_size, limit)
    shapes += shapes[-1:] * (LEAST - len(shapes))
    seeds = telling_seeds(served.model, possible(CANDIDATE, preparation, 1)[0], len(shapes))
    pixels = [*map(smooth_pixels, seeds, shapes), *images]
    files = [workspace / f"pixels_{index}.npy" for index in range(len(pixels))]
    for file, each in zip(files, pixels, strict=True):
        np.save(file, each)
    del pixels
    answers = workspace / ANSWERS
    program = archive.reference
    threshold = [] if served.scores.threshold is None else [f"--threshold={served.scores.threshold}"]
    run_module(
        "semseg_export.workers.reference",
        [program, *files, "--out", answers, "--logits", str(len(shapes)), *threshold],
        f"running {program.name} with {archive.runner}",
    )
    # One session at a time, because each keeps the memory of its largest image.
    ids = answers_of(served.model, (np.load(file) for file in files))
    if cpu_model is not None:
        require_same(ids, answers_of(cpu_model, (np.load(file) for file in files)))
    logits = Session(deciding(served.model))
    return [
        _compare(found, answers / file.stem, lambda file=file: logits.run(np.load(file)))  # type: ignore[misc]
        for found, file in zip(ids, files, strict=True)
    ]


def pixels_of(workspace: Path) -> list[Path]:
    """The images, uint8 or float32 [N, H, W, 3], that `measure` has compared, as .npy files."""
    return sorted(workspace.glob("pixels_*.npy"), key=lambda file: int(file.stem.removeprefix("pixels_")))


def recompared(ids: Iterable[npt.NDArray[np.uint8]], workspace: Path) -> list[Agreement]:
    """Compare other ids of the same images with Paddle's answers, which `measure` has left in `workspace`."""
    files = pixels_of(workspace)
    return [_compare(found, workspace / ANSWERS / file.stem) for found, file in zip(ids, files, strict=True)]


def possible(shapes: Iterable[Shape], preparation: Preparation, most: int, limit: int = SIZES[-1]) -> list[Shape]:
    """What the preparation makes of images of these shapes, each once. Batches have at most `most` images and `limit` megapixels.

    If it refuses them all, as Padding to a small size does, the shape that it makes of a tiny image.
    """
    largest = max(limit * MEGAPIXEL, PROBED)
    sizes = [(batch, preparation.made_of([(width, height)])) for batch, height, width in shapes]
    found = [
        (max(min(batch, most, largest // (width * height)), 1), height, width)
        for batch, made in sizes
        for width, height in made
        if width * height <= largest
    ]
    found = found or [(1, height, width) for width, height in preparation.made_of([TINY])]
    return list(dict.fromkeys(found))


def telling_seeds(model: ModelProto, shape: Shape, count: int) -> list[int]:
    """Seeds of smooth random images, ordered by the number of classes that the network finds in them, most first.

    Images with a single class tell little about a network.
    """
    session = Session(model)
    classes = {seed: len(np.unique(session.run(smooth_pixels(seed, shape)))) for seed in range(max(CANDIDATES, count))}
    return sorted(classes, key=lambda seed: -classes[seed])[:count]


def answers_of(model: ModelProto, images: Iterable[npt.NDArray[np.uint8]]) -> list[npt.NDArray[np.uint8]]:
    """The ids uint8 [N, H, W] of each of `images`, uint8 [N, H, W, 3]."""
    session = Session(model)
    return [session.run(pixels).copy() for pixels in images]  # a copy, because ONNX Runtime's array keeps its memory alive


def require_same(ids: list[npt.NDArray[np.uint8]], others: list[npt.NDArray[np.uint8]]) -> None:
    """Raises DisagreementError unless the network laid out for the CPU gives the same ids."""
    for one, other in zip(ids, others, strict=True):
        if not np.array_equal(one, other):
            _, height, width = one.shape
            raise DisagreementError(
                f"the CPU version of the network changes the class of {(one != other).sum()} pixels of a {width}x{height}"
                " image: nothing was installed. This is a bug in ONNX Runtime or in this export: please report it"
            )


def _compare(ids: npt.NDArray[np.uint8], answer: Path, logits: Callable[[], npt.NDArray[np.float32]] | None = None) -> Agreement:
    """`logits` computes the exported network's own."""
    expected = np.load(f"{answer}.npy")
    batch, height, width = expected.shape
    different = ids != expected
    counted = Agreement(batch, height, width, int(different.sum()), len(np.unique(expected)))
    paddle = Path(f"{answer}.logits.npy")
    if not paddle.is_file():
        return counted
    # At 2048x1024 the logits of 150 classes are 1.3 GB, so Paddle's stay on disk.
    wanted = np.load(paddle, mmap_mode="r")
    largest = None
    if logits is not None:
        found = logits()
        if wanted.shape != found.shape:
            return counted
        # NaN, if any is.
        largest = float(np.max([abs(a - b).max() for a, b in zip(_planes(found), _planes(wanted), strict=True)]))
    # Of single channels, because an offset between channels tells nothing of how well the network was computed.
    spread = max(float(plane.max() - plane.min()) for plane in _planes(wanted))
    return replace(counted, logits=largest, spread=spread, margin=largest_margin(wanted, ids, different))


def _planes(logits: npt.NDArray[np.float32]) -> Iterator[npt.NDArray[np.float32]]:
    return (plane for image in logits for plane in image)


def largest_margin(logits: npt.NDArray[np.float32], ids: npt.NDArray[np.uint8], different: npt.NDArray[np.bool_]) -> float:
    """The largest gap between a pixel's highest logit and that of its class in `ids`, among the pixels marked in `different`.

    `logits` is [N, C, H, W], the others are [N, H, W].
    """
    image, row, column = np.nonzero(different)
    if not len(image):
        return 0.0
    there = logits[image, :, row, column]
    return float((there.max(axis=1) - there[np.arange(len(there)), ids[different]]).max())


def called(archive: Archive) -> str:
    """The name of the reference in messages and in the model's record."""
    return PADDLE if archive.runner == PADDLE else "the ONNX file itself"


def lowest(agreements: list[Agreement]) -> float:
    return min(agreement.share for agreement in agreements)


def require(agreements: list[Agreement], threshold: float, program: str = PADDLE, what: str = "the exported network") -> None:
    """Raises DisagreementError if a batch's share of equal pixels is below `threshold`, if a differing pixel is no near-tie, or
    if the comparison proves nothing."""
    if lowest(agreements) < threshold:
        advice = (
            "If that is good enough for you, lower --agreement"
            if lowest(agreements) >= ALMOST
            else "So it computes something else, by a mistake of the converter or of this export: please report it"
        )
        raise DisagreementError(
            f"{what} agrees with {program} on only {lowest(agreements):.4%} of the pixels, less than"
            f" {threshold:.4%}: nothing was installed. {advice}"
        )
    for a in agreements:
        if a.logits is not None and not math.isfinite(a.logits):
            raise DisagreementError(f"{what}'s logits for a {a.width}x{a.height} image are not finite: nothing was installed")
        if not a.rounding:
            raise DisagreementError(
                f"a pixel of a {a.width}x{a.height} image got a class whose logit in {program} is {a.margin:.3g} below the"
                f" highest, where those of one class span {a.spread:.3g}: rounding cannot explain that, so nothing was installed"
            )
    if uniform(agreements):
        _require_equal_logits(agreements, program)


def uniform(agreements: list[Agreement]) -> bool:
    """Whether each image has a single class everywhere, so that the ids prove little."""
    return all(a.classes == 1 for a in agreements)


def _require_equal_logits(agreements: list[Agreement], program: str) -> None:
    """The user's images have no logits to compare: there may be many of them, and large ones."""
    known = [a for a in agreements if a.logits is not None]
    for a in known or agreements[:1]:
        if a.logits is None or a.spread is None or a.logits > NEAR * a.spread:
            how = "there are no logits to compare" if a.logits is None else f"the logits differ by up to {a.logits:.3g}"
            raise DisagreementError(
                f"{program} sees a single class in every image of the comparison, and {how}, so it proves nothing: nothing was"
                " installed. Pass a folder of your own images in which it sees several, with IMAGES= (--images)"
            )
