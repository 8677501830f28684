from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from semseg_export.errors import UnpackError, WeightsError
from semseg_export.weights import locate, tarball
from tests.unit.export.archive_server import ArchiveServer
from tests.unit.export.silent import Silent

YML = "Deploy: {transforms: [{type: Normalize}]}"


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
    found = locate.find("anything", str(folder), tmp_path / "work", Silent())
    assert found.archive.program == folder / program
    assert found.source == "mine"
    assert found.sha256 == locate.sha256(folder / "inference.pdiparams")


def test_the_folder_above_is_taken_too(tmp_path: Path) -> None:
    folder = archive_folder(tmp_path / "mine" / "inference")
    assert locate.find("anything", str(tmp_path / "mine"), tmp_path, Silent()).archive.program.parent == folder


def test_several_folders_with_networks_are_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        archive_folder(tmp_path / "mine" / name)
    with pytest.raises(WeightsError, match="mine holds a network in each of a and b: pass one of these folders"):
        locate.find("anything", str(tmp_path / "mine"), tmp_path, Silent())


@pytest.mark.parametrize(("name", "mode"), [("net_infer.tar", "w"), ("net_infer.tar.gz", "w:gz")])
def test_an_archive_is_unpacked_into_the_workspace(tmp_path: Path, name: str, mode: str) -> None:
    file = packed(archive_folder(tmp_path / "net_infer"), tmp_path / name, mode)
    found = locate.find("anything", str(file), tmp_path / "work", Silent())
    assert found.archive.program == tmp_path / "work" / "archive" / "net_infer" / "inference.json"
    assert found.source == name
    assert found.sha256 == locate.sha256(file)


