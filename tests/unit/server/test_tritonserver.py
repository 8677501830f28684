"""The tritonserver command passes flags through, adds what the bundle needs, and runs the real binary."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from semseg_client.hosting.supervision.triton_process import RESTRICTIONS
from semseg_server.bundle import PYTHON, Bundle
from semseg_server.tritonserver import ADDRESSES, additions, restrictions, unhonoured, warnings

COMMAND = Path(sys.executable).parent / "tritonserver"


def test_the_backends_directory_has_all_that_triton_looks_for() -> None:
    backends = Bundle.find().backends()
    assert (backends / "onnxruntime" / "model.py").is_file()
    for part in ("libtriton_python.so", "triton_python_backend_stub", "triton_python_backend_utils.py"):
        assert (backends / "python" / part).is_file()


def test_what_the_caller_gives_is_left_alone() -> None:
    bundle = Bundle.find()
    guards = [*RESTRICTIONS, *(f"{flag}={value}" for flag, value in ADDRESSES.items())]
    assert additions(["--model-repository", "m"], bundle) == [f"--backend-directory={bundle.backends()}", *guards]
    assert additions(["--backend-directory=/elsewhere"], bundle) == guards
    assert additions(["--backend-directory", "/elsewhere", "--grpc-address", "10.0.0.1"], bundle) == [
        guard for guard in guards if not guard.startswith("--grpc-address")
    ]
    assert additions(["--help"], bundle) == []


def test_both_ways_to_start_a_server_close_the_same() -> None:
    assert list(RESTRICTIONS) == restrictions([])


@pytest.mark.parametrize("flag", ["--http-restricted-api", "--grpc-restricted-protocol"])
def test_what_the_caller_restricts_opens_nothing_else(flag: str) -> None:
    [theirs] = [each for each in restrictions([flag, "health, trace:key=value"]) if each.startswith(flag)]
    assert theirs.startswith(f"{flag}=shared-memory,logging:")
    assert len(restrictions([f"{flag}=inference:key=value"])) == 2
    assert len(restrictions([f"{flag}=shared-memory,trace:a=b", f"{flag}=logging:c=d"])) == 1


def test_who_lets_strangers_load_models_is_told_so() -> None:
    for flag in (["--model-control-mode=explicit"], ["--model-control-mode", "explicit"]):
        assert "run code of their own" in warnings(flag)[0]
    assert warnings(["--model-control-mode=poll"]) == []


@pytest.mark.parametrize("value", ["onnxruntime,a=b", "default-max-batch-size=16"])
def test_flags_for_the_cpp_backend_are_named(value: str) -> None:
    for flag in ([f"--backend-config={value}"], ["--backend-config", value]):
        assert f"{value} is not honoured" in unhonoured(["--model-repository", "m", *flag])[0]


def test_other_backends_flags_pass_in_silence() -> None:
    assert unhonoured(["--backend-config=python,shm-default-byte-size=1048576", "--http-port", "1"]) == []


def test_help_is_tritons_own() -> None:
    shown = subprocess.run([COMMAND, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert "--model-control-mode" in shown.stdout + shown.stderr


def test_the_stub_is_the_running_pythons() -> None:
    assert Bundle.find().stub.parent.name == PYTHON
