"""PaddleX's pipeline for semantic segmentation, on a running tritonserver or one that it starts."""

from __future__ import annotations

import logging
import math
import os
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ..device import Device
from ..errors import ConfigurationError, InvalidRequest, SemsegError, UnreadableInput
from ..inputs.pages import NoImage
from ..inputs.resolve import Input, Source, Unreadable, sources
from ..inputs.servable import FEWEST_BITS, MOST_BITS, servable
from ..triton.client import Client
from ..triton.protocol import TargetSize
from ..triton.tls import Tls
from ..types import Model
from .config import PIPELINE, PipelineConfig, load, name_at, name_or_folder
from .unique_names import UniqueNames

if TYPE_CHECKING:
    from ..results.result import Result  # imports Pillow and OpenCV, which are not needed before the first result

_AHEAD = 2  # batches in flight: one is computed while the next is prepared
_LEAST = 4  # requests in flight, even with small batches
_REPOSITORY = Path("model_repository")

_log = logging.getLogger(__name__)


def create_pipeline(
    pipeline: str | os.PathLike[str] = PIPELINE,
    device: str | None = None,
    pp_option: Any = None,  # noqa: ARG001 - PaddleX's engine settings
    use_hpip: bool | None = None,  # noqa: ARG001
    hpi_params: Any = None,  # noqa: ARG001
    *,
    enable_hpi: bool | None = None,  # noqa: ARG001 - the tutorial's name for use_hpip
    model: str | os.PathLike[str] | None = None,
    url: str | None = None,
    tls: Tls | None = None,
    repository: str | os.PathLike[str] | None = None,
    batch_size: int | None = None,
    timeout: float | None = None,
    jobs: int | None = None,
) -> Pipeline:
    """Create a pipeline that segments images: PaddleX's function, backed by a tritonserver.

        pipeline = create_pipeline("semantic_segmentation")
        for result in pipeline.predict("street.jpg"):
            result.print()
            result.save_to_img("output")

    Arguments take precedence over the file.

    Arguments:
        `pipeline`: "semantic_segmentation", or the path of a YAML file in PaddleX's format or ours.
        `device`: where a server started here runs the network, in PaddleX's notation: "cpu", "gpu", "gpu:0,1".
        `model`: the name of an exported or served model or of a network of PaddleX's (PP-LiteSeg-T), or a folder of your own
            weights: a `Path`, or a string with a slash in it. PaddleX's weights are downloaded and exported on first use; your
            own are exported on first use, and again when they have changed. Their class names come from classes.txt in that
            folder, one per line.
        `url`: the gRPC address of a running tritonserver, such as "localhost:8001" (or SEMSEG_URL). Without one, a server is
            started. All pipelines of the process share it, and it stops with the last of them.
        `tls`: the certificate files for a server at grpcs://host:port, unless the environment names them: see `Client`.
        `repository`: the model repository for a server started here (default: model_repository in the current folder).
        `batch_size`: images to compute together, if that makes the network faster.
        `jobs`: images in flight at once, which the server batches (default: enough for two batches, at least 4).
        `timeout`: the time that one image may take, in seconds.
        `pp_option`, `use_hpip`, `enable_hpi`, `hpi_params`: PaddleX's engine settings. They are accepted and have no effect: the
            network always runs on ONNX Runtime.

    Close the pipeline, or use it in a `with` statement; otherwise it is closed when the process ends.

    Raises:
        ConfigurationError: there is no such pipeline, or the file (one line per mistake) or an argument is wrong.
        DeviceError: there is no such device, or the installed ONNX Runtime has no provider for it.
        ServingError: the server could not be started or does not have the model, or the model could not be exported.
    """
    for name, count in (("batch_size", batch_size), ("jobs", jobs)):
        if count is not None and (type(count) is not int or count < 1):
            raise ConfigurationError(f"{name} is {count!r}, but must be a whole number from 1 up")
    if timeout is not None and (not isinstance(timeout, int | float) or not 0 < timeout < math.inf):
        raise ConfigurationError(f"timeout is {timeout!r}, but must be a number of seconds above 0")
    config = load(pipeline)
    return Pipeline(
        replace(
            config,
            model=config.model if model is None else name_or_folder(model),
            device=config.device if device is None else Device.parse(device),
            url=url or config.url or os.environ.get("SEMSEG_URL"),
            repository=config.repository if repository is None else Path(repository),
            batch_size=config.batch_size if batch_size is None else batch_size,
            timeout=config.timeout if timeout is None else timeout,
            jobs=config.jobs if jobs is None else jobs,
        ),
        tls,
    )


@dataclass(frozen=True)
class Failed:
    """An image without a result, and why. `input_path` and `page_index` are as in `Result`."""

    input_path: str | None
    page_index: int | None
    error: SemsegError

    def __str__(self) -> str:
        told = str(self.error)
        return told if self.input_path is None or told.startswith(self.input_path) else f"{self.input_path}: {told}"


@dataclass(frozen=True)
class _How:
    """How the images of one call are segmented. A hint is logged once per file, not for each of its pages."""

    target_size: TargetSize | None
    picture: bool
    bits: int | None
    _warned: set[str] = field(default_factory=set)

    def warn(self, image: Source, hint: str) -> None:
        name = image.input_path or image.name
        if hint and name not in self._warned:
            self._warned.add(name)
            _log.warning("%s: %s", name, hint)


