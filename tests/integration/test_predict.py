"""`semseg predict` on many images: killed and resumed, in pipes, and with a server that goes away."""

from __future__ import annotations

import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import tritonclient.grpc as grpc
from PIL import Image

from demo.scenes import scene
from semseg_client import Client
from tests.support import DEMO, STREET, Service, semseg

COMMAND = Path(sys.executable).with_name("semseg")
COUNT = 200


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 small images of mixed sizes in two folders, with the same names in both."""
    folder = tmp_path_factory.mktemp("images")
    for number in range(COUNT):
        path = folder / "ab"[number % 2] / f"{number // 2:03}{'.png' if number % 3 else '.jpg'}"
        path.parent.mkdir(exist_ok=True)
        cv2.imwrite(str(path), scene(7_000_000 + number, 64 + 16 * (number % 5), 48 + 16 * (number % 3))[0])
    return folder


def options(service: Service) -> tuple[str, ...]:
    return "--url", service.grpc, "--model", DEMO


@contextmanager
def running(folder: Path, *arguments: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [COMMAND, "predict", *arguments],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A shell's background jobs ignore SIGINT, and the child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def inferences(service: Service) -> int:
    with grpc.InferenceServerClient(service.grpc) as triton:
        return int(triton.get_inference_statistics(DEMO, as_json=True)["model_stats"][0]["inference_count"])


def test_a_killed_run_is_gone_on_with_and_nothing_is_done_twice(service: Service, images: Path, tmp_path: Path) -> None:
    command: list[str | Path] = [images, *options(service), "--save", "ids", "--save", "json", "--compact"]
    out, hidden = tmp_path / "output", tmp_path / "output" / ".semseg"
    with running(tmp_path, *command) as process:
        wait_until(lambda: len(list(out.glob("*_ids.png"))) > COUNT // 4)
        process.kill()
        process.wait()
    done = len((hidden / "done.jsonl").read_bytes().splitlines())
    assert COUNT // 4 <= done < COUNT
    assert len(list(hidden.iterdir())) == 2  # the journal, and the killed run's leftovers

    time.sleep(1)  # until requests in flight are answered and counted
    before = inferences(service)
    resumed = semseg(tmp_path, "predict", *command, "--resume")
    assert (resumed.returncode, resumed.stderr) == (0, f"{COUNT - done} images segmented; {done} were already done\n")
    assert inferences(service) - before == COUNT - done
    again = semseg(tmp_path, "predict", *command, "--resume")
    assert (again.returncode, again.stderr) == (0, f"0 images segmented; {COUNT} were already done\n")
    assert inferences(service) - before == COUNT - done

    assert {path.name for path in hidden.iterdir()} == {"done.jsonl"}
    documents = sorted(out.glob("*.json"))
    assert len(documents) == COUNT
    assert len(list(out.iterdir())) == 2 * COUNT + 1
    seen = set()
    with Client(service.grpc) as client:
        for document in documents:
            content = json.loads(document.read_text())
            seen.add(content["input_path"])
            expected = client.segment(content["input_path"], DEMO).label_map
            np.testing.assert_array_equal(content["pred"][0], expected)
            with Image.open(out / f"{document.name.removesuffix('_res.json')}_ids.png") as ids:
                np.testing.assert_array_equal(np.asarray(ids), expected)
    assert seen == {str(path) for path in images.rglob("*.*")}


@pytest.mark.parametrize(("sent", "code", "told"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")])
def test_a_signal_ends_it_in_a_line(
    sent: signal.Signals, code: int, told: str, service: Service, images: Path, tmp_path: Path
) -> None:
    with running(tmp_path, images, *options(service)) as process:
        wait_until(lambda: len(list(tmp_path.glob("output/*"))) > 20)
        process.send_signal(sent)
        _, stderr = process.communicate(timeout=30)
    summary, last = stderr.decode().splitlines()
    assert (process.returncode, last) == (code, f"semseg: {told}; to continue: semseg predict --resume")
    assert int(summary.split()[0]) < COUNT
    assert {path.name for path in tmp_path.glob("output/.semseg/*")} == {"done.jsonl"}


def test_a_server_that_dies_costs_no_image(repository: Path, images: Path, tmp_path: Path) -> None:
    with running(tmp_path, images, "--model-repository", repository, "--model", DEMO) as process:
        wait_until(lambda: len(list(tmp_path.glob("output/*"))) > 20)
        [triton] = [child for child in psutil.Process(process.pid).children() if "tritonserver" in child.name()]
        triton.kill()
        _, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr.decode()


def test_a_signal_while_its_own_server_is_stopped_leaves_nothing(repository: Path, images: Path, tmp_path: Path) -> None:
    given = sorted(images.rglob("*.png"))[:2]
    with running(tmp_path, *given, "--model-repository", repository, "--model", DEMO) as process:
        assert process.stderr is not None
        assert b"2 images segmented\n" in process.stderr  # gRPC may log before it
        started = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
    assert psutil.wait_procs(started, timeout=10)[1] == []
    assert list(Path("/dev/shm").glob(f"semseg_{process.pid}_*")) == []


def test_a_list_is_answered_line_by_line_as_it_comes(service: Service, images: Path, tmp_path: Path) -> None:
    given = [*sorted(images.rglob("*.png"))[:3], tmp_path / "nowhere.png"]
    with running(tmp_path, "--from-file", "-", "--json-lines", "--jobs", "1", *options(service)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        answers = []
        for path in given:
            process.stdin.write(os.fsencode(path) + b"\n")
            process.stdin.flush()
            answers.append(json.loads(process.stdout.readline()))
        assert process.communicate()[0] == b""
    assert process.returncode == 1
    assert [answer["input_path"] for answer in answers] == list(map(str, given))
    assert answers[3]["error"] == f"{given[3]}: No such file or directory"
    with Client(service.grpc) as client:
        found = client.segment(given[0], DEMO)
    assert {each["name"]: each["share"] for each in answers[0]["classes"]} == found.shares()
    assert tuple(answers[0]["size"]) == found.size
    assert all((tmp_path / file).is_file() for file in answers[0]["files"])


def test_an_image_goes_in_and_a_picture_comes_out_of_a_pipe(service: Service, tmp_path: Path) -> None:
    options_here = ("--save-path", "-", "--save", "ids", *options(service))
    done = subprocess.run(
        [COMMAND, "predict", "-", *options_here], cwd=tmp_path, input=STREET.read_bytes(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    with Client(service.grpc) as client, Image.open(io.BytesIO(done.stdout)) as ids:
        np.testing.assert_array_equal(np.asarray(ids), client.segment(STREET, DEMO).label_map)
    assert list(tmp_path.iterdir()) == []


def test_streams_that_the_caller_has_closed_are_done_without(service: Service, tmp_path: Path) -> None:
    shell: list[str | Path] = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", COMMAND, "predict", *options(service)]
    assert subprocess.run([*shell, STREET], cwd=tmp_path, check=False).returncode == 0
    assert {file.name for file in (tmp_path / "output").glob("street_*")} == {"street_res.jpg", "street_res.json"}
    assert subprocess.run([*shell, "-"], cwd=tmp_path, check=False).returncode == 1


def test_an_output_that_nobody_reads_ends_it_without_a_word(service: Service, images: Path, tmp_path: Path) -> None:
    with running(tmp_path, images, "--json-lines", *options(service)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr is not None
        told = process.stderr.read().decode().splitlines()
        process.wait(60)
    assert process.returncode == 141
    assert len(told) <= 1  # the summary


def test_the_progress_is_shown_at_a_terminal_and_json_lines_go_elsewhere(service: Service, images: Path, tmp_path: Path) -> None:
    terminal, its_end = pty.openpty()
    command: list[str | Path] = [COMMAND, "predict", images / "a", "--json-lines", *options(service)]
    settings = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with (tmp_path / "lines").open("wb") as lines:
        process = subprocess.Popen(command, cwd=tmp_path, env=settings, stdout=lines, stderr=its_end)
    os.close(its_end)
    shown = b""
    with suppress(OSError):  # on Linux, raised when the other end is closed
        while True:
            shown += os.read(terminal, 4096)
    os.close(terminal)
    assert process.wait() == 0
    assert len([json.loads(line) for line in (tmp_path / "lines").read_bytes().splitlines()]) == COUNT // 2
    assert f"/{COUNT // 2}".encode() in shown
    assert f"{COUNT // 2} images segmented".encode() in shown


def test_every_image_is_reported_and_the_bad_ones_in_the_end(service: Service, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    done = semseg(tmp_path, "predict", STREET, "broken.jpg", "nowhere/*.png", "--save-path", "out", *options(service))
    assert done.returncode == 1
    assert done.stdout.startswith(f"{STREET} (1024x512) -> out/street_res.jpg, out/street_res.json\n   32.69%  road\n")
    told = done.stderr.splitlines()
    assert told[0] == "2 of 3 images failed:"
    assert told[1].startswith("  broken.jpg: image: cannot be decoded")
    assert told[2].startswith("  nowhere/*.png: no such file")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ([STREET, "--save-path", "file/out"], 1, "semseg: file/out cannot be written: Not a directory"),
        ([STREET, "--save-path", "/proc/nowhere"], 1, "semseg: /proc/nowhere cannot be written: No such file or directory"),
        ([STREET, STREET, "--save-path", "-"], 2, "'-' allows only one image"),
        ([STREET, "--model", "nothing"], 1, "semseg: no model named 'nothing' is served; the server has: "),
        ([STREET, "--pipeline", "file"], 1, "file, line 1: "),
    ],
)
def test_what_is_wrong_is_told_once(arguments: list[str | Path], code: int, told: str, service: Service, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no configuration")
    done = semseg(tmp_path, "predict", *(options(service) if "--model" not in arguments else options(service)[:2]), *arguments)
    assert done.returncode == code
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    if code == 1:
        assert len(done.stderr.splitlines()) == 1
