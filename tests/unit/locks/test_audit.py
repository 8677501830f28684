from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from locks import audit

ROOT = Path(__file__).parents[3]
# A fake pip-audit: prints what a service knows of the pins in its file; a service that is not in SERVICES is unreachable.
PIP_AUDIT = """
import json, sys
service = sys.argv[sys.argv.index("--vulnerability-service") + 1]
known = {SERVICES}[service]
answers = []
for pin in open(sys.argv[sys.argv.index("--requirement") + 1]).read().split():
    name, _, version = pin.partition("==")
    about = known.get(pin, [])
    if isinstance(about, str):
        answers.append({"name": name, "skip_reason": about})
    else:
        answers.append({"name": name, "version": version, "vulns": [{"id": id, "fix_versions": []} for id in about]})
print(json.dumps({"dependencies": answers, "fixes": []}))
"""


def audited(folder: Path, services: dict[str, dict[str, list[str] | str]]) -> tuple[int, str]:
    """The exit code and all output of an audit to which the services give these answers."""
    (folder / "pip_audit.py").write_text(PIP_AUDIT.replace("{SERVICES}", repr(services)))
    command = [sys.executable, str(ROOT / "locks" / "audit.py")]
    done = subprocess.run(command, env={"PYTHONPATH": str(folder)}, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_every_pin_is_asked_about_and_no_package_twice_at_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("six==1.17.0\nscipy==1.15.3 ; python_full_version < '3.11'\nscipy==1.17.1\n")
    (tmp_path / "b.txt").write_text("six==1.17.0 \\\n    --hash=sha256:00==\nClick==8.5.1\n# no==1.0\n")
    assert audit.pins([tmp_path / "a.txt", tmp_path / "b.txt"]) == [
        ["Click==8.5.1", "scipy==1.15.3", "six==1.17.0"],
        ["scipy==1.17.1"],
    ]


def test_silence_is_no_clean_bill(tmp_path: Path) -> None:
    absent = "Dependency not found on PyPI and could not be audited"
    code, told = audited(tmp_path, {"pypi": {audit.KNOWN: absent}})
    assert code == 2
    assert f"pypi gave no answer: {absent}" in told
    assert "osv gave no answer: KeyError: 'osv'" in told
    assert "nothing was audited" in told


def test_a_service_that_does_not_know_what_it_must_is_not_believed(tmp_path: Path) -> None:
    code, told = audited(tmp_path, {"pypi": {}, "osv": {audit.KNOWN: ["A"]}})
    assert code == 0
    assert f"pypi gave no answer: it reports nothing for {audit.KNOWN}" in told
    assert "osv knows of 0 vulnerabilities" in told


def test_what_is_known_fails_and_is_named(tmp_path: Path) -> None:
    code, told = audited(tmp_path, {"pypi": {audit.KNOWN: ["A"], "paddleseg==2.8.0": ["CVE-1", "CVE-2"]}})
    assert code == 1
    assert "paddleseg 2.8.0: CVE-1, fixed in no version yet" in told
    assert "pypi knows of 2 vulnerabilities" in told


def test_a_pin_that_could_not_be_looked_up_fails(tmp_path: Path) -> None:
    code, told = audited(tmp_path, {"pypi": {audit.KNOWN: ["A"], "paddleseg==2.8.0": "not found"}})
    assert code == 2
    assert "pypi gave no answer: not found" in told
