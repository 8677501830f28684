from __future__ import annotations

from pathlib import Path

from semseg_client.hosting.supervision.stubs import Stub, stopped, stubs, zombies


def process(proc: Path, pid: int, words: list[str], state: str, children: str = "") -> None:
    folder = proc / str(pid)
    (folder / "task" / str(pid)).mkdir(parents=True)
    (folder / "cmdline").write_bytes(b"\0".join(word.encode() for word in words) + b"\0")
    fields = [state, *"0" * 10, "7", "5", *"0" * 20]
    (folder / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}\n")
    (folder / "task" / str(pid) / "children").write_text(children)


def test_living_stubs_are_told_with_their_entry_state_and_time(tmp_path: Path) -> None:
    stub = "/x/triton_python_backend_stub"
    process(tmp_path, 1, ["tritonserver"], "S", "2 3 4 5 9")
    process(tmp_path, 2, [stub, "/shm/repository/draw/1/model.py", "region"], "S")
    process(tmp_path, 3, [stub, "repository/A_network/12/model_cpu.onnx"], "T")
    process(tmp_path, 4, [""], "Z")
    process(tmp_path, 5, ["sh", "-c", "x"], "S")
    assert stubs(1, tmp_path) == [Stub(2, "draw", "S", 12), Stub(3, "A_network", "T", 12)]
    assert [each.stopped for each in stubs(1, tmp_path)] == [False, True]
    assert stopped(3, tmp_path)
    assert not stopped(2, tmp_path)
    assert not stopped(99, tmp_path)
    assert stubs(99, tmp_path) == []
    assert (zombies(1, tmp_path), zombies(99, tmp_path)) == (1, 0)
