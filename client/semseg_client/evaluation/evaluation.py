"""Runs a data set through a pipeline, and compares every pixel with the ground truth."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from ..errors import SemsegError, UnreadableInput
from ..inputs.source import Source, Unreadable
from ..pipeline.pipeline import Failed, Pipeline
from ..results.result import Result
from ..triton.protocol import TargetSize
from .confusion import Counts, UnknownId, counts
from .datasets import DataSet, Sample

Compared: TypeAlias = "Counts | SemsegError"  # the confusion matrix of an image, or the reason why there is none


def compared(
    pipeline: Pipeline, data_set: DataSet, samples: Sequence[Sample], target_size: TargetSize | None = None
) -> Iterator[tuple[Sample, Compared]]:
    """Compares `samples` of a data set, in order, several in flight at once.

    Raises SemsegError if the server changes to another version of the model meanwhile: its figures would be of both.
    """
    model = pipeline.model
    outcomes = pipeline.attempt_sources(sources(samples), target_size, picture=False)
    for sample, outcome in zip(samples, outcomes, strict=True):
        if isinstance(outcome, Failed):
            yield sample, outcome.error
            continue
        version = outcome.segmentation.version
        if version != model.version:
            raise SemsegError(f"{model.name} changed from version {model.version} to {version} meanwhile: measure it again")
        yield sample, _compared(data_set, sample, outcome, len(model.class_names))


def _compared(data_set: DataSet, sample: Sample, found: Result, classes: int) -> Compared:
    try:
        return _matrix(data_set, sample, found, classes)
    except UnreadableInput as error:
        return error


def sources(samples: Iterable[Sample]) -> Iterator[Source | Unreadable]:
    """The images themselves, each read when it is its turn."""
    return map(_source, samples)


def _source(sample: Sample) -> Source | Unreadable:
    try:
        content = sample.image.read_bytes()
    except OSError as error:
        return Unreadable(str(sample.image), error.strerror or str(error))
    return Source(content, str(sample.image), None, sample.name, sample.image.suffix)


def _matrix(data_set: DataSet, sample: Sample, found: Result, classes: int) -> Counts:
    """Raises UnreadableInput, which names the file with the ground truth."""
    truth = data_set.truth(sample)
    if truth.shape != found.size:
        (height, width), (rows, columns) = found.size, truth.shape
        raise UnreadableInput(f"{sample.truth}: is {columns}x{rows}, but {sample.image} is {width}x{height}")
    try:
        return counts(truth, found.label_map, classes)
    except UnknownId as error:
        raise UnreadableInput(f"{sample.truth}: {error}") from None
