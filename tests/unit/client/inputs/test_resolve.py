from __future__ import annotations

import io
import os
import tempfile
import tracemalloc
from collections import UserDict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg_client.errors import InvalidInput, SemsegError
from semseg_client.inputs.resolve import SUFFIXES, Sieve, Source, Unreadable, images, items, sources
from tests.support import STREET
from tests.website import CONTENT, Website

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder `photos` in the working directory; each file contains its own path."""
    monkeypatch.chdir(tmp_path)
    folder = Path("photos")
    for name in ("b.jpg", "a.PNG", "sub/c.Jpe", "sub/deep/d.webp", ".hidden.jpg", ".thumbs/e.jpg", "notes.txt", "noise"):
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(str(file))
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; the test runs without root privileges."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        user = os.geteuid()
        if user == 0:
            os.seteuid(65534)
        try:
            yield Path(folder)
        finally:
            os.seteuid(user)


class Tensor:
    """Like a framework's tensor: iterates over its rows and converts to an array."""

    def __iter__(self) -> Iterator[Any]:
        return iter(PIXELS)

    def __array__(self) -> Any:
        return PIXELS


def paths(given: Any) -> list[str | None]:
    """The input paths of `sources(given)`, after checking that each is readable."""
    found = list(sources(given))
    assert all(isinstance(each, Source) for each in found)
    return [each.input_path for each in found]


def decoded(found: Source | Unreadable) -> Any:
    assert isinstance(found, Source)
    return cv2.imdecode(np.frombuffer(found.content, np.uint8), cv2.IMREAD_COLOR)


def test_an_array_is_one_image_of_no_path() -> None:
    (image,) = sources(PIXELS)
    assert np.array_equal(decoded(image), PIXELS)
    assert isinstance(image, Source)
    assert (image.input_path, image.page_index, image.suffix) == (None, None, "")


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_the_bytes_of_a_file_are_one_image(kind: type) -> None:
    (image,) = sources(kind(CONTENT))
    assert isinstance(image, Source)
    assert image.content == CONTENT
    assert type(image.content) is bytes
    assert image.input_path is None


def test_no_bytes_are_no_image() -> None:
    assert list(sources(b"")) == [Unreadable("<bytes>", "is empty (0 bytes)")]


@pytest.mark.parametrize("path", [STREET, str(STREET)])
def test_a_path_is_one_image(path: str | Path) -> None:
    assert list(sources(path)) == [Source(CONTENT, str(STREET), None, "street", ".jpg")]


@pytest.mark.usefixtures("photos")
def test_a_path_is_told_as_it_was_given() -> None:
    for path in ("photos/b.jpg", "./photos/../photos/b.jpg"):
        assert paths(path) == [path]


def test_a_url_is_downloaded(site: Website) -> None:
    for url in (f"{site.url}/photos/street.jpg", f"{site.url}/photos/street.jpg".replace("http", "HTTP")):
        assert list(sources(url)) == [Source(CONTENT, url, None, "street", ".jpg")]
    assert list(sources(f"{site.url}/x.jpg")) == [
        Unreadable(f"{site.url}/x.jpg", "the server answered 404 Not Found: check the address")
    ]


def test_a_folder_is_its_files_of_known_suffixes_by_name_and_to_its_depths(photos: Path) -> None:
    expected = ["photos/a.PNG", "photos/b.jpg", "photos/sub/c.Jpe", "photos/sub/deep/d.webp"]
    assert paths("photos") == expected
    assert paths(photos) == expected
    assert paths("photos/") == expected
    assert [each.content.decode() for each in sources(photos) if isinstance(each, Source)] == expected


def test_a_hidden_folder_that_is_named_is_searched(photos: Path) -> None:
    assert paths(photos / ".thumbs") == ["photos/.thumbs/e.jpg"]


def test_links_of_folders_back_to_themselves_are_not_followed(photos: Path) -> None:
    (photos / "sub" / "again").symlink_to(photos.absolute())
    (photos / "sub" / "deep" / "up").symlink_to("..")
    assert len(paths(photos)) == 4
    assert paths("photos/**/*") == paths("photos/**") == paths("**/photos/**/**/*.*") == paths("**") == paths(photos)
    assert paths(f"{photos.absolute()}/**/deep/*") == [str(photos.absolute() / "sub/deep/d.webp")]
    assert paths("photos/sub/again/*.jpg") == ["photos/sub/again/b.jpg"]  # found because the pattern names it


