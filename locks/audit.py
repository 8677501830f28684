"""Ask an advisory service about every version that constraints.txt and locks/*.txt pin, for any Python and platform.

    python locks/audit.py [OPTIONS OF pip-audit, such as --ignore-vuln ID]

pip-audit passes even if PyPI answers every query with 404, as a mirror may. So this script trusts a service only after it
has reported KNOWN, and it also fails if a version cannot be looked up.
Exit code 0: no known vulnerabilities; 1: some; 2: no service answered.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SERVICES = ("pypi", "osv")
KNOWN = "urllib3==1.23"  # several advisories, since 2018
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


class Unanswered(Exception):
    """The advisory service is unreachable, or does not return an advisory that it is known to have."""


def pins(files: list[Path]) -> list[list[str]]:
    """Every pin once, in lists that name no package twice, as pip-audit requires."""
    versions: dict[str, list[str]] = {}
    for name, version in sorted({pin for file in files for pin in PIN.findall(file.read_text())}):
        versions.setdefault(name.lower(), []).append(f"{name}=={version}")
    return [[found[turn] for found in versions.values() if turn < len(found)] for turn in range(max(map(len, versions.values())))]


def ask(service: str, pinned: list[str], *options: str) -> list[dict[str, Any]]:
    """For each pin, its `name`, `version` and `vulns`. Raises Unanswered."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("\n".join(pinned))
        file.flush()
        command = [sys.executable, "-m", "pip_audit", "--progress-spinner=off", "--no-deps", "--disable-pip", "--format=json"]
        command += ["--vulnerability-service", service, "--requirement", file.name, *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments
    try:
        answers: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except ValueError as error:
        raise Unanswered((done.stderr.strip().splitlines() or ["no output"])[-1]) from error
    skipped = [answer["skip_reason"] for answer in answers if "skip_reason" in answer]
    if skipped or len(answers) != len(pinned):
        raise Unanswered(skipped[0] if skipped else f"{len(answers)} answers to {len(pinned)} questions")
    return answers


def audit(service: str, files: list[Path], *options: str) -> list[dict[str, Any]]:
    """The answers for all pins of `files`. Raises Unanswered."""
    if not ask(service, [KNOWN])[0]["vulns"]:
        raise Unanswered(f"it reports nothing for {KNOWN}, so its answers are worthless")
    return [answer for pinned in pins(files) for answer in ask(service, pinned, *options)]


def main() -> None:
    files = [ROOT / "constraints.txt", *sorted((ROOT / "locks").glob("*.txt"))]
    for service in SERVICES:
        try:
            answers = audit(service, files, *sys.argv[1:])
        except Unanswered as reason:
            print(f"{service} gave no answer: {reason}", file=sys.stderr)
            continue
        found = [(answer, vulnerability) for answer in answers for vulnerability in answer["vulns"]]
        for answer, vulnerability in found:
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            print(f"{answer['name']} {answer['version']}: {vulnerability['id']}, fixed in {fixed}")
        print(f"{service} knows of {len(found)} vulnerabilities in {len(answers)} pinned versions")
        sys.exit(1 if found else 0)
    print("No advisory service answered: nothing was audited", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
