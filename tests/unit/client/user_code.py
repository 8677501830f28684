"""User code for mypy --strict, which `make lint` runs: it uses every public name as documented. Never executed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL.Image import Image

from semseg_client import (
    AsyncClient,
    AsyncPipeline,
    Client,
    ConfigurationError,
    DeadlineExceeded,
    Device,
    DeviceError,
    Drawing,
    Failed,
    InvalidImage,
    InvalidInput,
    InvalidRequest,
    Model,
    ModelNotFound,
    Overloaded,
    Pipeline,
    PipelineConfig,
    Result,
    Segmentation,
    SemsegError,
    ServerError,
    ServingError,
    SharedMemoryFull,
    SharedMemoryTooSmall,
    Tls,
    Unavailable,
    UnreadableInput,
    UnwritableOutput,
    create_pipeline,
)


def show(result: Result) -> npt.NDArray[np.uint8]:
    result.print(json_format=True, indent=2, ensure_ascii=True)
    picture: Path = result.save_to_img("output")
    written: tuple[Path, ...] = (
        picture,
        result.save_to_json("output", compact=True),
        result.save_to_png("output"),
        *result.save_all("output"),
    )
    overlay: Image = result.overlay(0.5)
    size: tuple[int, int] = overlay.size
    for each in result.classes:
        told: str = f"{each.id} {each.name} {each.colour} {each.pixels} {each.share:.2%}"
        print(told, size, written, result.json["res"], result.img["res"], result.str, result.polygons()["features"])
    print(result["input_path"], result["pred"].shape, result.page_index)
    return result.label_map


def one_server(config: PipelineConfig, device: Device) -> None:
    print(config.model, device.kind, device.ids)
    with create_pipeline("semantic_segmentation", device="cpu", use_hpip=False, model="PP-LiteSeg-T", timeout=10.0) as pipeline:
        for result in pipeline.predict(["a.jpg", np.zeros((4, 4, 3), np.uint8), {"img": Path("b.png")}], target_size=(512, 256)):
            show(result)
        for outcome in pipeline.attempt("folder"):
            if isinstance(outcome, Failed):
                error: SemsegError = outcome.error
                print(outcome.input_path, error)
            else:
                show(outcome)
    shared: Pipeline = Pipeline(config)
    shared.close()


def raw(image: bytes) -> Segmentation:
    with Client("grpcs://localhost:8001", timeout=5, tls=Tls(ca=Path("ca.pem"))) as client:
        models: list[Model] = client.models()
        segmentation = client.segment(image, models[0].name, target_size=512, picture=False)
        drawing: Drawing = client.draw(image, models[0].name)
        print(len(drawing.picture), drawing.version)
    for name, share in segmentation.shares().items():
        print(name, share + 0.0)
    return segmentation


async def asynchronous() -> None:
    async with AsyncClient() as client:
        found: Segmentation = await client.segment("a.jpg")
        print(found.size)
    async with AsyncPipeline("semantic_segmentation", url="localhost:8001") as pipeline:
        async for result in pipeline.predict("folder"):
            show(result)


def every_error() -> None:
    try:
        raw(b"")
    except InvalidImage as error:
        field: str | None = error.field
        print(field)
    except (InvalidRequest, InvalidInput, UnreadableInput, UnwritableOutput, ConfigurationError, DeviceError):
        print("the caller can mend it")
    except (Overloaded, SharedMemoryFull, Unavailable, DeadlineExceeded, ModelNotFound):
        print("later")
    except (ServerError, ServingError, SharedMemoryTooSmall):
        print("the server is at fault")
