from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from semseg_client.errors import ConfigurationError
from semseg_client.gateway.access.key_file import read_keys
from semseg_client.gateway.access.rates import Limits

HASH = hashlib.sha256(b"the-second-key").hexdigest()


def written(folder: Path, text: str) -> Path:
    file = folder / "keys.yaml"
    file.write_text(text)
    return file


def test_keys_stand_there_plain_or_as_a_hash_with_limits_or_without(tmp_path: Path) -> None:
    text = (
        f"# ours\nalice: the-first-key\nbob:\n  key: sha256:{HASH.upper()}\n  per_second: 5\n  per_minute: 100\n  concurrent: 2\n"
    )
    alice, bob = read_keys(written(tmp_path, text))
    assert (alice.name, alice.digest, alice.limits, alice.plain) == (
        "alice",
        hashlib.sha256(b"the-first-key").digest(),
        Limits(),
        True,
    )
    assert (bob.name, bob.digest.hex(), bob.limits, bob.plain) == ("bob", HASH, Limits(5, 100, 2), False)


def test_json_is_taken_too(tmp_path: Path) -> None:
    content = {"alice": "the-first-key", "bob": {"key": f"sha256:{HASH}", "concurrent": 1}}
    assert [key.name for key in read_keys(written(tmp_path, json.dumps(content, indent=1)))] == ["alice", "bob"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: first-secret\nb: first-secret\n", "line 2: 'b' has the same key as 'a'"),
        ("a: first-secret\na: second-secret\n", "line 2: 'a' is in the file twice"),
        ("a: first-secret\nb: sha256:12\n", "line 2: the key of 'b' must have 64 hexadecimal digits"),
        ("a: first-secret\n\nb: two secrets\n", "line 3: the key of 'b' must be visible ASCII characters"),
        ("a: schlüssel-secret\n", "line 1: the key of 'a' must be visible ASCII characters"),
        ("a: 1234567\n", "line 1: the key of 'a' must be text, in quotes if"),
        ("a:\n", "line 1: the key of 'a' must be text"),
        ("a: [secret]\n", "line 1: the key of 'a' must be text"),
        ("a: {per_second: 1}\n", "line 1: 'a' has no key"),
        ("a: {key: secret, per_second: 0}\n", "line 1: per_second of 'a' must be a whole number from 1 up"),
        ("a: {key: secret, concurent: 1}\n", "line 1: unknown field 'concurent' of 'a'; did you mean 'concurrent'?"),
        ("a: {key: secret, x: 1}\n", "line 1: unknown field 'x' of 'a'; known: key, per_second, per_minute, concurrent"),
        ("'': secret\n", "line 1: a key has no name"),
        ("a: 'secret\n", "line 2: not YAML"),
        ("- secret\n", "line 1: is a list"),
        ("{}\n", "line 1: holds no key"),
        ("", "is empty"),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_the_key(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_keys(written(tmp_path, text))
    assert told in str(caught.value)
    assert "keys.yaml" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        read_keys(tmp_path / "keys.yaml")
