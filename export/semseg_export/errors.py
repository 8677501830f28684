"""What can go wrong in an export. Each message is one line that says what was wrong, where, and what to do.

ExportError
  WeightsError         not found, not reachable, not an inference archive, not the file of the last time
    UnpackError        the file is no archive and no trained weights, or not what can be trusted
  DescriptionError     inference.yml is absent or asks for what cannot be served
  ConversionError      Paddle2ONNX or Paddle gave up on the network
  GraphError           the converted network is not one that labels pixels
  CalibrationError     there are no images to quantise the network by, or one of them cannot be read
  MemoryBudgetError    not even a small image fits into the memory that the network may take
  DisagreementError    the finished graph does not answer as Paddle does, or in another precision not as in fp32
  ClassesError         the class names do not fit the network
  RepositoryError      the model repository cannot take the model
"""

from __future__ import annotations


class ExportError(Exception):
    """Any failure of an export. `detail` is the output of the program that failed, if one did."""

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


class CalibrationError(ExportError):
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
    """In one line that no terminal obeys, and short."""
    return "".join(letter if letter.isprintable() else " " for letter in " ".join(text.split()))[:200]
