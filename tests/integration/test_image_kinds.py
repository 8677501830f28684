"""Images of odd kinds, as people have them, through a real server: each is answered right or refused by its name.

What is right: the answer for the pixels that PaddleX would read (cv2.imread), except that a WebP is turned by its EXIF.
"""

from __future__ import annotations

import json
import os
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image

from demo.scenes import scene
from semseg_client import Client, InvalidRequest, Pipeline, create_pipeline
from tests.fuzz.seeds import encoded as written
from tests.fuzz.seeds import pillow, png, tiff
from tests.support import DEMO, Service, encoded, semseg

pillow_heif.register_heif_opener()

BGR = scene(5_000_001, 128, 64)[0]
SOURCE = Image.fromarray(cv2.cvtColor(BGR, cv2.COLOR_BGR2RGB))
DEEP = BGR.astype(np.uint16) * 257
JPEG = pillow(SOURCE, "JPEG", quality=95)
PNG = pillow(SOURCE, "PNG")


def several(kind: str, picture: Image.Image = SOURCE) -> bytes:
    return pillow(picture.copy(), kind, save_all=True, append_images=[picture.rotate(180)])


def turned(kind: str, turn: int, **options: object) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    return pillow(SOURCE, kind, **({"tiffinfo": exif} if kind == "TIFF" else {"exif": exif.tobytes()}), **options)


def transparent() -> Image.Image:
    pixels = np.dstack([np.asarray(SOURCE), np.full((64, 128), 255, np.uint8)])
    pixels[:, :64, 3] = 0
    return Image.fromarray(pixels)


def sixteen_bit_grey_with_alpha() -> bytes:
    pixels = np.dstack([DEEP[..., 0], np.full((64, 128), 30_000, np.uint16)]).astype(">u2")
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    return png(128, 64, 16, 4, pixels=zlib.compress(rows))


def plain_tiff(bits: int = 8, samples: int = 1, **tags: int) -> bytes:
    """A TIFF of zeros."""
    size = 64 * 128 * samples * bits // 8
    basic = {256: 128, 257: 64, 258: bits, 259: 1, 262: 1, 277: samples, 278: 64, 279: size}
    told = {**basic, **{int(tag[1:]): value for tag, value in tags.items()}}
    return tiff({tag: (value,) for tag, value in told.items()}, bytes(size))


def planar_tiff() -> bytes:
    planes = np.ascontiguousarray(np.asarray(SOURCE).transpose(2, 0, 1))
    size = 64 * 128
    tags = {256: (128,), 257: (64,), 258: (8, 8, 8), 259: (1,), 262: (2,), 277: (3,), 278: (64,), 284: (2,)}
    offsets = tuple(8 + size * plane for plane in range(3))
    return tiff({**tags, 273: offsets, 279: (size,) * 3}, planes.tobytes())


