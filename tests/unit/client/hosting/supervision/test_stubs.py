from __future__ import annotations

import signal
import subprocess
from dataclasses import replace
from pathlib import Path

from semseg_client.hosting.supervision.stubs import Family, Stub, family, stopped


def process(proc: Path, pid: int, words: list[str], state: str, children: str = "", parent: str = "0") -> None:
    folder = proc / str(pid)
    (folder / "task" / str(pid)).mkdir(parents=True)
    (folder / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    fields = [state, parent, *"0" * 9, "7", "5", *"0" * 6, "40", *"0" * 20]
    (folder / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}\n")
    (folder / "task" / str(pid) / "children").write_text(children)
    (folder / "schedstat").write_text("99 7 1\n")


def test_living_stubs_are_told_with_their_entry_state_and_time(tmp_path: Path) -> None:
    stub = "/x/triton_python_backend_stub"
    process(tmp_path, 1, ["tritonserver"], "S", "2 3 4 5 9")
    process(tmp_path, 2, [stub, "/shm/repository/draw/1/model.py", "region"], "S")
    process(tmp_path, 3, [stub, "repository/A_network/12/model_cpu.onnx"], "T")
    process(tmp_path, 4, [""], "Z")
    process(tmp_path, 5, ["sh", "-c", "x"], "S")
    found = family(1, tmp_path)
    assert found.stubs == (Stub(2, "draw", "S", 12, 40, 99), Stub(3, "A_network", "T", 12, 40, 99))
    assert [each.stopped for each in found.stubs] == [False, True]
    assert stopped(3, tmp_path)
    assert not stopped(2, tmp_path)
    assert not stopped(99, tmp_path)
    assert family(99, tmp_path) == Family((), 0)
    assert found.dead == 1


def test_without_the_kernels_lists_of_children_they_are_found_by_their_parent(tmp_path: Path) -> None:
    process(tmp_path, 1, ["tritonserver"], "S")
    process(tmp_path, 2, ["triton_python_backend_stub", "repository/draw/1/model.py"], "R", parent="1")
    process(tmp_path, 3, ["triton_python_backend_stub", "repository/draw/1/model.py"], "R", parent="7")
    (tmp_path / "1" / "task" / "1" / "children").unlink()
    assert family(1, tmp_path).stubs == (Stub(2, "draw", "R", 12, 40, 99),)


def test_a_process_that_has_got_the_number_of_another_is_not_killed() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as child:
        other = Stub(child.pid, "draw", "S", 0, started=1)
        other.kill()
        time_of_start = int(Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[19])
        assert child.poll() is None
        replace(other, started=time_of_start).kill()
        assert child.wait() == -signal.SIGKILL
