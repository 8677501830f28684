from __future__ import annotations

import sys
import time
from pathlib import Path

import psutil
import pytest

from bench.processes import Tree

BUSY = "while True: pass"
WITH_CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {BUSY!r}]).wait()"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A process with a child that is always busy."""
    tree = Tree([sys.executable, "-c", WITH_CHILD], {}, tmp_path / "log")
    while tree.cpu() < 0.1:
        time.sleep(0.02)
    return tree


def ended(process: psutil.Process) -> bool:
    """Whether it has ended; its parent may not have reaped it yet."""
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def test_children_are_counted_and_ended(tree: Tree) -> None:
    everyone = psutil.Process(tree.process.pid).children(recursive=True)
    assert everyone
    before = tree.cpu()
    time.sleep(0.3)
    assert tree.cpu() - before > 0.05
    assert tree.memory().rss > psutil.Process(tree.process.pid).memory_info().rss
    tree.stop()
    assert all(ended(process) for process in everyone)


def test_one_that_rests_takes_no_processor_time(tree: Tree) -> None:
    tree.rest()
    time.sleep(0.05)
    before = tree.cpu()
    time.sleep(0.2)
    assert tree.cpu() == before
    tree.wake()
    time.sleep(0.3)
    assert tree.cpu() > before
    tree.stop()
