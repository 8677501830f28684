from __future__ import annotations

from semseg_client.names import Names


def test_a_name_is_given_once_whatever_its_case() -> None:
    names = Names(["House"])
    assert [names.unlike(name) for name in ("street", "Street", "street_2", "house")] == [
        "street",
        "Street_2",
        "street_2_2",
        "house_2",
    ]
