from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from semseg_client.errors import ServingError
from semseg_client.hosting import exporter_environment
from semseg_client.hosting.exporter_environment import _reason, place, set_up

MISSING = "ERROR: No matching distribution found for paddle-semseg-contract==0.2.0"
RETRYING = (
    "WARNING: Retrying (Retry(total=0, connect=None, read=None, redirect=None, status=None)) after connection broken by"
    " 'NewConnectionError('<...>: Failed to establish a new connection: [Errno -2] Name or service not known')': /simple/x/"
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the environments. Each new one has an exporter, and a "Python" that copies its input."""

    def fill(made: Path, _: object) -> None:
        (made / "bin").mkdir()
        (made / "bin" / "semseg-export").symlink_to("/bin/true")
        (made / "bin" / "python").symlink_to("/bin/cat")

    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(exporter_environment, "_fill", fill)
    return tmp_path / "semseg"


def test_it_is_made_once_and_anew_on_request_or_if_it_is_broken(data: Path) -> None:
    said: list[str] = []
    assert set_up(None, said.append)
    first = place().resolve()
    assert not set_up(None, said.append)
    assert place().resolve() == first
    assert set_up(None, said.append, renew=True)
    second = place().resolve()
    assert second != first
    (second / "bin" / "semseg-export").unlink()
    assert set_up(None, said.append)
    assert {entry.name for entry in data.iterdir()} == {place().name, place().resolve().name}
    assert len(said) == 3


def test_an_environment_in_which_an_export_runs_is_removed_later(data: Path) -> None:
    set_up(None, str)
    old = place().resolve()
    with subprocess.Popen([old / "bin" / "python"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"running\n")
        process.stdin.flush()
        process.stdout.readline()  # until then, the kernel may not show its command line
        set_up(None, str, renew=True)
        assert old.is_dir()
        process.kill()
    assert not set_up(None, str)
    assert not old.exists()
    assert len(list(data.iterdir())) == 2


def test_without_a_home_folder_it_is_told_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(ServingError, match="set XDG_DATA_HOME to a folder of yours"):
        set_up(None, str)


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ([MISSING], "they may not be published yet: run make dist"),
        ([RETRYING, MISSING], "pip cannot reach its index; check the network and the proxy, or name a mirror in PIP_INDEX_URL"),
        (["ERROR: No matching distribution found for paddlepaddle==3.2.2"], "^No matching distribution found for paddlepaddle"),
        ([RETRYING, "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES"], "^THESE PACKAGES DO NOT MATCH THE HASHES$"),
        ([], "it was interrupted"),
    ],
)
def test_the_reason_why_pip_failed_is_told(told: list[str], reason: str) -> None:

    assert re.search(reason, _reason("\n".join(told)))
