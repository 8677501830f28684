from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from semseg_client.hosting import exporter

# An exporter that installs a version or refuses, and logs its arguments.
EXPORTER = """#!/bin/sh
echo "$@" >> {calls}
name=$1 digest=$5
while [ "$1" != --repository ]; do shift; done
[ -z "{refusal}" ] || {{ printf 'a warning\\n{refusal}\\nwhat a program said\\n' >&2; exit 1; }}
ensemble=$2/$name network=$2/${{name}}_network
mkdir -p $ensemble $network
echo 'version_policy {{ specific {{ versions: 1 }} }}' | tee $network/config.pbtxt > $ensemble/config.pbtxt
echo "ensemble_scheduling {{ step {{ model_name: '${{name}}_network' }} }}" >> $ensemble/config.pbtxt
echo "platform: 'ensemble' parameters {{ key: 'class_names' value {{ string_value: '[]' }} }}" >> $ensemble/config.pbtxt
echo "parameters {{ key: 'folder_sha256' value {{ string_value: '$digest' }} }}" >> $ensemble/config.pbtxt
"""


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[list[str]]]:
    """Makes EXPORTER the exporter, which refuses with `refusal` if it is given; returns the calls so far."""

    def exporting(refusal: str = "") -> list[list[str]]:
        command, log = tmp_path / "exporter", tmp_path / "calls"
        command.write_text(EXPORTER.format(calls=log, refusal=refusal))
        command.chmod(stat.S_IRWXU)
        monkeypatch.setattr(exporter, "find_exporter", lambda: command)
        return [line.split() for line in log.read_text().splitlines()] if log.exists() else []

    exporting()
    return exporting
