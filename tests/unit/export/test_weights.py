from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from semseg_export import weights
from semseg_export.errors import WeightsError
from tests.unit.export.archive_server import ArchiveServer

YML = "Deploy: {transforms: [{type: Normalize}]}"


def show(_: object) -> None:
    """Nobody watches."""


def archive_folder(folder: Path, program: str = "inference.json") -> Path:
    folder.mkdir(parents=True)
    (folder / program).write_text("{}")
    (folder / "inference.pdiparams").write_bytes(b"weights")
    (folder / "inference.yml").write_text(YML)
    return folder


def packed(folder: Path, file: Path, mode: str = "w") -> Path:
    with tarfile.open(file, mode) as archive:
        archive.add(folder, folder.name)
    return file


def hostile(member: tarfile.TarInfo, file: Path) -> Path:
    with tarfile.open(file, "w") as archive:
        archive.addfile(member, io.BytesIO(b"x" * member.size))
    return file


@pytest.mark.parametrize("program", ["inference.json", "inference.pdmodel"])
def test_a_folder_is_taken_as_it_is(tmp_path: Path, program: str) -> None:
    folder = archive_folder(tmp_path / "mine", program)
    found = weights.find("anything", str(folder), tmp_path / "work", show)
    assert found.archive.program == folder / program
    assert found.source == "mine"
    assert found.sha256 == weights.sha256(folder / "inference.pdiparams")


def test_the_folder_above_is_taken_too(tmp_path: Path) -> None:
    folder = archive_folder(tmp_path / "mine" / "inference")
    assert weights.find("anything", str(tmp_path / "mine"), tmp_path, show).archive.program.parent == folder


@pytest.mark.parametrize(("name", "mode"), [("net_infer.tar", "w"), ("net_infer.tar.gz", "w:gz")])
def test_an_archive_is_unpacked_into_the_workspace(tmp_path: Path, name: str, mode: str) -> None:
    file = packed(archive_folder(tmp_path / "net_infer"), tmp_path / name, mode)
    found = weights.find("anything", str(file), tmp_path / "work", show)
    assert found.archive.program == tmp_path / "work" / "archive" / "net_infer" / "inference.json"
    assert found.source == name
    assert found.sha256 == weights.sha256(file)


def test_a_name_of_paddlex_is_downloaded_from_the_mirror(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packed(archive_folder(tmp_path / "PP-LiteSeg-T_infer"), tmp_path / "net.tar")
    server.content = file.read_bytes()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEMSEG_WEIGHTS_URL", server.url.replace("PP-LiteSeg-T", "{model}"))
    found = weights.find("PP-LiteSeg-T", None, tmp_path / "work", show)
    assert found.source == server.url
    assert found.sha256 == weights.sha256(file)


def test_a_page_in_the_archives_place_is_not_kept(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    server.content = b"<html>log in first</html>"
    with pytest.raises(WeightsError, match="not a whole tar archive"):
        weights.find("net", server.url, tmp_path / "work", show)
    server.content = packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar").read_bytes()
    server.etag = '"second"'
    assert weights.find("net", server.url, tmp_path / "work", show).sha256 == weights.sha256(tmp_path / "net.tar")


def test_no_secret_of_an_address_is_kept(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar").read_bytes()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    secret = server.url.replace("http://", "http://me:password@") + "?signature=1234"
    assert weights.find("net", secret, tmp_path / "work", show).source == server.url


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    return entry


@pytest.mark.parametrize(
    "entry",
    [
        member("../outside"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.SYMTYPE, "../../outside"),
        member("device", tarfile.CHRTYPE),
    ],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, entry: tarfile.TarInfo) -> None:
    file = hostile(entry, tmp_path / "hostile.tar")
    with pytest.raises(WeightsError, match="was refused"):
        weights.find("net", str(file), tmp_path / "work" / "deep", show)
    assert not (tmp_path / "work" / "deep" / "outside").exists()


def test_an_absolute_path_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "victim"
    file = hostile(member(str(target)), tmp_path / "hostile.tar")
    with pytest.raises(WeightsError, match=r"was refused, it is not a plain archive: .*victim.* absolute path"):
        weights.find("net", str(file), tmp_path / "work", show)
    assert not target.exists()


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    whole = packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar.gz", "w:gz").read_bytes()
    for content in (b"<html>not found</html>", whole[: len(whole) // 2]):
        file = tmp_path / "broken.tar"
        file.write_bytes(content)
        with pytest.raises(WeightsError, match="not a whole tar archive"):
            weights.find("net", str(file), tmp_path / "work", show)


def test_a_damaged_or_empty_archive_is_said_in_one_line(tmp_path: Path) -> None:
    damaged = bytearray(packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar.xz", "w:xz").read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    tarfile.open(tmp_path / "empty.tar", "w").close()
    for name, content in (("damaged.tar.xz", bytes(damaged)), ("empty.tar", (tmp_path / "empty.tar").read_bytes())):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            weights.find("net", str(tmp_path / name), tmp_path / "work", show)
        assert "\n" not in str(caught.value)


def test_an_archive_without_a_network_is_said(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(WeightsError, match=r"in archive \(it holds photos\)"):
        weights.find("net", str(packed(tmp_path / "photos", tmp_path / "photos.tar")), tmp_path / "work", show)


def test_missing_parameters_are_said(tmp_path: Path) -> None:
    folder = archive_folder(tmp_path / "net")
    (folder / "inference.pdiparams").unlink()
    with pytest.raises(WeightsError, match=r"holds no inference\.pdiparams: put it beside inference\.json"):
        weights.find("net", str(folder), tmp_path, show)


def test_a_path_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="there is no nowhere: pass a folder"):
        weights.find("net", "nowhere", tmp_path, show)


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEMSEG_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert weights.cache_folder() == Path("/xdg/semseg")
    monkeypatch.setenv("SEMSEG_CACHE", "/own")
    assert weights.cache_folder() == Path("/own")
