from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from semseg_client.cli.main import app, main
from semseg_client.cli.serve import announcement
from semseg_client.cli.service import Addresses
from semseg_client.errors import ConfigurationError
from semseg_client.gateway import Settings
from semseg_client.gateway.access.key_file import hashed, read_keys
from semseg_client.pipeline.config import default_text

run = CliRunner().invoke


@pytest.mark.parametrize("command", ["predict", "serve", "key", "models", "config"])
def test_help_tells_the_exit_codes(command: str) -> None:
    assert "Exit codes: 0" in run(app, [command, "--help"], env={"COLUMNS": "200"}).output


def test_the_overview_has_every_command_and_examples() -> None:
    for arguments in ([], ["--help"]):
        told = run(app, arguments, env={"COLUMNS": "200"}).output
        assert all(f"semseg {command} " in told for command in ("predict", "serve", "key", "models", "config", "export"))


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
        (["models", "--url", "127.0.0.1:1"], "no tritonserver answers at 127.0.0.1:1"),
        (["models"], "no model in model_repository; export one: semseg export PP-LiteSeg-T"),
        (["config", "--check", "nowhere.yaml"], "nowhere.yaml: no such file"),
        (
            ["serve", "--model-repository", "nowhere"],
            "no model in nowhere; name one of PaddleX's to fetch and serve it: --model PP-LiteSeg-T",
        ),
    ],
)
def test_what_goes_wrong_is_one_line_and_1(
    arguments: list[str], told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["semseg", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == f"semseg: {told}"  # Python prints it and exits with code 1


def test_of_several_models_one_must_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("roads", "fields"):
        (tmp_path / "model_repository" / name).mkdir(parents=True)
        (tmp_path / "model_repository" / name / "config.pbtxt").write_text(
            'platform: "ensemble" parameters { key: "class_names" value { string_value: "[]" } }'
        )
    monkeypatch.setattr("sys.argv", ["semseg", "predict", "x.jpg"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == "semseg: model_repository has several models: choose one with --model: fields, roads"


@pytest.mark.parametrize(
    ("option", "text", "told"),
    [
        ("--api-keys-file", "alice: one\nbob: one\n", ", line 2: 'bob' has the same key as 'alice'"),
        ("--tls-certificate", "no certificate", " is not a PEM certificate, or it does not hold its unencrypted key"),
    ],
)
def test_a_file_that_serving_cannot_use_is_told_before_anything_starts(
    option: str, text: str, told: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    monkeypatch.setattr("sys.argv", ["semseg", "serve", "--url", "127.0.0.1:1", "--port", "0", option, str(file)])
    with pytest.raises(SystemExit) as end:
        main()
    assert f"{file}{told}" in str(end.value.code)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"host": "0.0.0.0"}, True),  # noqa: S104  (nothing is bound)
        ({"host": "::"}, True),
        ({"host": "192.168.1.5"}, True),
        ({"host": "192.168.1.5", "api_keys_file": "keys.yaml"}, False),
        ({"host": "127.0.0.1"}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
    ],
)
def test_a_service_that_is_open_to_others_says_so(settings: dict[str, str], said: bool) -> None:
    addresses = Addresses(f"http://{settings['host']}:8080", "127.0.0.1:8001", None, None)
    lines = announcement(addresses, Settings(**settings)).splitlines()
    found = [line for line in lines if "can use it without a key" in line]
    assert len(found) == said
    assert all(addresses.rest in line and "--api-keys-file" in line for line in found)


@pytest.mark.parametrize(
    ("arguments", "made"),
    [
        (["PP-LiteSeg-T"], True),
        (["all", "--device", "gpu"], True),
        (["roads", "--weights=folder"], True),
        (["roads", "--weights", "folder", "--help"], False),
        (["PP-LiteSg-T"], False),
        ([], False),
    ],
)
def test_an_export_makes_a_repository_only_if_it_may_install_a_model(
    arguments: list[str], made: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("semseg_client.cli.export.find_exporter", lambda: Path("/bin/true"))
    ran: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda _, command: ran.append(command))
    assert run(app, ["export", *arguments]).exit_code == 0
    assert ran == [["/bin/true", *arguments, "--repository", "model_repository"]]
    assert Path("model_repository").exists() == made


SERVE = (["serve"], ["--serve", "--pipeline", "semantic_segmentation"])


@pytest.mark.parametrize("command", SERVE)
def test_an_interrupted_export_ends_serving_in_a_line(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("semseg_client.hosting.preparation.prepared", interrupted)
    monkeypatch.setattr("sys.argv", ["semseg", *command, "--model", "PP-LiteSeg-T"])
    with pytest.raises(SystemExit) as end:
        main()
    assert (end.value.code, capsys.readouterr().err) == (130, "semseg: interrupted\n")


@pytest.mark.parametrize("command", SERVE)
def test_a_running_server_has_no_folders(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["semseg", *command, "--url", "127.0.0.1:1", "--model", "./folder"])
    with pytest.raises(SystemExit) as end:
        main()
    assert "the server at 127.0.0.1:1 serves models by name, and folder is a folder" in str(end.value.code)


def test_a_new_key_is_printed_once_and_its_line_is_good(tmp_path: Path) -> None:
    result = run(app, ["key", 'alice: "the first"'])
    made = result.stderr.split()[-1]
    file = tmp_path / "keys.yaml"
    file.write_text(result.stdout)
    [key] = read_keys(file)
    assert (key.name, key.digest, key.plain) == ('alice: "the first"', hashed(made), False)
    assert made not in result.stdout
    assert len(made) >= 43


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
    assert (checked.exit_code, checked.output) == (0, f"{file} is valid\n")
    file.write_text(printed.replace("model_name:", "modle_name:"))
    with pytest.raises(ConfigurationError, match=r"line \d+: unknown key 'modle_name'; did you mean 'model_name'\?"):
        app(["config", "--check", str(file)], standalone_mode=False)