# Files that are read, by names that say what they hold.
READ: dict[str, bytes] = {
    "plain.jpg": JPEG,
    "plain.png": PNG,
    "gray.png": pillow(SOURCE.convert("L"), "PNG"),
    "onebit.png": pillow(SOURCE.convert("1"), "PNG"),
    "palette.png": pillow(SOURCE.quantize(64), "PNG"),
    "palette_trns.png": pillow(SOURCE.quantize(64), "PNG", transparency=3),
    "rgba.png": pillow(transparent(), "PNG"),
    "la.png": pillow(SOURCE.convert("LA"), "PNG"),
    "la16.png": sixteen_bit_grey_with_alpha(),
    "upper.PNG": PNG,
    "rgb16.png": written(".png", DEEP),
    "cmyk.jpg": pillow(SOURCE.convert("CMYK"), "JPEG", quality=95),
    "rgb.jpg": pillow(SOURCE, "JPEG", keep_rgb=True),
    "progressive.jpg": pillow(SOURCE, "JPEG", progressive=True),
    "trail.jpg": JPEG + b"\0\0junk" * 50,
    "motion_photo.jpg": JPEG + b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40,
    "phone.mpo": several("MPO"),
    "jpg_named.png": JPEG,
    "rgb16.tif": written(".tif", DEEP),
    "gray16.tif": written(".tif", DEEP[..., 0]),
    "low16.tif": written(".tif", BGR.astype(np.uint16) * 4),
    "tif_lzw.tif": pillow(SOURCE, "TIFF", compression="tiff_lzw"),
    "tif_jpeg.tif": pillow(SOURCE, "TIFF", compression="jpeg"),
    "tif_packbits.tif": pillow(SOURCE, "TIFF", compression="packbits"),
    "tif_deflate.tif": pillow(SOURCE, "TIFF", compression="tiff_deflate"),
    "cmyk.tif": pillow(SOURCE.convert("CMYK"), "TIFF"),
    "big.tif": pillow(SOURCE, "TIFF", big_tiff=True),
    "planar.tif": planar_tiff(),
    "exif3.jpg": turned("JPEG", 3),
    "exif5.jpg": turned("JPEG", 5),
    "exif6.jpg": turned("JPEG", 6),
    "exif7.jpg": turned("JPEG", 7),
    "exif8.jpg": turned("JPEG", 8),
    "exif6.png": turned("PNG", 6),
    "exif6.tif": turned("TIFF", 6),
    "exif6.webp": turned("WEBP", 6, lossless=True),
    "still.webp": pillow(SOURCE, "WEBP"),
    "alpha.webp": pillow(transparent(), "WEBP", lossless=True),
    "anim.webp": several("WEBP"),
    "apng.png": several("PNG"),
    "b.bmp": written(".bmp", BGR),
    "onebit.bmp": pillow(SOURCE.convert("1"), "BMP"),
    "deep.pgm": written(".pgm", DEEP[..., 0]),
    "one.png": pillow(Image.new("RGB", (1, 1), (9, 99, 9)), "PNG"),
    "thin.png": pillow(Image.new("RGB", (1, 3000), (9, 99, 9)), "PNG"),
    "flat.png": pillow(Image.new("RGB", (5000, 1), (9, 99, 9)), "PNG"),
    "中文 图片.jpg": JPEG,
    "sp ace (1).JPG": JPEG,
    "back\\slash.jpg": JPEG,
    "-dash.jpg": JPEG,
    "q?*[x].jpg": JPEG,
    "new\nline.jpg": JPEG,
    "noext": JPEG,
    "not utf-8 \udcff.jpg": JPEG,
}

