from __future__ import annotations

from semseg_client.pipeline.unique_names import UniqueNames


def test_a_name_is_given_once_whatever_its_case() -> None:
    names = UniqueNames(["House"])
    assert [names.claim(name) for name in ("street", "Street", "street_2", "house")] == [
        "street",
        "Street_2",
        "street_2_2",
        "house_2",
    ]
