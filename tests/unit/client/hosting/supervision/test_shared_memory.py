from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semseg_client.hosting.supervision import shared_memory
from semseg_client.hosting.supervision.shared_memory import SharedMemory

OWNER = """
import subprocess, sys, time
from pathlib import Path
from semseg_client.hosting.supervision.shared_memory import Keeper, SharedMemory
memory = SharedMemory(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], start_new_session=True)
memory.starting()
Keeper(child.pid, memory)
memory.folder.with_name(memory.prefix + "region").write_bytes(b"x")
print(child.pid, flush=True)
time.sleep(60)
"""


def gone(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] == "Z"


def test_what_an_owner_leaves_goes_with_it_however_it_dies(tmp_path: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER, tmp_path], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    child = int(owner.stdout.readline())
    assert len(list(tmp_path.iterdir())) == 2
    owner.kill()
    owner.communicate()
    deadline = time.monotonic() + 10
    while list(tmp_path.iterdir()) or not gone(child):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_what_a_dead_owner_left_is_cleared_by_the_next_one(tmp_path: Path) -> None:
    (tmp_path / "semseg_1_ab_folder").mkdir()
    (tmp_path / "semseg_1_ab_region").write_bytes(b"x")
    (tmp_path / "others").write_bytes(b"x")
    (tmp_path / "semseg_*_folder").mkdir()  # as a glob, it would match all of them
    os.mkfifo(tmp_path / "semseg_2_cd_folder")
    alive = SharedMemory(tmp_path)
    another = SharedMemory(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        "others",
        "semseg_*_folder",
        "semseg_2_cd_folder",
        alive.folder.name,
        another.folder.name,
    }
    for each in (alive, another, another):
        each.remove()
    assert {path.name for path in tmp_path.iterdir()} == {"others", "semseg_*_folder", "semseg_2_cd_folder"}


def test_regions_are_closed_to_others_and_a_strangers_link_is_not_followed(tmp_path: Path) -> None:
    memory = SharedMemory(tmp_path)
    region, own, link = (tmp_path / name for name in (f"{memory.prefix}region", "own", f"{memory.prefix}link"))
    for file in (region, own):
        file.touch()
        file.chmod(0o644)
    link.symlink_to(own)
    memory.keep_private()
    assert [file.stat().st_mode & 0o777 for file in (region, own, memory.folder)] == [0o600, 0o644, 0o700]
    memory.remove()


def test_the_regions_of_a_dead_server_go_and_the_folder_stays(tmp_path: Path) -> None:
    memory = SharedMemory(tmp_path)
    (tmp_path / f"{memory.prefix}region").write_bytes(b"x")
    memory.clear()
    assert list(tmp_path.iterdir()) == [memory.folder]
    memory.remove()


def test_the_folder_that_a_killed_server_left_goes_and_others_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, temporary = tmp_path / "shm", tmp_path / "tmp"
    for folder in (root, temporary / "python_env_before", temporary / "python_env_full"):
        folder.mkdir(parents=True)
    long_ago = time.time() - 60
    os.utime(temporary / "python_env_before", (long_ago, long_ago))
    (temporary / "python_env_full" / "python").write_bytes(b"x")
    monkeypatch.setattr(shared_memory, "_TEMPORARY", temporary)
    monkeypatch.setattr(shared_memory, "_PROGRAM", "semseg_test")  # other tests run the real one
    memory = SharedMemory(root)
    memory.starting()
    (temporary / "python_env_ours").mkdir()
    memory.clear()
    assert {path.name for path in temporary.iterdir()} == {"python_env_before", "python_env_full"}
    memory.remove()


def test_a_folder_that_may_be_another_servers_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root, temporary = tmp_path / "shm", tmp_path / "tmp"
    for folder in (root, temporary):
        folder.mkdir()
    program = tmp_path / "semseg_test"
    shutil.copy(str(shutil.which("sleep")), program)
    monkeypatch.setattr(shared_memory, "_TEMPORARY", temporary)
    monkeypatch.setattr(shared_memory, "_PROGRAM", "semseg_test")  # other tests run the real one
    memory = SharedMemory(root)
    memory.starting()
    (temporary / "python_env_either").mkdir()
    with subprocess.Popen([program, "60"]) as other:
        memory.clear()
        assert list(temporary.iterdir())
        other.kill()
    memory.remove()
    assert list(temporary.iterdir()) == []


def test_a_folder_that_was_never_given_its_name_goes_unless_it_is_new(tmp_path: Path) -> None:
    old, new = tmp_path / ".semseg_1_ab_folder", tmp_path / ".semseg_2_cd_folder"
    old.mkdir()
    new.mkdir()
    os.utime(old, (time.time() - 60, time.time() - 60))
    SharedMemory(tmp_path).remove()
    assert list(tmp_path.iterdir()) == [new]


def test_a_forked_child_does_not_hold_its_parents_lock(tmp_path: Path) -> None:
    memory = SharedMemory(tmp_path)
    done, go = os.pipe()
    begun, begin = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        os.write(begin, b"x")
        os.read(done, 1)
        os._exit(0)
    try:
        os.read(begun, 1)
        os.close(memory._lock)  # as happens when this process dies
        SharedMemory(tmp_path).remove()
        assert list(tmp_path.iterdir()) == []
    finally:
        for each in (go, done, begun, begin):
            os.close(each)
        os.waitpid(child, 0)
        shared_memory._signs_of_life.discard(memory._lock)
