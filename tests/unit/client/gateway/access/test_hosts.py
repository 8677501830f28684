from __future__ import annotations

import pytest

from semseg_client.gateway.access.hosts import Hosts, host_name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost", "localhost"),
        ("LocalHost.:8080", "localhost"),
        ("127.0.0.1:1", "127.0.0.1"),
        ("[::1]:8080", "::1"),
        ("my_service:8080", "my_service"),
        ("a.example.com", "a.example.com"),
    ],
)
def test_the_name_of_a_host_header(header: str, name: str) -> None:
    assert host_name(header) == name


@pytest.mark.parametrize(
    "header",
    [
        "",
        ":8080",
        ".",
        "a b",
        "localhost,evil.example",
        "user@localhost",
        "localhost/..",
        "::1",
        "[::1",
        "http://a",
        "a:b",
        "a\0",
        "\xe4",
    ],
)
def test_what_is_no_host(header: str) -> None:
    assert host_name(header) is None


ANY = "0.0.0.0"  # noqa: S104  (nothing is bound)
LOCAL = ["localhost", "127.0.0.1", "127.8.9.1", "::1"]
PRIVATE = ["gateway", "10.1.2.3", "93.184.216.34", "fe80::1", "nas.local", "a.b.svc.cluster.local", "host.docker.internal"]
FOREIGN = [
    "evil.example",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "evil-localhost.com",
    "elocal.com",
]


@pytest.mark.parametrize("address", ["127.0.0.1", "localhost", "::1", "127.0.0.5"])
def test_a_gateway_on_loopback_has_loopback_names_only(address: str) -> None:
    hosts = Hosts([], address)
    assert [name for name in LOCAL + PRIVATE + FOREIGN if hosts.admits(name)] == LOCAL
    assert [name for name in LOCAL + PRIVATE + FOREIGN if hosts.knows(name)] == LOCAL


@pytest.mark.parametrize("address", [ANY, "::", "192.168.1.5", "myhost"])
def test_elsewhere_any_host_is_admitted_and_those_that_cannot_be_foreign_are_known(address: str) -> None:
    hosts = Hosts([], address)
    assert all(hosts.admits(name) for name in LOCAL + PRIVATE + FOREIGN)
    assert [name for name in LOCAL + PRIVATE + FOREIGN if hosts.knows(name)] == LOCAL + PRIVATE


@pytest.mark.parametrize("address", ["127.0.0.1", ANY])
def test_a_list_is_all_there_is_beside_loopback(address: str) -> None:
    hosts = Hosts(["api.example.com", "*.example.org", "10.1.2.3", "[fe80::1]"], address)
    admitted = [
        name for name in [*LOCAL, *PRIVATE, *FOREIGN, "api.example.com", "b.example.org", "example.org"] if hosts.admits(name)
    ]
    assert admitted == [*LOCAL, "10.1.2.3", "fe80::1", "api.example.com", "b.example.org"]


def test_a_star_lists_all() -> None:
    assert all(Hosts(["*"], "127.0.0.1").admits(name) for name in LOCAL + PRIVATE + FOREIGN)
