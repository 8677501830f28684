"""The README's code blocks run against the session's server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from demo.run import SERVING, serving
from tests.support import DEMO, ROOT, Service


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int
    excuse: str | None


BLOCK = re.compile(
    r"(?:<!-- not run by the tests: (?P<excuse>.*?) -->\n)?```(?P<language>bash|python)\n(?P<code>.*?)```", re.DOTALL
)


def blocks(name: str) -> list[Block]:
    text = (ROOT / name).read_text()
    return [
        Block(found["language"], found["code"], text.count("\n", 0, found.start()) + 1, found["excuse"])
        for found in BLOCK.finditer(text)
    ]


ENGLISH = blocks("README.md")


@pytest.fixture(scope="module")
def service(repository: Path) -> Iterator[Service]:
    """The demo network alone, as after `make serve`."""
    with serving(repository, "--model", DEMO, "--http-port=0") as addresses:
        yield Service(**addresses)


@pytest.mark.parametrize("block", ENGLISH, ids=lambda block: f"line {block.line}")
def test_a_block_of_the_readme_runs(service: Service, block: Block) -> None:
    if block.excuse:
        pytest.skip(block.excuse)
    code = block.code.replace("http://localhost:8080", service.rest).replace("localhost:8080", service.rest)
    code = code.replace("localhost:8000", str(service.http)).replace("localhost:8001", service.grpc)
    command = [sys.executable, "-c", code] if block.language == "python" else ["bash", "-euo", "pipefail", "-c", code]
    environment = {**os.environ, "SEMSEG_URL": service.grpc, "PATH": f"{SERVING}{os.pathsep}{os.environ['PATH']}"}
    (ROOT / "output").mkdir(exist_ok=True)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not re.search(r'"errorCode":[1-9]|"error":', done.stdout), done.stdout


def test_the_chinese_readme_has_the_same_code() -> None:
    assert [block.code for block in blocks("README.zh.md")] == [block.code for block in ENGLISH]
