from __future__ import annotations

import socket
from pathlib import Path

import pytest

from semseg_client.cli.systemd import Systemd


def test_systemd_is_told_of_readiness_life_and_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "4000000")
        clock = iter((0.0, 1.0, 2.5, 2.5, 3.0, 4.6, 4.6))
        systemd = Systemd(lambda: next(clock))
        systemd.ready()
        for _ in range(4):
            systemd.alive()
        systemd.stopping()
        assert [listener.recv(99) for _ in range(4)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1", b"STOPPING=1"]


def test_without_systemd_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd = Systemd()
    systemd.ready()
    systemd.alive()
    systemd.stopping()
