"""The pipeline as PaddleX's users call it, on its own server and on one that already runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import psutil
import pytest
import tritonclient.grpc as grpc
from PIL import Image

from demo.scenes import scene
from semseg_client import (
    AsyncPipeline,
    Client,
    Failed,
    InvalidInput,
    Pipeline,
    ServingError,
    UnreadableInput,
    create_pipeline,
)
from tests.support import DEMO, STREET, Service, street

SIZES = [(512, 256), (417, 333), (97, 65), (1001, 667), (640, 480)] * 4  # width, height


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for number, size in enumerate(SIZES):
        cv2.imwrite(str(folder / f"{number:02}{'.jpg' if number % 2 else '.png'}"), scene(3_000_500 + number, *size)[0])
    return folder


@pytest.fixture(scope="module")
def pipeline(service: Service) -> Iterator[Pipeline]:
    with create_pipeline("semantic_segmentation", model=DEMO, url=service.grpc) as made:
        yield made


def test_results_are_the_raw_clients_in_the_order_of_the_input(pipeline: Pipeline, service: Service, images: Path) -> None:
    results = list(pipeline.predict(str(images)))
    files = sorted(images.iterdir())
    assert [result.input_path for result in results] == [str(file) for file in files]
    with Client(service.grpc) as client:
        for file, result in zip(files, results, strict=True):
            np.testing.assert_array_equal(result.label_map, client.segment(file, DEMO).label_map)


def test_what_is_under_way_forms_batches(service: Service) -> None:
    small = street(512, 256)
    with (
        create_pipeline(model=DEMO, url=service.grpc, batch_size=8) as pipeline,
        grpc.InferenceServerClient(service.grpc) as triton,
    ):
        before = counted(triton)
        assert len(list(pipeline.predict([small] * 48))) == 48
        while (after := counted(triton))[0] < before[0] + 48:  # Triton counts an inference just after its answer
            time.sleep(0.05)
    assert after[1] - before[1] < 48


def counted(triton: grpc.InferenceServerClient) -> tuple[int, int]:
    statistics = triton.get_inference_statistics(f"{DEMO}_network", as_json=True)["model_stats"][0]
    return int(statistics["inference_count"]), int(statistics["execution_count"])


def test_the_tutorials_calls_write_its_files(pipeline: Pipeline, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for result in pipeline.predict(str(STREET)):
        result.print()
        result.save_to_img(f"{tmp_path}/output/")
        result.save_to_json(f"{tmp_path}/output/")
    assert capsys.readouterr().out.startswith("{'res': {'input_path': ")
    assert {file.name for file in (tmp_path / "output").iterdir()} == {"street_res.jpg", "street_res.json"}
    with Image.open(tmp_path / "output" / "street_res.jpg") as picture:
        assert picture.size == (1024, 512)


def test_an_array_is_the_same_as_its_file(pipeline: Pipeline) -> None:
    [of_array, of_file] = pipeline.predict([cv2.imread(str(STREET)), {"img": STREET}])
    np.testing.assert_array_equal(of_array.label_map, of_file.label_map)


def test_a_bad_image_costs_itself_alone(pipeline: Pipeline, images: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    given = [images / "00.png", tmp_path / "broken.jpg", tmp_path / "nowhere.jpg", images / "01.jpg"]
    good, broken, nowhere, last = pipeline.attempt(given)
    assert isinstance(broken, Failed)
    assert str(broken.error).startswith("image: cannot be decoded")
    assert isinstance(nowhere, Failed)
    assert str(nowhere.error) == f"{tmp_path / 'nowhere.jpg'}: No such file or directory"
    assert not isinstance(good, Failed)
    assert not isinstance(last, Failed)
    assert (good.name, last.name) == ("00", "01")
    with pytest.raises(UnreadableInput, match=r"nowhere\.jpg: No such file"):
        list(pipeline.predict(tmp_path / "nowhere.jpg"))


def test_a_stream_is_read_a_few_images_ahead_only(pipeline: Pipeline) -> None:
    read = []

    def frames() -> Iterator[bytes]:
        for number in range(1000):
            read.append(number)
            yield STREET.read_bytes()

    stream = pipeline.predict(frames())
    next(stream)
    stream.close()  # type: ignore[attr-defined]
    assert len(read) < 10


def test_memory_stays_flat_over_a_folder(pipeline: Pipeline, tmp_path: Path) -> None:
    """Keeping the pixels and label maps of 300 images of 512x256 would take 150 MB."""
    picture = bytes(cv2.imencode(".jpg", cv2.resize(cv2.imread(str(STREET)), (512, 256)))[1])
    for number in range(300):
        (tmp_path / f"{number:03}.jpg").write_bytes(picture)
    memory = psutil.Process()
    taken = [memory.memory_info().rss for _ in pipeline.predict(tmp_path)]
    assert max(taken[100:]) - max(taken[:100]) < 20 * 2**20


async def test_the_asynchronous_twin_gives_the_same(pipeline: Pipeline, service: Service, images: Path) -> None:
    given = [str(images / "00.png"), "nowhere.png", str(images / "01.jpg")]
    async with AsyncPipeline("semantic_segmentation", model=DEMO, url=service.grpc) as twin:
        found = [outcome async for outcome in twin.attempt(given)]
        with pytest.raises(UnreadableInput):
            async for _ in twin.predict(given[1]):
                pass
        with pytest.raises(InvalidInput):
            twin.predict(None)  # type: ignore[arg-type]
    for outcome, expected in zip(found, pipeline.attempt(given), strict=True):
        if isinstance(expected, Failed):
            assert str(outcome) == str(expected) == "nowhere.png: No such file or directory"
        else:
            assert not isinstance(outcome, Failed)
            np.testing.assert_array_equal(outcome.label_map, expected.label_map)


def test_a_model_that_is_not_there_is_told_when_the_pipeline_is_made(repository: Path) -> None:
    with pytest.raises(ServingError, match="did you mean SegFormer-B0"):
        create_pipeline(model="SegFormer_B0", repository=repository)


def test_pipelines_of_one_process_share_a_server_that_goes_with_the_last(full_repository: Path) -> None:
    before = set(psutil.Process().children(recursive=True))
    first = create_pipeline(model=DEMO, repository=full_repository)
    started = set(psutil.Process().children(recursive=True)) - before
    second = create_pipeline(model="PP-LiteSeg-T", repository=full_repository, device="cpu")
    assert sum("tritonserver" in child.name() for child in set(psutil.Process().children()) - before) == 1
    first.close()
    [result] = second.predict(STREET)
    assert result.model == "PP-LiteSeg-T"
    second.close()
    second.close()
    assert psutil.wait_procs(started, timeout=30)[1] == []


def test_a_script_that_ends_without_closing_leaves_nothing(repository: Path, tmp_path: Path) -> None:
    script = f"""
from semseg_client import create_pipeline
pipeline = create_pipeline("semantic_segmentation", model={DEMO!r}, repository={str(repository)!r})
for result in pipeline.predict({str(STREET)!r}):
    print(repr(result))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, cwd=tmp_path, env={**os.environ}, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"<Result street, 1024x512, {DEMO}: road ")
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []
