from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from semseg_client.cli import app, main

run = CliRunner().invoke


@pytest.mark.parametrize("command", ["predict", "serve"])
def test_help_tells_the_exit_codes(command: str) -> None:
    assert "Exit codes: 0" in run(app, [command, "--help"], env={"COLUMNS": "200"}).output


@pytest.mark.parametrize("arguments", [["predict"], ["predict", "x.jpg", "--target-size", "0"], ["serve", "--port", "99999"]])
def test_a_wrong_command_line_is_2(arguments: list[str]) -> None:
    assert run(app, arguments).exit_code == 2


def test_a_wrong_environment_variable_is_2_and_named() -> None:
    result = run(app, ["serve"], env={"SEMSEG_TIMEOUT": "soon"})
    assert result.exit_code == 2
    assert "SEMSEG_TIMEOUT" in result.output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["predict", "x.jpg", "--url", "127.0.0.1:1"], "no tritonserver answers at 127.0.0.1:1"),
        (["serve", "--model-repository", "nowhere"], "no model in nowhere; export one: make export MODEL=PP-LiteSeg-T"),
    ],
)
def test_what_goes_wrong_is_one_line_and_1(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["semseg", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == f"semseg: {told}"  # Python prints it and exits with 1
