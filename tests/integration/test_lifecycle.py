"""Starting and stopping: what `semseg serve` and `tritonserver` print, and that they leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from demo.run import SERVING, serving
from semseg_client import Client
from tests.integration.triton import tritonserver
from tests.support import DEMO, ROOT, STREET, Service


def test_tritonserver_on_the_repository_serves_every_model(full_repository: Path, tmp_path: Path) -> None:
    with tritonserver(full_repository, tmp_path / "triton.log") as server, Client(server.grpc) as client:
        assert [model.name for model in client.models()] == [DEMO, "PP-LiteSeg-T", "PP-LiteSeg-T-legacy"]
        assert client.segment(STREET, DEMO).picture


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_serve_leaves_no_process_port_or_shared_memory(repository: Path, tmp_path: Path, number: signal.Signals) -> None:
    temporary, ready = tmp_path / "temporary", tmp_path / "ready.json"
    temporary.mkdir()
    ports = [f"--{each}=0" for each in ("port", "grpc-port", "http-port", "metrics-port")]
    process = subprocess.Popen(
        [SERVING / "semseg", "serve", "--model-repository", repository, "--model", DEMO, "--ready-file", ready, *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.1)
    children = psutil.Process(process.pid).children(recursive=True)
    assert any("tritonserver" in child.name() for child in children)
    listening = {port for each in [psutil.Process(process.pid), *children] for port in ports_of(each)}
    assert len(listening) >= 4
    assert list(Path("/dev/shm").glob(f"semseg_{process.pid}_*"))

    process.send_signal(number)
    output, _ = process.communicate(timeout=60)

    _, alive = psutil.wait_procs(children, timeout=30)
    assert alive == []
    for port in listening:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))
    assert not list(Path("/dev/shm").glob(f"semseg_{process.pid}_*"))
    assert "Traceback" not in output
    if number != signal.SIGKILL:
        assert process.returncode == 0
        assert not ready.exists()
        assert list(temporary.iterdir()) == []


def ports_of(process: psutil.Process) -> list[int]:
    return [each.laddr.port for each in process.net_connections("inet") if each.status == psutil.CONN_LISTEN]


def test_a_model_that_is_not_exported_is_named_with_the_remedy(repository: Path) -> None:
    command: list[str | Path] = [
        SERVING / "semseg",
        "serve",
        "--model-repository",
        repository,
        "--model",
        "SegFormer-B0-fp16",
        "--port=0",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "semseg export SegFormer-B0 --precision fp16" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_named(repository: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command: list[str | Path] = [SERVING / "semseg", "serve", "--model-repository", repository, f"--port={port}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "--port" in done.stderr


def test_a_gateway_that_cannot_start_ends_the_service(service: Service, tmp_path: Path) -> None:
    (tmp_path / "fastapi.py").write_text("raise ModuleNotFoundError('No module named fastapi', name='fastapi')")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(tmp_path), os.environ.get("PYTHONPATH"))))}
    command: list[str | Path] = [SERVING / "semseg", "serve", "--url", service.grpc, "--port=0"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert done.returncode == 1
    assert "semseg: serving needs fastapi: pip install 'paddle-semseg-client[gateway]'" in done.stderr
    assert "semseg: the REST gateway did not start" in done.stderr
    assert "Traceback" not in done.stderr


def test_two_services_run_side_by_side(repository: Path, service: Service) -> None:
    with serving(repository, "--model", DEMO) as second, Client(second["grpc"]) as client, Client(service.grpc) as first:
        one, other = client.segment(STREET), first.segment(STREET, DEMO)
    np.testing.assert_array_equal(one.label_map, other.label_map)


def test_a_proxy_for_others_is_not_used_on_this_machine(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with Client(service.grpc, timeout=20) as client:
        assert client.segment(STREET, DEMO).model == DEMO


def test_a_terminated_demo_stops_what_it_started(repository: Path, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": str(ROOT)}
    demo = subprocess.Popen([sys.executable, "-m", "demo.run"], cwd=repository.parent, env=environment)
    while not (children := psutil.Process(demo.pid).children(recursive=True)):
        assert demo.poll() is None
        time.sleep(0.05)
    time.sleep(3)
    children += psutil.Process(demo.pid).children(recursive=True)
    demo.terminate()
    assert demo.wait(60) == 143
    assert psutil.wait_procs(children, timeout=30)[1] == []
    assert list(temporary.iterdir()) == []


def test_a_ready_file_of_a_killed_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    ready.write_text("{}")
    command: list[str | Path] = [SERVING / "semseg", "serve", "--url", "127.0.0.1:1", "--port", "0", "--ready-file", ready]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        seen = "{}"
        while seen == "{}":
            assert process.poll() is None
            time.sleep(0.005)
            seen = ready.read_text() if ready.exists() else ""
        assert seen == ""
    finally:
        process.terminate()
        process.wait()