class Pipeline:
    """Segments images, several at a time, and yields the results in order. Threads may share a pipeline."""

    def __init__(self, config: PipelineConfig, tls: Tls | None = None) -> None:
        """See `create_pipeline`."""
        self.config = config
        self._under_way = config.jobs or max(_LEAST, _AHEAD * config.batch_size)
        with ExitStack() as held:
            url = config.url
            if url is None:
                from ..hosting.preparation import prepared  # not needed with a running server
                from ..hosting.shared_server import SharedServer

                repository = config.repository or _REPOSITORY
                self._model = prepared(config.model, repository, config.architecture, config.device)
                server = SharedServer(repository, self._model)
                held.callback(server.close)
                url = server.url
            else:
                self._model = name_at(url, config.model)
            self._client = held.enter_context(Client(url, config.timeout, tls=tls))
            self._client.model(self._model)  # raises now if it is not served
            self._held = held.pop_all()

    @property
    def model(self) -> Model:
        """The served model, as the server describes it.

        Raises:
            ModelNotFound, Unavailable, ...: see `Client.model`.
        """
        return self._client.model(self._model)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server completes a real inference, for at most `timeout` seconds: see `Client.wait_ready`."""
        self._client.wait_ready(timeout, self._model)

    def predict(
        self,
        input: Input,  # noqa: A002 - PaddleX's name
        target_size: TargetSize | None = None,
        batch_size: int | None = None,  # noqa: ARG002
        device: str | None = None,  # noqa: ARG002
        *,
        bits: int | None = None,
    ) -> Iterator[Result]:
        """The results of all images in `input`, in order, each as soon as it is ready.

        `input` is a path, an http(s) URL, a folder (searched recursively), a glob pattern, the bytes of an image file, a numpy
        array (uint8 [H, W, 3] BGR, or [H, W] grey), a list or an iterator of these, or PaddleX's {"img": ...}. Each page of a PDF
        and each frame of a TIFF or video is a separate image. The input is read a few images ahead. `target_size`, in pixels,
        scales every image before the network sees it, keeping its proportions. PaddleX's `batch_size` and `device` are accepted
        and have no effect here: they are set when the pipeline is made.

        `bits`, from 9 to 16, is how many bits the samples of PNG, TIFF and PNM images with two bytes per sample really have: 12
        for most scientific cameras. They are scaled to 8 bits. Without it, the upper byte counts, as in PaddleX; a warning is
        logged if that makes an image almost black. Another warning tells which images a folder or pattern holds that cannot be
        read.

        Raises:
            InvalidInput: `input` is of an unsupported type. Raised at once; the errors below, in place of the image's result.
            UnreadableInput: an image cannot be read, downloaded or rendered, or has a sample of more than `bits` bits.
            InvalidImage, InvalidRequest, Unavailable, ...: see `Client.segment`.
        """
        outcomes = self.attempt(input, target_size=target_size, bits=bits)
        return (_result(outcome) for outcome in outcomes)

    def attempt(
        self,
        input: Input,  # noqa: A002
        target_size: TargetSize | None = None,
        *,
        picture: bool = True,
        bits: int | None = None,
    ) -> Generator[Result | Failed, None, None]:
        """Like `predict`, but yields a `Failed` in place of an image that fails, and continues with the others.

        Without `picture`, the server does not draw. Each result then draws its picture itself when needed.
        """
        size = self.config.target_size if target_size is None else target_size
        return self.attempt_sources(_under_unique_names(sources(input)), size, picture=picture, bits=bits)

    def attempt_sources(
        self,
        images: Iterable[Source | Unreadable],
        target_size: TargetSize | None = None,
        *,
        picture: bool = True,
        bits: int | None = None,
    ) -> Generator[Result | Failed, None, None]:
        """Like `attempt`, but for sources. Results keep the names of the sources; the configured `target_size` is ignored."""
        if bits is not None and (type(bits) is not int or not FEWEST_BITS <= bits <= MOST_BITS):
            told = f"bits is {bits!r}, but must be a whole number from {FEWEST_BITS} to {MOST_BITS}"
            raise InvalidRequest(told, "bits")
        return self._outcomes(images, _How(target_size, picture, bits))

    def _outcomes(self, images: Iterable[Source | Unreadable], how: _How) -> Generator[Result | Failed, None, None]:
        waiting: deque[Future[Result | Failed]] = deque()
        with ThreadPoolExecutor(self._under_way, thread_name_prefix="semseg") as pool:
            try:
                for image in images:
                    waiting.append(pool.submit(self._outcome, image, how))
                    if len(waiting) == self._under_way:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                for each in waiting:
                    each.cancel()

    def _outcome(self, image: Source | Unreadable, how: _How) -> Result | Failed:
        from ..results.result import Result

        if isinstance(image, Unreadable):
            return Failed(image.input_path, None, UnreadableInput(f"{image.input_path}: {image.reason}"))
        try:
            content, hint = servable(image.content, how.bits)
            how.warn(image, hint)
            segmentation = self._client.segment(content, self._model, target_size=how.target_size, picture=how.picture)
        except NoImage as error:
            return Failed(image.input_path, image.page_index, UnreadableInput(f"{image.input_path or image.name}: {error}"))
        except SemsegError as error:
            return Failed(image.input_path, image.page_index, error)
        return Result(
            segmentation=segmentation,
            image=content,
            name=image.name,
            suffix=image.suffix,
            input_path=image.input_path,
            page_index=image.page_index,
        )

    def close(self) -> None:
        """Close the connection, and release the server that was started for it."""
        self._held.close()

    def __enter__(self) -> Pipeline:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _under_unique_names(images: Iterable[Source | Unreadable]) -> Iterator[Source | Unreadable]:
    names = UniqueNames()
    for image in images:
        yield replace(image, name=names.claim(image.name)) if isinstance(image, Source) else image


def _result(outcome: Result | Failed) -> Result:
    if isinstance(outcome, Failed):
        raise outcome.error
    return outcome