@pytest.mark.parametrize("given", ["photos", "photos/**", "**/photos/**/*.jpg"])
def test_links_to_folders_are_counted(given: str, photos: Path) -> None:
    (photos / "elsewhere").symlink_to(photos.absolute())
    (photos / "sub" / "elsewhere").symlink_to(photos.absolute())
    (photos / ".hidden").symlink_to(photos.absolute())
    sieve = Sieve()
    list(items(given, sieve))
    assert sieve.images == 2
    assert str(sieve).startswith("2 links to folders")


@pytest.mark.parametrize("given", ["photos", "photos/*"])
def test_broken_links_and_pipes_are_told(given: str, photos: Path) -> None:
    for name in ("broken.jpg", "broken"):
        (photos / name).symlink_to("nowhere")
    for name in ("pipe.jpg", "pipe"):
        os.mkfifo(photos / name)
    sieve = Sieve()
    found = chain.from_iterable(map(images, items(given, sieve)))
    reasons = {each.input_path: each.reason for each in found if isinstance(each, Unreadable)}
    assert reasons == {
        "photos/broken.jpg": "No such file or directory",
        "photos/pipe.jpg": "is neither a file nor a folder",
    }
    assert str(sieve) == "1 unreadable, 3 other files (.txt, no suffix)"
    assert sieve.images == 1


@pytest.mark.parametrize("suffix", sorted(SUFFIXES))
def test_every_known_suffix_is_found_in_a_folder_in_either_case(suffix: str, tmp_path: Path) -> None:
    for name in (f"x{suffix}", f"X{suffix.upper()}"):
        (tmp_path / name).touch()
    assert {each.input_path for each in sources(tmp_path)} == {str(tmp_path / f"x{suffix}"), str(tmp_path / f"X{suffix.upper()}")}


def test_a_folder_without_images_costs_itself_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    folder, array = sources([tmp_path, PIXELS])
    told = "there is no image, PDF or video in this folder (passed over: 1 other file (.txt))"
    assert folder == Unreadable(str(tmp_path), told)
    assert isinstance(array, Source)


def test_a_pattern_gives_the_files_that_a_folder_would(photos: Path) -> None:
    (photos / "folder.jpg").mkdir()
    assert paths("photos/*") == ["photos/a.PNG", "photos/b.jpg"]
    assert paths("photos/?.jpg") == ["photos/b.jpg"]
    assert paths("photos/**/[cd].*") == ["photos/sub/c.Jpe", "photos/sub/deep/d.webp"]
    assert paths(photos.absolute() / "*.jpg") == [str(photos.absolute() / "b.jpg")]
    assert paths("photos/.*.jpg") == ["photos/.hidden.jpg"]


def test_a_file_whose_name_looks_like_a_pattern_is_that_file(photos: Path) -> None:
    (photos / "[b].jpg").write_bytes(b"x")
    assert paths("photos/[b].jpg") == ["photos/[b].jpg"]


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("pattern", "passed_over"),
    [("photos/*.bmp", ""), ("photos/*.txt", " (passed over: 1 other file (.txt))"), ("photos/s*", ""), ("elsewhere/*", "")],
)
def test_a_pattern_without_a_match_is_told(pattern: str, passed_over: str) -> None:
    reason = "no such file, and as a glob pattern it matches no image, PDF or video"
    assert list(sources(pattern)) == [Unreadable(pattern, reason + passed_over)]


@pytest.mark.usefixtures("photos")
def test_lists_generators_and_dicts_in_each_other_keep_their_order() -> None:
    a, b, sub = "photos/a.PNG", "photos/b.jpg", ["photos/sub/c.Jpe", "photos/sub/deep/d.webp"]
    given = [b, ["photos/sub", (a,)], {"img": b}, UserDict(input=[Path(a)]), (each for each in (b, [a])), {b: 1}.keys(), PIXELS]
    assert paths(given) == [b, *sub, a, b, a, b, a, b, None]


def test_nothing_given_gives_nothing() -> None:
    assert list(sources([])) == []


@pytest.mark.usefixtures("photos")
def test_what_gives_no_image_is_told_in_its_place() -> None:
    found = list(sources(["photos/b.jpg", "no.jpg", "", "a\0b", "s3://bucket/x.jpg", "s3://bucket/*.jpg", "photos/a.PNG"]))
    assert found[1:-1] == [
        Unreadable("no.jpg", "No such file or directory"),
        Unreadable("", "the path is empty"),
        Unreadable("a\0b", "embedded null byte"),
        Unreadable("s3://bucket/x.jpg", "only http:// and https:// addresses can be downloaded"),
        Unreadable("s3://bucket/*.jpg", "only http:// and https:// addresses can be downloaded"),
    ]
    assert [found[0].input_path, found[-1].input_path] == ["photos/b.jpg", "photos/a.PNG"]


