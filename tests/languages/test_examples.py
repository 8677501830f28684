"""The clients under examples/, built and run as in their READMEs against the running service."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import cv2
import numpy as np
import pytest

from semseg_client import Client, Segmentation
from tests.languages.toolchain import CPP, CSHARP, JAVA, PHP, build, require, run
from tests.support import DEMO, ROOT, STREET, Service

EXAMPLES = ROOT / "examples"
NEEDS = {
    "python": (),
    "cpp": (*CPP, "/usr/include/openssl/evp.h"),
    "java": (*JAVA, "/usr/share/java/jackson-databind.jar"),
    "go": ("go",),
    "csharp": CSHARP,
    "nodejs": ("node",),
    "php": PHP,
}


@dataclass(frozen=True)
class Example:
    command: list[str]
    folder: Path  # a copy, for building and for output files

    def __call__(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return run([*self.command, *map(str, arguments)], self.folder)


@pytest.fixture(scope="module", params=NEEDS)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    require(*NEEDS[request.param])
    folder = shutil.copytree(EXAMPLES / request.param, tmp_path_factory.mktemp("examples") / request.param)
    lines = re.search("```bash\n(.*?)\n```", (folder / "README.md").read_text(), re.DOTALL)
    assert lines
    _install, *building, running = lines[1].split("\n")
    for line in building:
        build(line, folder)
    return Example(shlex.split(running)[:-1], folder)


@pytest.fixture(scope="module")
def expected(service: Service) -> Segmentation:
    with Client(service.grpc) as client:
        return client.segment(STREET, DEMO)


def test_the_label_map_and_picture_are_those_of_grpc(service: Service, example: Example, expected: Segmentation) -> None:
    image = shutil.copy(STREET, example.folder / "a street.v2.jpg")
    done = example(image, service.rest)
    digest = hashlib.sha256(expected.label_map.tobytes()).hexdigest()
    assert (done.stdout, done.stderr) == (f"a street.v2_labels.pgm: 1024x512, SHA-256 {digest}\n", "")
    assert done.returncode == 0
    labels = cv2.imread(str(example.folder / "a street.v2_labels.pgm"), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(labels, expected.label_map)
    assert (example.folder / "a street.v2_picture.jpg").read_bytes() == expected.picture


def fails(done: subprocess.CompletedProcess[str], exit_code: int, message: str) -> None:
    """Checks for exactly one line on standard error and nothing on standard output."""
    assert re.fullmatch(rf"{message}.*\n", done.stderr), done.stderr
    assert (done.returncode, done.stdout) == (exit_code, "")


def test_what_the_service_refuses_is_told_in_its_own_words(service: Service, example: Example) -> None:
    fails(example("README.md", service.rest), 1, r"422: .*body\.image.*cannot be decoded")


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "nowhere.invalid"])
def test_a_server_that_cannot_be_reached_is_told(example: Example, url: str) -> None:
    fails(example(STREET, url), 1, f"no answer from {url}")


def test_a_file_that_is_not_there_is_told(example: Example) -> None:
    fails(example("missing.jpg", "http://127.0.0.1:1"), 1, r".*missing\.jpg")


def test_a_file_that_cannot_be_written_is_told(service: Service, example: Example) -> None:
    image = shutil.copy(STREET, example.folder / "here.jpg")
    (example.folder / "here_labels.pgm").mkdir()
    fails(example(image, service.rest), 1, r".*here_labels\.pgm")


@pytest.mark.parametrize("count", [0, 3])
def test_wrong_arguments_are_answered_with_the_usage(example: Example, count: int) -> None:
    fails(example(*["x"] * count), 2, "usage: .* IMAGE ")


@pytest.mark.parametrize(("status", "body"), [(502, "<html>"), (200, "<html>"), (200, "{}"), (200, "[]")])
def test_another_server_than_the_service_is_told(example: Example, status: int, body: str) -> None:
    with answering(status, body) as url:
        fails(example(STREET, url), 1, f"{url} answered {status}, but not in the service's format")


@contextmanager
def answering(status: int, body: str) -> Iterator[str]:
    """A web server with one answer to everything; yields its URL."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def test_go_is_formatted_and_vetted(tmp_path: Path) -> None:
    require("go", "gofmt")
    shutil.copy(EXAMPLES / "go" / "segment.go", tmp_path)
    build("gofmt -l segment.go", tmp_path)
    build("go vet segment.go", tmp_path)
