from __future__ import annotations

import dataclasses
import json
import multiprocessing
import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from semseg_client import Model, Segmentation, UnwritableOutput
from semseg_client.cli.journal import Made
from semseg_client.cli.output_folder import OutputFolder
from semseg_client.inputs.resolve import Item, items
from semseg_client.inputs.source import Source, Unreadable, from_bytes
from semseg_client.results.outputs import PADDLEX, Output
from semseg_client.results.result import Result
from tests.website import Website

MODEL = Model("demo", "1", ("road",), ((128, 0, 0),), source_sha256="abc")
MADE = Made.by(MODEL, None, PADDLEX)
PNG = cv2.imencode(".png", np.zeros((2, 3, 3), np.uint8))[1].tobytes()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Three images, two with the same name."""
    folder = tmp_path / "images"
    for name in ("a/street.png", "b/street.png", "c/house.png"):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_bytes(PNG)
    return folder


def result(image: Source, version: str = "1") -> Result:
    segmentation = Segmentation(np.zeros((2, 3), np.uint8), None, "demo", ("road",), ((128, 0, 0),), version)
    return Result(
        segmentation=segmentation,
        image=image.content,
        name=image.name,
        suffix=image.suffix,
        input_path=image.input_path,
        page_index=image.page_index,
    )


def run(
    tmp_path: Path,
    given: object,
    *,
    resume: bool = True,
    most: int = 100,
    outputs: Sequence[Output] = PADDLEX,
    compact: bool = False,
    model: Model = MODEL,
    target_size: int | None = None,
) -> list[str]:
    """Segments at most `most` images, then stops; returns their names."""
    done = []
    made = Made.by(model, target_size, outputs, compact=compact)
    with OutputFolder(tmp_path / "out", made, resume=resume) as folder:
        for image in folder.remaining(items(given)):  # type: ignore[arg-type]
            if len(done) == most:
                break
            if isinstance(image, Source):
                folder.save(result(image, model.version))
                done.append(image.name)
    return done


def files(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "out").iterdir() if path.is_file()}


def test_nothing_is_done_twice_and_names_stay(tmp_path: Path, images: Path) -> None:
    assert run(tmp_path, images, resume=False, most=1) == ["street"]
    assert run(tmp_path, images) == ["street_2", "house"]
    assert run(tmp_path, images) == []
    assert len(files(tmp_path)) == 6


def test_without_resume_all_is_done_again_under_the_same_names(tmp_path: Path, images: Path) -> None:
    assert run(tmp_path, images) == run(tmp_path, images, resume=False) == ["street", "street_2", "house"]
    assert run(tmp_path, images) == []


def test_an_image_that_comes_to_be_added_takes_no_name_of_another(tmp_path: Path, images: Path) -> None:
    run(tmp_path, images / "b")
    assert run(tmp_path, images) == ["street_2", "house"]
    by_name = {name: json.loads((tmp_path / "out" / f"{name}_res.json").read_text()) for name in ("street", "street_2")}
    assert by_name["street"]["input_path"] == str(images / "b/street.png")
    assert by_name["street_2"]["input_path"] == str(images / "a/street.png")


def test_names_that_two_runs_gave_and_that_differ_by_case_only_are_told_apart(tmp_path: Path, images: Path) -> None:
    shutil.copy(images / "a/street.png", images / "a/Street.png")
    assert run(tmp_path, images / "a/street.png", resume=False) == ["street"]
    assert run(tmp_path, images / "a/Street.png", resume=False) == ["Street"]
    assert run(tmp_path, images / "a", outputs=[Output.IDS]) == ["Street", "street_2"]
    assert run(tmp_path, images / "a", outputs=[Output.IDS]) == []


def test_the_same_image_given_twice_is_done_under_two_names(tmp_path: Path, images: Path) -> None:
    given = [images / "c/house.png"] * 2
    assert run(tmp_path, given) == ["house", "house_2"]
    assert run(tmp_path, given) == []


def test_what_has_changed_is_done_again(tmp_path: Path, images: Path) -> None:
    run(tmp_path, images)
    os.utime(images / "b/street.png", (1, 1))
    assert run(tmp_path, images) == ["street_2"]
    (tmp_path / "out" / "house_res.json").unlink()
    (tmp_path / "out" / "street_res.json").write_text("half")
    assert run(tmp_path, images) == ["street", "house"]
    assert run(tmp_path, images) == []


@pytest.mark.parametrize(
    "change",
    [
        {"outputs": [Output.IDS]},
        {"compact": True},
        {"target_size": 512},
        {"model": dataclasses.replace(MODEL, version="2")},
        {"model": dataclasses.replace(MODEL, source_sha256="def")},
        {"model": dataclasses.replace(MODEL, name="other")},
    ],
)
def test_what_was_made_in_another_way_is_done_again(change: dict[str, object], tmp_path: Path, images: Path) -> None:
    run(tmp_path, images)
    assert run(tmp_path, images, **change) == ["street", "street_2", "house"]  # type: ignore[arg-type]
    assert run(tmp_path, images, **change) == []  # type: ignore[arg-type]


def test_an_answer_of_another_version_than_the_first_is_known_as_such(tmp_path: Path, images: Path) -> None:
    with OutputFolder(tmp_path / "out", MADE) as folder:
        for image in folder.remaining(items(images)):
            assert isinstance(image, Source)
            folder.save(result(image, version="2" if "b/" in str(image.input_path) else "1"))
    assert run(tmp_path, images) == ["street_2"]


def test_files_that_another_run_wrote_over_are_not_taken_for_done(tmp_path: Path, images: Path) -> None:
    run(tmp_path, images / "a")
    run(tmp_path, images / "b", resume=False)
    assert run(tmp_path, images) == ["street_2", "house"]


def test_a_torn_line_is_passed_over(tmp_path: Path, images: Path) -> None:
    run(tmp_path, images)
    journal = tmp_path / "out" / ".semseg" / "done.jsonl"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert run(tmp_path, images) == ["house"]
    assert run(tmp_path, images) == []


def test_a_file_that_is_done_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [Image.new("RGB", (3, 2), (shade, 0, 0)) for shade in range(4)]
    frames[0].save(tmp_path / "pages.tiff", save_all=True, append_images=frames[1:])
    (tmp_path / "one.png").write_bytes(PNG)
    given: list[Item] = [str(tmp_path / "pages.tiff"), str(tmp_path / "one.png")]
    assert run(tmp_path, given, most=2) == ["pages_0", "pages_1"]
    assert run(tmp_path, given) == ["pages_2", "pages_3", "one"]
    monkeypatch.setattr("semseg_client.cli.output_folder.images", lambda item: pytest.fail(f"{item} was opened"))
    assert run(tmp_path, given) == []


def test_what_is_no_file_is_known_by_its_content(tmp_path: Path, site: Website) -> None:
    def standard_input(content: bytes) -> list[str]:
        with OutputFolder(tmp_path / "out", MADE, resume=True) as folder:
            images = [image for image in folder.remaining(from_bytes(content, "-", "stdin")) if isinstance(image, Source)]
            for image in images:
                folder.save(result(image))
            return [image.name for image in images]

    assert standard_input(PNG) == ["stdin"]
    assert standard_input(PNG) == []
    assert standard_input(PNG + b"\0") == ["stdin"]
    assert run(tmp_path, f"{site.url}/photos/street.jpg") == ["street"]
    assert run(tmp_path, [f"{site.url}/photos/street.jpg", f"{site.url}/photos/other.jpg"]) == ["other"]


@pytest.mark.parametrize(
    ("known", "arriving", "name"),
    [(True, ["a.png", "a_2_res.png", "a_res.png"], "a_3"), (False, ["a_res.png", "a.png"], "a_2")],
)
def test_no_result_replaces_an_input_of_the_same_run(known: bool, arriving: list[str], name: str, tmp_path: Path) -> None:
    given: list[Item] = [str(tmp_path / file) for file in arriving]
    for file in arriving:
        (tmp_path / file).write_bytes(PNG)
    names = {}
    with OutputFolder(tmp_path, MADE, inputs=given if known else ()) as output:
        for image in output.remaining(given):
            assert isinstance(image, Source)
            output.save(result(image))
            names[Path(str(image.input_path)).name] = image.name
    assert names["a.png"] == name
    assert all((tmp_path / file).read_bytes() == PNG for file in arriving)


def test_what_cannot_be_read_is_handed_on(tmp_path: Path) -> None:
    with OutputFolder(tmp_path / "out", MADE) as folder:
        [image] = folder.remaining(items("nowhere.png"))
    assert isinstance(image, Unreadable)


def killed_in_the_midst(tmp_path: Path, images: Path) -> None:
    with OutputFolder(tmp_path / "out", MADE) as folder:
        for image in folder.remaining(items(images)):
            assert isinstance(image, Source)
            result(image).save_all(folder._staging)
            os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_run_left_is_removed_and_what_a_living_one_has_is_not(tmp_path: Path, images: Path) -> None:
    hidden = tmp_path / "out" / ".semseg"
    process = multiprocessing.get_context("spawn").Process(target=killed_in_the_midst, args=(tmp_path, images))
    process.start()
    process.join()
    [left] = filter(Path.is_dir, hidden.iterdir())
    assert {path.name for path in left.iterdir()} == {"lock", "street_res.png", "street_res.json"}
    with OutputFolder(tmp_path / "out", MADE) as living:
        assert not left.exists()
        [image, *_] = living.remaining(items(images))
        assert isinstance(image, Source)
        assert run(tmp_path, images) == ["street", "street_2", "house"]
        living.save(result(image))
    assert {path.name for path in hidden.iterdir()} == {"done.jsonl"}


def test_a_name_that_is_too_long_costs_that_image_only(tmp_path: Path) -> None:
    (tmp_path / f"{'x' * 251}.png").write_bytes(PNG)
    with OutputFolder(tmp_path / "out", MADE) as folder:
        [image] = folder.remaining(items(tmp_path / f"{'x' * 251}.png"))
        assert isinstance(image, Source)
        with pytest.raises(OSError, match="too long"):
            folder.save(result(image))


def test_a_place_that_cannot_be_written_is_told_as_such(tmp_path: Path, images: Path) -> None:
    with OutputFolder(tmp_path / "out", MADE) as folder:
        image, *_ = folder.remaining(items(images))
        assert isinstance(image, Source)
        shutil.rmtree(tmp_path / "out")
        (tmp_path / "out").write_text("in the way")
        with pytest.raises(UnwritableOutput, match="out cannot be written: "):
            folder.save(result(image))
    with pytest.raises(UnwritableOutput, match="out cannot be written: "):
        OutputFolder(tmp_path / "out", MADE)