# Files that are refused, and what the error says.
REFUSED: dict[str, tuple[bytes, str]] = {
    "q.jp2": (pillow(SOURCE, "JPEG2000"), "it is JPEG 2000; send one of JPEG, PNG, BMP, WebP, TIFF, PNM, Sun raster"),
    "anim.gif": (several("GIF", SOURCE.quantize()), "it is GIF; send one of"),
    "single.gif": (pillow(SOURCE.quantize(), "GIF"), "it is GIF; send one of"),
    "a.avif": (pillow(SOURCE, "AVIF"), "it is AVIF; send one of"),
    "a.heic": (pillow(SOURCE, "HEIF"), "it is HEIF (HEIC); send one of"),
    "a.jxl": (b"\xff\x0a" + bytes(range(99)), "it is JPEG XL; send one of"),
    "a.psd": (b"8BPS\0\1" + bytes(99), "it is Photoshop (PSD); send one of"),
    "data.svg": (b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>', "it is SVG; send one of"),
    "ico.ico": (pillow(SOURCE, "ICO", sizes=[(64, 64)]), "it is ICO; send one of"),
    "t.tga": (pillow(SOURCE, "TGA"), "it is TGA; send one of"),
    "float32.tif": (plain_tiff(32, t339=3), "a TIFF of 1 band, 32-bit floating-point, grey, with no compression is not"),
    "uint32.tif": (plain_tiff(32), "1 band, 32-bit unsigned, grey, with no compression is not supported; scale its samples to 8"),
    "int16.tif": (plain_tiff(16, t339=2), "1 band, 16-bit signed, grey"),
    "packed12.tif": (plain_tiff(12), "1 band, 12-bit unsigned, grey, with no compression is not supported; save it with 8 or 16"),
    "bands8.tif": (plain_tiff(samples=8), "8 bands, 8-bit unsigned, grey, with no compression is not supported; save one band"),
    "bands2.tif": (plain_tiff(samples=2), "2 bands, 8-bit unsigned, grey, with no compression is not supported; save one band"),
    "zstd.tif": (plain_tiff(t259=50000), "with Zstandard compression is not supported; save it uncompressed, or with LZW"),
    "lerc.tif": (plain_tiff(t259=34887), "with LERC compression is not supported"),
    "jpeg2000.tif": (plain_tiff(t259=34712), "with JPEG 2000 compression is not supported"),
    "max4095.pgm": (b"P5 1 1 4095 ab", "a PNM whose largest value is 4095 would be read too dark; scale it to 255 or 65535"),
    "reduced.tif": (plain_tiff(t254=1), "the first page of this TIFF is a reduced copy or a mask"),
    "cut.tif": (several("TIFF")[:-25_000], "not a whole image"),
    "half.jpg": (JPEG[: len(JPEG) // 2], "not a whole image"),
    "half.png": (PNG[: len(PNG) // 2], "not a whole image"),
    "crc.png": (PNG[:60] + bytes([PNG[60] ^ 255]) + PNG[61:], "not a whole image"),
    "bomb.png": (png(60_000, 60_000, pixels=zlib.compress(bytes(1000))), "cannot be an image of 60000x60000"),
    "zero.jpg": (b"", "empty"),
    "text.jpg": (b"hello" * 100, "it is text; send one of"),
    "html.jpg": (b"<!doctype html><html><body>404 not found</body></html>", "it is XML or HTML; send one of"),
}


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[Client]:
    with Client(service.grpc) as client:
        yield client


@pytest.fixture(scope="module")
def pipeline(service: Service) -> Iterator[Pipeline]:
    with create_pipeline(url=service.grpc, model=DEMO) as pipeline:
        yield pipeline


def expected(name: str, folder: Path) -> NDArray[np.uint8]:
    """The pixels, BGR, that PaddleX reads: cv2.imread, from an ASCII name."""
    file = folder / ("x" + Path(name).suffix.lower())
    file.write_bytes(READ[name])
    if name == "exif6.tif":  # OpenCV 4.11 turns it in memory only
        return cv2.imdecode(np.frombuffer(READ[name], np.uint8), cv2.IMREAD_COLOR)  # type: ignore[return-value]
    pixels = cv2.imread(str(file), cv2.IMREAD_COLOR | (cv2.IMREAD_IGNORE_ORIENTATION if name == "exif6.webp" else 0))
    return np.rot90(pixels, -1) if name == "exif6.webp" else pixels  # type: ignore[return-value]


def post(service: Service, image: bytes) -> requests.Response:
    body = {"image": encoded(image), "visualize": False}
    return requests.post(f"{service.rest}/semantic-segmentation", json=body, timeout=60)


@pytest.mark.parametrize("name", READ)
def test_a_file_is_answered_as_paddlex_reads_it(
    name: str, service: Service, client: Client, pipeline: Pipeline, tmp_path: Path
) -> None:
    """As Base64, as a raw body, as a file and as bytes."""
    lossless = written(".png", expected(name, tmp_path))
    label_map = client.segment(lossless, DEMO).label_map
    answer = post(service, READ[name]).json()["result"]
    raw = {"Content-Type": "image/*", "Accept": "application/octet-stream"}
    ids = requests.post(f"{service.rest}/semantic-segmentation", data=READ[name], headers=raw, timeout=60).content
    file = Path(os.fsdecode(os.fsencode(tmp_path / name)))
    file.write_bytes(READ[name])
    found = [*pipeline.predict(file), *pipeline.predict(READ[name])]
    assert (answer["size"], answer["labelMap"]) == (list(label_map.shape), label_map.ravel().tolist())
    assert np.array_equal(np.frombuffer(ids, np.uint8).reshape(label_map.shape), label_map)
    assert [np.array_equal(result.label_map, label_map) for result in found] == [True, True]
    assert np.array_equal(found[0]["input_img"][..., ::-1], cv2.imdecode(np.frombuffer(lossless, np.uint8), cv2.IMREAD_COLOR))


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_with_its_kind(name: str, service: Service) -> None:
    data, told = REFUSED[name]
    response = post(service, data)
    assert response.status_code == 422
    [mistake] = json.loads(response.json()["errorMsg"])
    assert mistake["loc"] == "body.image"
    assert told in mistake["msg"]


@pytest.mark.parametrize(("kind", "name"), [("HEIF", "IMG_1.HEIC"), ("AVIF", "a.avif"), ("HEIF", "sent as a.jpg")])
@pytest.mark.parametrize("turn", [1, 6])
def test_the_client_converts_heif_and_avif(
    kind: str, name: str, turn: int, client: Client, pipeline: Pipeline, tmp_path: Path
) -> None:
    data = turned(kind, turn, quality=100, **({"chroma": 444} if kind == "HEIF" else {"subsampling": "4:4:4"}))
    (tmp_path / name).write_bytes(data)
    [found] = pipeline.predict(tmp_path / name)
    reference = client.segment(turned("PNG", turn), DEMO).label_map
    assert found.label_map.shape == reference.shape
    assert (found.label_map == reference).mean() > 0.9  # a wrong turn agrees by a fifth
    assert found.save_to_img(tmp_path / "out").suffix == (".jpg" if name.endswith(".jpg") else ".png")


def test_a_tiff_of_several_pages_is_several_images(pipeline: Pipeline, client: Client, tmp_path: Path) -> None:
    (tmp_path / "multi.tif").write_bytes(several("TIFF"))
    found = list(pipeline.predict(tmp_path / "multi.tif"))
    assert [each.page_index for each in found] == [0, 1]
    for each, page in zip(found, (SOURCE, SOURCE.rotate(180)), strict=True):
        assert np.array_equal(each.label_map, client.segment(pillow(page, "PNG"), DEMO).label_map)


@pytest.mark.parametrize(("bits", "suffix"), [(10, ".png"), (12, ".tif"), (12, ".pgm")])
def test_samples_of_fewer_bits_are_scaled_when_asked_and_hinted_at_otherwise(
    bits: int, suffix: str, pipeline: Pipeline, client: Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    low = (BGR[..., 0] if suffix == ".pgm" else BGR).astype(np.uint16) << (bits - 8)
    cv2.imwrite(str(tmp_path / f"low{suffix}"), low)
    right = client.segment(written(".png", BGR[..., 0] if suffix == ".pgm" else BGR), DEMO).label_map
    [dark] = pipeline.predict(tmp_path / f"low{suffix}")
    assert f"its largest 16-bit sample is {low.max()}" in caplog.text
    assert not np.array_equal(dark.label_map, right)
    [scaled] = pipeline.predict(tmp_path / f"low{suffix}", bits=bits)
    assert np.array_equal(scaled.label_map, right)


@pytest.mark.parametrize("bits", [8, 17, "12", True])
def test_wrong_bits_are_told_at_once(bits: Any, pipeline: Pipeline) -> None:
    with pytest.raises(InvalidRequest, match=rf"^bits is {bits!r}, but must be a whole number from 9 to 16$"):
        pipeline.predict(PNG, bits=bits)


def in_folder(folder: Path) -> Path:
    """A folder as in a bug report: one b.jpg, and images that it hides."""
    folder.mkdir()
    files = {"b.jpg": JPEG, "a.jfif": JPEG, "extensionless": JPEG, "c.pjpeg": PNG, ".hidden.jpg": JPEG, "._b.jpg": b"\0\5\x16\7"}
    files |= {name: REFUSED[name][0] for name in ("q.jp2", "anim.gif", "single.gif", "data.svg", "t.tga")}
    for name, data in {**files, "notes.txt": b"x", "Thumbs.db": b"x"}.items():
        (folder / name).write_bytes(data)
    (folder / "link").symlink_to(folder / "b.jpg")
    os.mkfifo(folder / "pipe")
    return folder


PASSED_OVER = "passed over: 2 GIF, 1 JPEG 2000, 1 SVG, 1 TGA, 3 other files (.db, .txt, no suffix)\n"


@pytest.mark.parametrize("given", ["photos", "photos/*"])
def test_a_folder_gives_every_image_and_tells_what_it_passes_over(service: Service, tmp_path: Path, given: str) -> None:
    in_folder(tmp_path / "photos")
    arguments = (given, "--url", service.grpc, "--model", DEMO, "--json-lines", "--save", "ids")
    done = semseg(tmp_path, "predict", *arguments)
    paths = [json.loads(line)["input_path"] for line in done.stdout.splitlines()]
    assert paths == [f"photos/{name}" for name in ("a.jfif", "b.jpg", "c.pjpeg", "extensionless", "link")]
    assert done.returncode == 0
    assert done.stderr.endswith(PASSED_OVER)
    strict = semseg(tmp_path, "predict", *arguments, "--strict")
    assert strict.returncode == 1
    paddlex = semseg(tmp_path, "--pipeline", "semantic_segmentation", "--input", given, "--url", service.grpc, "--model", DEMO)
    assert paddlex.returncode == 0
    assert paddlex.stderr.endswith(PASSED_OVER)


def test_texts_in_a_folder_are_no_matter_to_strict(service: Service, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "b.jpg").write_bytes(JPEG)
    (tmp_path / "photos" / "notes.txt").write_bytes(b"x")
    done = semseg(tmp_path, "predict", "photos", "--url", service.grpc, "--model", DEMO, "--strict")
    assert (done.returncode, done.stderr) == (0, "passed over: 1 other file (.txt)\n")


def test_bits_on_the_command_line(service: Service, tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "low.tif"), BGR.astype(np.uint16) * 4)
    options = ("low.tif", "--url", service.grpc, "--model", DEMO, "--save", "ids", "--resume")
    dark = semseg(tmp_path, "predict", *options)
    assert dark.stderr == (
        f"semseg: low.tif: its largest 16-bit sample is {int(BGR.max()) * 4}, so the network sees it almost black;"
        " if its samples have 10 bits, pass --bits 10 (in Python, bits=10)\n"
    )
    before = (tmp_path / "output" / "low_ids.png").read_bytes()
    scaled = semseg(tmp_path, "predict", *options, "--bits", "10")  # done otherwise, so done again
    assert (scaled.returncode, scaled.stderr) == (0, "")
    assert (tmp_path / "output" / "low_ids.png").read_bytes() != before
    few = semseg(tmp_path, "predict", *options, "--bits", "9")
    assert few.returncode == 1
    assert "low.tif: has a sample of" in few.stderr


SINGLE: tuple[Callable[[Path, str], tuple[str, ...]], ...] = (
    lambda image, path: ("predict", str(image), "--save-path", path),
    lambda image, path: ("--pipeline", "semantic_segmentation", "--input", str(image), "--save_path", path),
)


@pytest.mark.parametrize("command", SINGLE, ids=["semseg predict", "PaddleX"])
class TestSavePath:
    def run(self, service: Service, folder: Path, arguments: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return semseg(folder, *arguments, "--url", service.grpc, "--model", DEMO)

    @pytest.mark.parametrize("name", ["result.jpg", "new/result.png", "result.JSON", "result.tif"])
    def test_for_one_image_it_may_be_a_file(self, command: Any, name: str, service: Service, tmp_path: Path) -> None:
        (tmp_path / "street.png").write_bytes(PNG)
        done = self.run(service, tmp_path, command(tmp_path / "street.png", name))
        assert (done.returncode, done.stderr) == (0, "")
        assert (tmp_path / name).is_file()
        assert {file.name for file in (tmp_path / name).parent.iterdir()} - {"street.png"} == {Path(name).name}
        if name == "result.JSON":
            assert len(json.loads((tmp_path / name).read_text())["pred"][0]) == 64
        else:
            with Image.open(tmp_path / name) as picture:
                assert picture.size == (128, 64)
                assert {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif"}[str(picture.format)] == Path(name).suffix

    def test_a_folder_of_that_name_stays_a_folder(self, command: Any, service: Service, tmp_path: Path) -> None:
        (tmp_path / "result.jpg").mkdir()
        (tmp_path / "street.png").write_bytes(PNG)
        assert self.run(service, tmp_path, command(tmp_path / "street.png", "result.jpg")).returncode == 0
        assert (tmp_path / "result.jpg" / "street_res.png").is_file()

    @pytest.mark.parametrize("given", ["photos", "multi.tif"])
    def test_for_several_images_it_is_an_error_before_anything_runs(self, command: Any, given: str, tmp_path: Path) -> None:
        """There is no server at this address."""
        (tmp_path / "photos").mkdir()
        for name in ("a.jpg", "b.jpg"):
            (tmp_path / "photos" / name).write_bytes(JPEG)
        (tmp_path / "multi.tif").write_bytes(several("TIFF"))
        arguments = command(tmp_path / given, "result.jpg")
        done = semseg(tmp_path, *arguments, "--url", "127.0.0.1:1", "--model", DEMO)
        assert done.returncode == 2
        assert "'result.jpg' is a file, and allows only one image, but the input has several" in " ".join(
            done.stderr.replace("│", " ").split()
        )
        assert not (tmp_path / "result.jpg").exists()


@pytest.mark.parametrize(
    ("kind", "name"), [("ids", "a.png"), ("overlay", "a.jpg"), ("polygons", "a.geojson"), ("json", "a.json")]
)
def test_a_file_is_of_the_kind_that_save_selects(kind: str, name: str, service: Service, tmp_path: Path) -> None:
    (tmp_path / "street.png").write_bytes(PNG)
    arguments = ("street.png", "--url", service.grpc, "--model", DEMO, "--save-path", name)
    assert semseg(tmp_path, "predict", *arguments, "--save", kind).returncode == 0
    assert semseg(tmp_path, "predict", *arguments[:-1], "folder", "--save", kind).returncode == 0
    [same] = [file for file in (tmp_path / "folder").iterdir() if file.is_file()]
    if kind != "overlay":  # there, the image's own suffix decides
        assert (tmp_path / name).read_bytes() == same.read_bytes()


def test_two_kinds_do_not_fit_into_a_file(tmp_path: Path) -> None:
    done = semseg(tmp_path, "predict", "x.png", "--save-path", "a.png", "--save", "ids", "--save", "overlay")
    assert done.returncode == 2
    assert "pass a folder" in done.stderr


@pytest.mark.parametrize("path", ["/semantic-segmentation", "/semantic-segmentation/batch"])
@pytest.mark.parametrize(
    "options", [("-d", "@x.jpg"), ("--data-binary", "@x.jpg"), ("--data-binary", "@x.jpg", "-H", "Content-Type:")]
)
def test_curl_without_a_content_type_is_told_what_to_send(
    path: str, options: tuple[str, ...], service: Service, tmp_path: Path
) -> None:
    (tmp_path / "x.jpg").write_bytes(JPEG)
    command = ["curl", "-s", service.rest + path, *options]
    answer = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout)
    assert answer["errorCode"] == 422
    assert "curl --data-binary @FILE -H 'Content-Type: image/jpeg' (-d removes bytes)" in answer["errorMsg"]


def test_curl_with_a_form_is_answered(service: Service, tmp_path: Path) -> None:
    (tmp_path / "x.jpg").write_bytes(JPEG)
    command = ["curl", "-s", f"{service.rest}/semantic-segmentation", "-F", "image=@x.jpg"]
    answer = json.loads(subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=60, check=True).stdout)
    assert answer["result"]["size"] == [64, 128]
