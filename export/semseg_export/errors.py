"""The errors of an export. Each message is one line that says what is wrong, where, and what to do.

ExportError
  WeightsError         not found, unreachable, not an inference archive, or changed since the first download
    UnpackError        neither an archive nor trained weights, or unsafe to read
  DescriptionError     no file says how pixels are prepared, or one requires something that cannot be served
  ConversionError      Paddle2ONNX or Paddle failed on the network
  GraphError           the converted network does not label pixels
  ImagesError          a folder holds no images, or an unreadable one
  EngineError          the engine asked for cannot run the network, or is not installed
  MemoryBudgetError    the network needs more memory than allowed
  DisagreementError    the exported network differs from Paddle, or from its fp32 version
  ClassesError         the class names do not fit the network
  RepositoryError      the model repository cannot be read or changed
"""

from __future__ import annotations


class ExportError(Exception):
    """Any failure of an export. `detail` is the output of the failed program, if any."""

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(message)
        self.detail = detail


class WeightsError(ExportError):
    pass


class UnpackError(WeightsError):
    pass


class DescriptionError(ExportError):
    pass


class ConversionError(ExportError):
    pass


class GraphError(ExportError):
    pass


class ImagesError(ExportError):
    pass


class EngineError(ExportError):
    pass


class MemoryBudgetError(ExportError):
    pass


class DisagreementError(ExportError):
    pass


class ClassesError(ExportError):
    pass


class RepositoryError(ExportError):
    pass


def printable(text: str) -> str:
    """`text` on one short line, without control characters."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))[:200]
