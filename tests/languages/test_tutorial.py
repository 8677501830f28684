"""The clients of PaddleX's tutorial run unchanged; only the address is ours."""

from __future__ import annotations

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from semseg_client import Client
from tests.languages.toolchain import CPP, CSHARP, JAVA, PHP, build, require, shell
from tests.support import DEMO, STREET, Service

TUTORIAL = Path(__file__).parent / "tutorial"
NODE_MODULES = Path(sys.prefix, "npm", "node_modules")
OKHTTP = NODE_MODULES / "allure-commandline" / "dist" / "plugins" / "jira-plugin" / "lib"


@dataclass(frozen=True)
class Snippet:
    file: str
    needs: tuple[str, ...]
    run: str
    build: str = ""


SNIPPETS = [
    Snippet("main.py", (), "python main.py"),
    Snippet(
        "main.cpp",
        CPP,
        "./main",
        "mkdir cpp-httplib && ln -s /usr/include/httplib.h cpp-httplib"
        " && g++ -std=c++17 -I. -o main main.cpp $(pkg-config --cflags --libs cpp-httplib)",
    ),
    Snippet("Main.java", (*JAVA, str(OKHTTP)), f"java -cp '{OKHTTP}/*:.' Main", f"javac -cp '{OKHTTP}/*' Main.java"),
    Snippet("main.go", ("go",), "./main", "go build main.go"),
    Snippet(
        "Program.cs",
        CSHARP,
        "mono Program.exe",
        f"mcs -nowarn:28 -main:AsyncMain -r:System.Net.Http -r:{CSHARP[-1]} Program.cs AsyncMain.cs",
    ),
    Snippet("main.js", ("node", str(NODE_MODULES / "axios")), f"NODE_PATH='{NODE_MODULES}' node main.js"),
    Snippet("main.php", PHP, "php main.php"),
]


@pytest.mark.parametrize("snippet", SNIPPETS, ids=lambda snippet: snippet.file)
def test_paddlexs_own_client_runs_unchanged(service: Service, snippet: Snippet, tmp_path: Path) -> None:
    require(*snippet.needs)
    folder = shutil.copytree(TUTORIAL, tmp_path / "tutorial")
    source = folder / snippet.file
    code = source.read_text()
    assert code.count("localhost:8080") == 1
    source.write_text(code.replace("localhost:8080", service.rest.removeprefix("http://")))
    shutil.copy(STREET, folder / "demo.jpg")
    if snippet.build:
        build(snippet.build, folder)

    done = shell(snippet.run, folder)

    assert done.returncode == 0, done.stdout + done.stderr
    with Client(service.grpc) as client:
        assert (folder / "out.jpg").read_bytes() == client.segment(STREET, DEMO).picture
