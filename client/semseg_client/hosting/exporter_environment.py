"""Sets up an environment for the exporter in the user's data folder: for a client that pip installed, outside a checkout.

    ~/.local/share/semseg/export-0.2.0            a link to the environment for the client of that version
    ~/.local/share/semseg/environment-k2x9q1_a    the environment

The link is made last. So an environment that is there is complete, and an older one is used until the new one is. An old one is
removed once no export runs in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

from semseg_contract.lock import locked

from ..errors import ServingError
from ..parent_death import ending_with_us

_LOCK = Path(__file__).with_name("export.txt")  # the exporter's requirements: pinned, with the hashes of PyPI's files
_PACKAGES = ("paddle-semseg-contract", "paddle-semseg-export")
_PREFIX = "environment-"
_UNREACHABLE = ("WARNING: Retrying", "Could not fetch URL")  # pip's warnings


def place() -> Path:
    """Where the environment for this version of the client is, if it has been set up.

    Raises:
        ServingError: the user has no home folder.
    """
    try:
        data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    except RuntimeError:
        raise ServingError("there is no home folder for the exporter: set XDG_DATA_HOME to a folder of yours") from None
    return Path(data, "semseg", f"export-{_version()}")


def set_up(find_links: str | None, say: Callable[[str], None], *, renew: bool = False) -> bool:
    """Make the environment, if it is not there and whole, or anew. Returns whether it was made.

    `say` gets a line before that. At a terminal, the user then sees pip's progress. `find_links` is where pip finds our own
    packages if they are not in its index: a folder of wheels, or a page that links them.

    Raises:
        ServingError: it could not be made. Nothing is left behind.
    """
    link = place()
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        with locked(link.parent):
            _clear(link.parent)
            if not renew and _is_whole(link):
                return False
            say(f"Setting up the exporter in {link}: Paddle and its converter, 1.5 GB, a few minutes")
            made = Path(mkdtemp(prefix=_PREFIX, dir=link.parent))
            try:
                _fill(made, find_links)
                fresh = made / "link"
                fresh.symlink_to(made.name)
                fresh.replace(link)
            finally:
                _clear(link.parent)
    except OSError as error:
        raise ServingError(f"{link} cannot be made: {error.filename or link.parent}: {error.strerror}") from error
    return True


def _is_whole(environment: Path) -> bool:
    """Whether its exporter runs: the Python that it was made with may have been removed or replaced."""
    try:
        done = subprocess.run([environment / "bin" / "semseg-export", "--help"], capture_output=True, check=False)  # noqa: S603
    except OSError:
        return False
    return done.returncode == 0


def _fill(made: Path, find_links: str | None) -> None:
    python = made / "bin" / "python"
    _run([sys.executable, "-m", "venv", made])
    pip: list[str | Path] = [python, "-I", "-m", "pip", "--disable-pip-version-check", "install", "--no-deps"]
    pip += ["--only-binary", ":all:"]
    # Our own first: if they are missing, pip says so before it downloads Paddle.
    links = [] if find_links is None else ["--find-links", find_links]
    _run([*pip, *links, *(f"{package}=={_version()}" for package in _PACKAGES)])
    _run([*pip, "--require-hashes", "-r", _LOCK])


def _run(command: Sequence[str | Path]) -> None:
    watched = sys.stderr is not None and sys.stderr.isatty()
    with subprocess.Popen(  # noqa: S603 - Python and pip, arguments as a list
        ending_with_us(command),
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if watched else subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            output, complaints = process.communicate()
        finally:
            process.terminate()
    if process.returncode:
        raise ServingError(f"the exporter's environment cannot be set up: {_reason(complaints or output or '')}")


def _reason(told: str) -> str:
    lines = [line for line in told.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")]
    last = (errors or lines or ["it was interrupted"])[-1].strip()
    if "No matching distribution found" in last:
        if any(warning in told for warning in _UNREACHABLE):
            return f"pip cannot reach its index; check the network and the proxy, or name a mirror in PIP_INDEX_URL ({last})"
        if "paddle-semseg" in last:
            return (
                f"pip found no {' and '.join(_PACKAGES)} {_version()} in its index; they may not be published yet: run make dist"
                " in the project's folder, and pass --find-links build/dist"
            )
    return last


def _clear(folder: Path) -> None:
    """Remove the environments that no link leads to and no program runs in: replaced, failed or killed ones."""
    linked = {link.resolve() for link in folder.iterdir() if link.is_symlink()}
    for environment in folder.glob(f"{_PREFIX}*"):
        if environment.resolve() not in linked and not _is_in_use(environment):
            shutil.rmtree(environment)


def _is_in_use(environment: Path) -> bool:
    """Whether its Python runs. The name of the environment is random, so no other command has it."""
    python = os.fsencode(f"/{environment.name}/bin/")
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has just ended
            if python in process.read_bytes().partition(b"\0")[0]:
                return True
    return False


def _version() -> str:
    return version("paddle-semseg-client")
