from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from semseg_client.cli import app, main
from semseg_client.errors import ConfigurationError
from semseg_client.pipeline_config import default_text

run = CliRunner().invoke


@pytest.mark.parametrize("command", ["predict", "serve", "models", "config"])
def test_help_tells_the_exit_codes(command: str) -> None:
    assert "Exit codes: 0" in run(app, [command, "--help"], env={"COLUMNS": "200"}).output


def test_the_overview_has_every_command_and_examples() -> None:
    for arguments in ([], ["--help"]):
        told = run(app, arguments, env={"COLUMNS": "200"}).output
        assert all(f"semseg {command} " in told for command in ("predict", "serve", "models", "config", "export"))


@pytest.mark.parametrize(
    "arguments",
    [
        ["predict"],
        ["predict", "x.jpg", "--target-size", "0"],
        ["predict", "x.jpg", "--jobs", "0"],
        ["predict", "x.jpg", "--save", "everything"],
        ["predict", "x.jpg", "--save-path", "-", "--resume"],
        ["predict", "x.jpg", "--save-path", "-", "--json-lines"],
        ["predict", "x.jpg", "--save-path", "-", "--save", "ids", "--save", "json"],
        ["predict", "--from-file", "nowhere"],
        ["predict", "-", "--from-file", "-"],
        ["serve", "--port", "99999"],
    ],
)
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
        (["predict", "x.jpg"], "no model in model_repository; export one: make export MODEL=PP-LiteSeg-T"),
        (["models", "--url", "127.0.0.1:1"], "no tritonserver answers at 127.0.0.1:1"),
        (["models"], "no model in model_repository; export one: make export MODEL=PP-LiteSeg-T"),
        (["config", "--check", "nowhere.yaml"], "nowhere.yaml: no such file"),
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


def test_a_wrong_variable_is_2_in_paddlexs_words_too(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["semseg", "--serve", "--pipeline", "semantic_segmentation"])
    monkeypatch.setenv("SEMSEG_TIMEOUT", "soon")
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "SEMSEG_TIMEOUT" in capsys.readouterr().err


def test_the_configuration_is_printed_and_checked(tmp_path: Path) -> None:
    printed = run(app, ["config", "--save-path", "-"]).output
    assert printed == default_text()
    file = tmp_path / "pipeline.yaml"
    file.write_text(printed)
    checked = run(app, ["config", "--check", str(file)])
    assert (checked.exit_code, checked.output) == (0, f"{file} is right\n")
    file.write_text(printed.replace("model_name:", "modle_name:"))
    with pytest.raises(ConfigurationError, match=r"line \d+: unknown key 'modle_name'; did you mean 'model_name'\?"):
        app(["config", "--check", str(file)], standalone_mode=False)
