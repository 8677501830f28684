"""docs/contract.md and the gateway agree on errors, options and outputs."""

from __future__ import annotations

from semseg_client.gateway import description
from semseg_client.gateway.failures import TABLE
from semseg_client.gateway.schemas import OUTPUTS, Options
from tests.support import ROOT

CONTRACT = (ROOT / "docs" / "contract.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a REST heading, without its header."""
    section = CONTRACT.split(f"### {heading}\n")[1].split("\n##")[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line] for line in lines[2:]]


def test_the_errors_are_those_of_the_table() -> None:
    described = [(int(status), int(code), when, message) for status, code, when, message in rows("Errors of REST")]
    assert described == [(row.status, row.status, row.when, row.message) for row in TABLE]


def test_the_options_are_those_of_the_table() -> None:
    names = [name.strip("`") for name, *_ in rows("Requests")]
    assert names == ["image", *(field.alias for field in Options.model_fields.values())]


def test_the_outputs_are_those_of_the_table() -> None:
    assert [name.strip("`") for name, *_ in rows("Answers")][: len(OUTPUTS)] == list(OUTPUTS)


def test_every_error_is_in_the_description() -> None:
    told = {status for route in (description.infer(), description.batch()) for status in route["responses"]}
    assert told - {200} == {row.status for row in TABLE} - {404, 405}  # these are answered outside the routes