def test_a_name_of_paddlex_is_downloaded_from_the_mirror(
    server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = packed(archive_folder(tmp_path / "PP-LiteSeg-T_infer"), tmp_path / "net.tar")
    server.content = file.read_bytes()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SEMSEG_WEIGHTS_URL", server.url.replace("PP-LiteSeg-T", "{model}"))
    found = locate.find("PP-LiteSeg-T", None, tmp_path / "work", Silent())
    assert found.source == server.url
    assert found.sha256 == locate.sha256(file)


def test_a_page_in_the_archives_place_is_not_kept(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    server.content = b"<html>log in first</html>"
    with pytest.raises(WeightsError, match="not a complete tar archive"):
        locate.find("net", server.url, tmp_path / "work", Silent())
    server.content = packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar").read_bytes()
    server.etag = '"second"'
    assert locate.find("net", server.url, tmp_path / "work", Silent()).sha256 == locate.sha256(tmp_path / "net.tar")


def test_no_secret_of_an_address_is_kept(server: ArchiveServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar").read_bytes()
    monkeypatch.setenv("SEMSEG_CACHE", str(tmp_path / "cache"))
    secret = server.url.replace("http://", "http://me:password@") + "?signature=1234"
    assert locate.find("net", secret, tmp_path / "work", Silent()).source == server.url


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
        locate.find("net", str(file), tmp_path / "work" / "deep", Silent())
    assert not (tmp_path / "work" / "deep" / "outside").exists()


def test_an_absolute_path_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "victim"
    file = hostile(member(str(target)), tmp_path / "hostile.tar")
    with pytest.raises(WeightsError, match=r"was refused because it is unsafe to unpack: .*victim.* absolute path"):
        locate.find("net", str(file), tmp_path / "work", Silent())
    assert not target.exists()


def test_what_is_no_archive_is_said(tmp_path: Path) -> None:
    whole = packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar.gz", "w:gz").read_bytes()
    for content in (b"<html>not found</html>", whole[: len(whole) // 2]):
        file = tmp_path / "broken.tar"
        file.write_bytes(content)
        with pytest.raises(WeightsError, match="not a complete tar archive"):
            locate.find("net", str(file), tmp_path / "work", Silent())


def test_a_damaged_or_empty_archive_is_said_in_one_line(tmp_path: Path) -> None:
    damaged = bytearray(packed(archive_folder(tmp_path / "net"), tmp_path / "net.tar.xz", "w:xz").read_bytes())
    damaged[len(damaged) // 2] ^= 0xFF
    tarfile.open(tmp_path / "empty.tar", "w").close()
    for name, content in (("damaged.tar.xz", bytes(damaged)), ("empty.tar", (tmp_path / "empty.tar").read_bytes())):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(WeightsError) as caught:
            locate.find("net", str(tmp_path / name), tmp_path / "work", Silent())
        assert "\n" not in str(caught.value)


def test_an_archive_without_a_network_is_said(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").touch()
    with pytest.raises(WeightsError, match=r"no network in archive, .* \(it holds photos\)"):
        locate.find("net", str(packed(tmp_path / "photos", tmp_path / "photos.tar")), tmp_path / "work", Silent())


def test_missing_parameters_are_said(tmp_path: Path) -> None:
    folder = archive_folder(tmp_path / "net")
    (folder / "inference.pdiparams").unlink()
    with pytest.raises(WeightsError, match=r"has no inference\.pdiparams: put it beside inference\.json"):
        locate.find("net", str(folder), tmp_path, Silent())


def test_a_path_that_leads_nowhere_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"found no file or folder nowhere: pass a folder, .*\.pdparams or \.onnx file, or"):
        locate.find("net", "nowhere", tmp_path, Silent())


def test_the_cache_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEMSEG_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert locate.cache_folder() == Path("/xdg/semseg")
    monkeypatch.setenv("SEMSEG_CACHE", "/own")
    assert locate.cache_folder() == Path("/own")


FILES = ("inference.json", "inference.pdiparams")
NETWORK = [member("net/inference.json"), member("net/inference.pdiparams")]


def negative() -> bytes:
    header = bytearray(member("net").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 10 + b"\xfe\x00"  # the size, in base 256
    header[148:156] = b" " * 8
    header[148:156] = f"{sum(header[:512]):06o}\0 ".encode()
    return bytes(header) * 2


def large_header() -> bytes:
    """An archive with a 64 MiB name, gzipped to a few kilobytes."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 64 << 20
    return gzip.compress(name.tobuf() + b"a" * name.size)


def large_file() -> bytes:
    entry = tarfile.TarInfo("inference.json")
    entry.size = 1 << 40
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(10240)


def of(*entries: tarfile.TarInfo) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as archive:
        for entry in entries:
            archive.addfile(entry, io.BytesIO(b"x" * entry.size))
    return content.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(of(*NETWORK, member("net/link", tarfile.SYMTYPE, "inference.json")), id="link inside"),
        pytest.param(of(*NETWORK, member("net/link", tarfile.LNKTYPE, "net/inference.json")), id="hard link inside"),
        pytest.param(of(member("link", tarfile.LNKTYPE, "../../outside")), id="hard link out"),
        pytest.param(of(member("pipe", tarfile.FIFOTYPE)), id="pipe"),
        pytest.param(of(member("device", tarfile.BLKTYPE)), id="device"),
        pytest.param(of(member("net/../../outside")), id="out by a detour"),
        pytest.param(of(*NETWORK, NETWORK[0]), id="a name twice"),
        pytest.param(of(*NETWORK, member("net/./inference.json")), id="a name twice, written otherwise"),
        pytest.param(of(member("net"), *NETWORK), id="a file in a file"),
        pytest.param(of(member("n" * 300)), id="a name too long for the disk"),
        pytest.param(of(member("a\x1b[2J/../../../b")), id="a name that a terminal obeys"),
        pytest.param(large_file(), id="a file of a terabyte"),
        pytest.param(large_header(), id="a header that fills the memory"),
        pytest.param(negative(), id="a negative size"),
    ],
)
def test_an_archive_that_is_not_plain_is_refused_in_one_line(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "hostile.tar"
    file.write_bytes(content)
    with pytest.raises(UnpackError) as refusal:
        locate.find("net", str(file), tmp_path / "work" / "deep", Silent())
    assert str(refusal.value).isprintable()
    assert {entry.name for entry in tmp_path.rglob("*")} <= {file.name, "work", "deep", "archive", "net", "a", *FILES}


def test_an_archive_of_too_many_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tarball, "FILES", 3)
    file = tmp_path / "many.tar"
    file.write_bytes(of(*NETWORK, *(member(f"net/{number}") for number in range(9))))
    with pytest.raises(UnpackError, match="more than 4 GiB or 3 files"):
        locate.find("net", str(file), tmp_path / "work", Silent())


def test_no_right_but_to_read_and_write_is_unpacked(tmp_path: Path) -> None:
    entries = [member("net/inference.json"), member("net/inference.pdiparams")]
    for entry in entries:
        entry.mode, entry.uid = 0o6777, 0
    (tmp_path / "net.tar").write_bytes(of(*entries))
    tarball.unpack(tmp_path / "net.tar", tmp_path / "net")
    assert all(not file.stat().st_mode & 0o7022 for file in (tmp_path / "net").rglob("*.*"))


def test_a_zip_archive_and_trained_weights_in_a_folder_are_told(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "net.zip", "w") as archive:
        archive.writestr("inference.json", "{}")
    with pytest.raises(WeightsError, match=r"net\.zip is a zip archive: unpack it and pass its folder, or pass a \.tar"):
        locate.find("net", str(tmp_path / "net.zip"), tmp_path / "work", Silent())
    (tmp_path / "trained").mkdir()
    (tmp_path / "trained" / "model.pdparams").touch()
    with pytest.raises(WeightsError, match=r"holds trained weights, not an exported network: pass the file .*model\.pdparams"):
        locate.find("net", str(tmp_path / "trained"), tmp_path / "work", Silent())


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("inference.yml", r"inference\.yml is only one of a network's files: pass its folder"),
        ("model.pdopt", r"model\.pdopt holds the state of a training, not weights: pass the \.pdparams file beside it"),
        ("net.pth", r"net\.pth is of PyTorch's kind: pass a network that was trained or exported with Paddle"),
    ],
)
def test_a_file_of_another_kind_is_told(tmp_path: Path, name: str, told: str) -> None:
    with zipfile.ZipFile(tmp_path / name, "w"):  # as PyTorch saves weights
        pass
    with pytest.raises(WeightsError, match=told):
        locate.find("net", str(tmp_path / name), tmp_path / "work", Silent())


def test_a_folder_of_paddle_1_is_told(tmp_path: Path) -> None:
    (tmp_path / "__model__").touch()
    with pytest.raises(WeightsError, match="holds __model__, the format of Paddle 1: load it with Paddle 2 and export it again"):
        locate.find("net", str(tmp_path), tmp_path / "work", Silent())
