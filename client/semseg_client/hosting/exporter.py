"""Finds and runs `semseg-export`, which has its own environment because it needs Paddle."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from semseg_contract.lock import locked

from ..errors import ServingError
from ..giving_up import given_up
from ..parent_death import ending_with_us
from . import exporter_environment
from .repository import add_shared_models

_NAME = "semseg-export"
_PERIOD = 0.2  # s between two looks whether the export is given up
_GIVEN_UP = "the export was given up"
_FAILED = "Export failed: "  # how the exporter's own error line begins


def find_exporter() -> Path:
    """The `semseg-export` command: from the export environment inside this one, from this environment, from the one that
    `semseg setup-export` makes, or from the PATH.

    Raises:
        ServingError: it was not found; the message says how to install it.
    """
    for command in _candidates():
        if os.access(command, os.X_OK):
            return command
    raise ServingError(
        "exporting needs Paddle (1.5 GB) in an environment of its own; set it up once: semseg setup-export"
        " (in the project's folder: make setup)"
    )


def _candidates() -> Iterator[Path]:
    yield Path(sys.prefix, "export", "bin", _NAME)
    yield Path(sys.executable).with_name(_NAME)
    with suppress(ServingError):  # there is no home folder
        yield exporter_environment.place() / "bin" / _NAME
    for folder in os.get_exec_path():
        yield Path(folder, _NAME)


def run_exporter(given: str, arguments: Sequence[str | Path], repository: Path, is_done: Callable[[], bool]) -> None:
    """Export `given` (as the user named it) into `repository`, which is created if needed.

    If several processes need it, one exports and the others wait until `is_done`. A line on standard error says so; at a
    terminal, the user sees the progress.

    Raises:
        ServingError: there is no exporter, it refused, or it is given up.
        OSError: the repository cannot be written.
    """
    watched = sys.stderr is not None and sys.stderr.isatty()
    repository.parent.mkdir(parents=True, exist_ok=True)
    with locked(repository.parent, _Wait(given)) as lock:
        if is_done():
            return
        try:
            command = ending_with_us([find_exporter(), *arguments, "--repository", repository])
        except ServingError as error:
            raise ServingError(f"{given} is not exported yet, and {error}") from None
        add_shared_models(repository)
        tell(f"Exporting {given} to {repository}")
        with subprocess.Popen(  # noqa: S603 - our exporter, arguments as a list
            command,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if watched else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,  # Ctrl-C at a terminal reaches only us
            pass_fds=[lock],  # if we are killed, the next process waits until the exporter has cleaned up
        ) as process:
            try:
                complaints = _complaints(process)
            finally:
                process.terminate()
    if process.returncode:
        raise ServingError(f"{given} cannot be exported: {_reason(complaints) or f'exit code {process.returncode}'}")


class _Wait:
    """Waits while another process exports. Raises ServingError if the export is given up."""

    def __init__(self, given: str) -> None:
        self._given = given
        self._told = False

    def __call__(self) -> None:
        if not self._told:
            tell(f"Waiting for another export before {self._given}")
            self._told = True
        if given_up.get().wait(_PERIOD):
            raise ServingError(_GIVEN_UP)


def tell(line: str) -> None:
    """Print a line to standard error, if there is one."""
    if sys.stderr is not None:
        print(line, file=sys.stderr)


def _complaints(process: subprocess.Popen[str]) -> str:
    """What the exporter wrote to standard error, once it has ended. Raises ServingError if it is given up."""
    while not given_up.get().is_set():
        with suppress(subprocess.TimeoutExpired):
            return process.communicate(timeout=_PERIOD)[1]
    raise ServingError(_GIVEN_UP)


def _reason(complaints: str) -> str:
    """The exporter's own error line. Output of a program that it ran may follow it."""
    lines = [line.strip(" │") for line in complaints.splitlines() if any(map(str.isalnum, line))]
    failed = [line for line in lines if line.startswith(_FAILED)]
    return (failed or lines or [""])[-1].removeprefix(_FAILED)
