from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

from semseg_client import AsyncClient, Client, Unavailable


def test_the_two_clients_are_twins() -> None:
    for name, method in inspect.getmembers(Client, inspect.isfunction):
        if not name.startswith("_") or name == "__init__":
            assert inspect.signature(method) == inspect.signature(getattr(AsyncClient, name)), name


def test_no_server_is_told_with_its_address() -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(Unavailable, match=r"no tritonserver answers at 127.0.0.1:1"):
        client.models()


async def test_no_server_is_told_with_its_address_to_those_who_await() -> None:
    async with AsyncClient("127.0.0.1:1") as client:
        with pytest.raises(Unavailable, match=r"no tritonserver answers at 127.0.0.1:1"):
            await client.models()


async def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with Client("127.0.0.1:1") as client, pytest.raises(FileNotFoundError):
        client.segment(tmp_path / "no.jpg")
    async with AsyncClient("127.0.0.1:1") as twin:
        with pytest.raises(FileNotFoundError):
            await twin.segment(tmp_path / "no.jpg")


def test_client_and_command_line_load_nothing_of_the_gateways() -> None:
    code = "import sys, semseg_client.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    gateway = {"fastapi", "uvicorn", "orjson", "pybase64", "pydantic"}
    assert not set(loaded) & (gateway | {"cv2", "onnx", "onnxruntime", "paddle", "semseg_export", "semseg_server"})