def test_what_may_not_be_read_is_told(open_folder: Path) -> None:
    (open_folder / "a.jpg").touch(0o000)
    (open_folder / "b").mkdir(0o000)
    assert list(sources(open_folder / "a.jpg")) == [Unreadable(str(open_folder / "a.jpg"), "Permission denied")]
    assert list(sources(open_folder)) == [
        Unreadable(str(open_folder / "b"), "Permission denied"),
        Unreadable(str(open_folder / "a.jpg"), "Permission denied"),
    ]
    assert list(sources(open_folder / "b" / "c.jpg")) == [Unreadable(str(open_folder / "b" / "c.jpg"), "Permission denied")]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "NoneType is not a valid input: pass a path, "),
        (3, "int is not a valid input: pass a path, "),
        (Image.new("RGB", (2, 2)), "PIL.Image.Image is not a valid input: pass a path, "),
        (Tensor(), "Tensor is not a valid input: pass a path, "),
        (np.uint8(3), "numpy.uint8 is not a valid input: pass a path, "),
        (io.BytesIO(CONTENT), r"an open file \(_io.BytesIO\) is not a valid input: pass its path, or the result of its read\(\)"),
        (PIXELS.astype(np.float32), r"an array of float32 \[6, 5, 3\] is not an image: it must be uint8"),
        (PIXELS[..., :2], r"an array of uint8 \[6, 5, 2\] is not an image: its shape must be \[H, W, 3\]"),
        (PIXELS[np.newaxis], r"an array of uint8 \[1, 6, 5, 3\] is not an image: its shape must be \[H, W, 3\]"),
        (PIXELS[:0], r"an array of uint8 \[0, 5, 3\] is not an image: it has no pixels"),
        (np.array(["x.jpg"]), r"an array of <U5 \[1\] is not an image: its shape must be"),
        ({}, 'a dict must have one key, "img" or "input"; the keys are: none'),
        ({"img": "x.jpg", "size": 3}, "the keys are: 'img', 'size'"),
        ({"image": "x.jpg"}, "the keys are: 'image'"),
        ({"img": None}, "NoneType is not a valid input"),
        ([PIXELS, ("x.jpg", [None])], "NoneType is not a valid input"),
    ],
)
def test_what_is_of_no_known_kind_is_refused_at_once(given: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told) as caught:
        sources(given)
    assert isinstance(caught.value, SemsegError)


def test_what_is_of_no_known_kind_in_a_generator_is_refused_when_it_comes() -> None:
    given: Any = (each for each in (PIXELS, None))
    found = sources(given)
    next(found)
    with pytest.raises(InvalidInput, match="NoneType is not a valid input"):
        next(found)


def test_nothing_is_read_before_it_is_asked_for(tmp_path: Path) -> None:
    files = [tmp_path / f"{number:02}.jpg" for number in range(50)]
    for file in files:
        file.write_bytes(b"early")
    found = sources(tmp_path)
    for file in files:
        file.write_bytes(b"in time")
    first = next(found)
    for file in files:
        file.write_bytes(b"late")
    contents = [each.content for each in (first, *found) if isinstance(each, Source)]
    assert contents == [b"in time"] + [b"late"] * 49


def test_a_generator_is_not_drawn_from_before_it_is_asked_for(site: Website) -> None:
    found = sources(f"{site.url}/photos/{number}.jpg" for number in range(50))
    assert len(site.asked) == 0
    next(found)
    next(found)
    assert len(site.asked) == 2


def test_a_folder_of_our_results_is_an_input_only_if_it_is_named(tmp_path: Path) -> None:
    output = tmp_path / "output"
    (output / ".semseg").mkdir(parents=True)
    for file in (tmp_path / "a.jpg", output / "a_res.jpg"):
        file.write_bytes(CONTENT)
    for given in (tmp_path, f"{tmp_path}/**/*.jpg"):
        sieve = Sieve()
        assert list(items(given, sieve)) == [str(tmp_path / "a.jpg")]
        assert (str(sieve), sieve.images) == (f"the results in {output}", 0)
    for given in (output, f"{output}/**/*.jpg"):
        assert list(items(given)) == [str(output / "a_res.jpg")]


def test_images_are_let_go(tmp_path: Path) -> None:
    size = 1_000_000
    for number in range(10):
        (tmp_path / f"{number}.jpg").write_bytes(bytes(size))
    tracemalloc.start()
    count = sum(1 for _ in sources(tmp_path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 10
    assert peak < 3 * size


def test_the_names_of_arrays_have_paddlex_s_form() -> None:
    names = [each.name for each in sources([PIXELS, CONTENT]) if isinstance(each, Source)]
    assert [[len(part) for part in name.split("_")] for name in names] == [[10, 4], [10, 4]]
