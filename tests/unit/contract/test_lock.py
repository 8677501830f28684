from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from semseg_contract.lock import locked, staging

HOLDS = """
import fcntl, os, sys
try:
    fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX | fcntl.LOCK_NB)
except BlockingIOError:
    sys.exit(3)
"""


def is_held(folder: Path) -> bool:
    """Whether another process would have to wait."""
    return subprocess.run([sys.executable, "-c", HOLDS, folder], check=False).returncode == 3


def test_a_folder_is_held_by_one_and_the_lock_leaves_no_file(tmp_path: Path) -> None:
    with locked(tmp_path):
        assert is_held(tmp_path)
    assert not is_held(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_what_is_prepared_lies_beside_the_repository_and_what_a_killed_process_left_goes(tmp_path: Path) -> None:
    repository, left = tmp_path / "models", tmp_path / ".models-staging-x"
    repository.mkdir()
    left.mkdir()
    with staging(repository) as folder:
        assert folder.parent == tmp_path
        assert is_held(repository)
        assert not left.exists()
    assert list(tmp_path.iterdir()) == [repository]
