"""The next process refuses an image that killed one; the processes really die."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "model_repository/preprocess/1"
START = """
import faulthandler, os, signal, sys, time
from pathlib import Path
from crashes import Convicted, Crashes
crashes = Crashes(Path(sys.argv[1]), longest=0.05, clock=lambda: time.time() + float(os.environ.get("LATER", 0)))
"""
READ = START + "\nwith crashes.noted(b'image'): print('decoded')"
DEATHS = {
    "SIGSEGV": "faulthandler._sigsegv()",
    "SIGABRT": "os.abort()",
    "SIGFPE": "faulthandler._sigfpe()",
    "SIGILL": "os.kill(os.getpid(), signal.SIGILL)",
    "SIGPROF": "\n while True: pass",
}


def run(script: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", script, str(folder)]
    return subprocess.run(command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=20, check=False)


@pytest.mark.parametrize("death", DEATHS)
def test_an_image_that_killed_a_process_is_refused_by_the_next(death: str, tmp_path: Path) -> None:
    died = run(START + f"\nwith crashes.noted(b'image'): {DEATHS[death]}", tmp_path)
    assert died.returncode == -signal.Signals[death]
    for _ in range(2):
        again = run(READ, tmp_path)
        assert again.returncode == 1
        assert again.stderr.endswith("Convicted: image: crashed the decoder before; it is refused for an hour\n")
    assert run(READ.replace("b'image'", "b'other'"), tmp_path).stdout == "decoded\n"


def test_a_bus_error_which_a_full_memory_causes_too_convicts_from_the_second_on(tmp_path: Path) -> None:
    death = START + "\nwith crashes.noted(b'image'): os.kill(os.getpid(), signal.SIGBUS)"
    assert run(death, tmp_path).returncode == -signal.SIGBUS
    assert run(READ, tmp_path).stdout == "decoded\n"
    assert run(death, tmp_path).returncode == -signal.SIGBUS
    assert run(READ, tmp_path).returncode == 1


def test_an_image_is_decoded_though_the_list_of_refused_ones_is_gone(tmp_path: Path) -> None:
    folder = tmp_path / "crashes"
    assert (
        run(START + "\nimport shutil; shutil.rmtree(sys.argv[1])\nwith crashes.noted(b'image'): print('decoded')", folder).stdout
        == "decoded\n"
    )


def test_it_is_refused_for_an_hour(tmp_path: Path) -> None:
    run(START + "\nwith crashes.noted(b'image'): os.abort()", tmp_path)
    assert run(READ, tmp_path, LATER="3590").returncode == 1
    assert run(READ, tmp_path, LATER="3601").stdout == "decoded\n"


@pytest.mark.parametrize(
    "innocent",
    [
        "with crashes.noted(b'image'): os.kill(os.getpid(), signal.SIGKILL)",
        "with crashes.noted(b'image'): os.kill(os.getpid(), signal.SIGTERM)",
        "with crashes.noted(b'image'): pass\nos.abort()",
        "with crashes.noted(b'image'): time.sleep(0.1)",
        "with crashes.noted(b'image'): raise ValueError",
    ],
)
def test_an_image_that_did_not_do_it_is_not_refused(innocent: str, tmp_path: Path) -> None:
    run(START + "\n" + innocent, tmp_path)
    assert run(READ, tmp_path).stdout == "decoded\n"


def test_a_process_that_lives_learns_what_killed_its_neighbour(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START + "\nfor line in sys.stdin:\n" + WAITING, str(tmp_path)]
    with subprocess.Popen(command, cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as neighbour:
        assert neighbour.stdin is not None
        assert neighbour.stdout is not None

        def told(seconds_later: int) -> str:
            neighbour.stdin.write(f"{seconds_later}\n")
            neighbour.stdin.flush()
            return neighbour.stdout.readline()

        assert told(0) == "decoded\n"
        run(START + "\nwith crashes.noted(b'image'): os.abort()", tmp_path)
        run(START, tmp_path)  # the replacement judges the dead process's note
        assert told(2) == "refused\n"
        assert told(3700) == "decoded\n"
        neighbour.stdin.close()


WAITING = """
    os.environ["LATER"] = line
    try:
        with crashes.noted(b"image"):
            print("decoded", flush=True)
    except Convicted:
        print("refused", flush=True)
"""


def test_nothing_is_left_of_processes_that_ended_well(tmp_path: Path) -> None:
    for _ in range(3):
        run(READ, tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # the last process's note and evidence


def test_it_costs_a_quiet_request_little(tmp_path: Path) -> None:
    counting = """
opened, calls = [], []
sys.addaudithook(lambda event, arguments: opened.append(arguments) if event == "open" else None)
image = bytes(100_000)
sys.setprofile(lambda frame, event, argument: calls.append(event))
for _ in range(100):
    with crashes.noted(image): pass
sys.setprofile(None)
print(len(opened), len(calls))
"""
    opened, calls = map(int, run(START + counting, tmp_path).stdout.split())
    assert opened == 0
    assert calls < 100 * 60
