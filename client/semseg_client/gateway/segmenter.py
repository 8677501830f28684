"""Asks Triton for exactly what an answer needs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Set as AbstractSet

from ..errors import DeadlineExceeded, InvalidRequest, ModelNotFound, Overloaded, Unavailable
from ..hosting.supervision.status import Fault, Unsupervised
from ..triton.client import AsyncClient
from ..triton.protocol import TargetSize
from ..types import Drawing, Segmentation
from .admission import AdmissionQueue
from .failures import invalid
from .request import ImageRequest
from .request.image_request import can_mend
from .routes.health import Health
from .schemas import Output

Found = Segmentation | Drawing

_PAUSE = 0.1  # s, between attempts
_REPAIR = 3.0  # s that a repair usually takes
_LONG = 0.5  # s after which an inference may have hit a hung process
_AFTER_ALL = 3  # times the timeout: how long an image keeps its place if Triton does not answer


class Segmenter:
    """`model` serves requests that name none. An image is answered or fails within `timeout` seconds; at most `max_waiting`
    images wait for a model."""

    def __init__(
        self,
        client: AsyncClient,
        model: str | None,
        health: Health,
        supervision: Unsupervised,
        timeout: float,
        max_waiting: int,
    ) -> None:
        self._client = client
        self._model = model
        self._health = health
        self._supervision = supervision
        self._timeout = timeout
        self._queues = defaultdict[str, AdmissionQueue](lambda: AdmissionQueue(max_waiting, timeout))
        self._max_waiting = max_waiting
        self._patients = 0  # images that wait for a repair
        self._served: list[str] = []  # names of the models; empty until a queue has been full

    def overload(self, under_way: int) -> Overloaded | None:
        """Why no model accepts a further image, given the number of requests under way. None if a model may accept one.

        A request that is in no queue yet counts in every queue. Otherwise one free place would let in all requests of a round of
        the event loop. Nearly all would be refused only after they were read, which takes the loop's time from the images.

        The requested model is unknown here: its name is in the body, and reading that costs more than the rest of a refusal.
        """
        coming = max(0, under_way - sum(queue.images for queue in self._queues.values()))
        overloads = [self._queues[name].overload(coming) for name in self._served]
        return None if None in overloads else max(filter(None, overloads), key=lambda one: one.retry_after or 0, default=None)

    async def found(self, asked: ImageRequest, outputs: AbstractSet[Output]) -> Found:
        """Triton's result: a Drawing if only the picture is wanted.

        Raises:
            Invalid: the caller can fix the request.
            SemsegError: the caller cannot fix it.
        """
        try:
            answer = self._in_turn(asked, asked.options.model or self._model, outputs)
            try:
                return await asyncio.wait_for(answer, self._timeout)
            except asyncio.TimeoutError:
                raise DeadlineExceeded(f"no answer within {self._timeout:g} s") from None
        except ModelNotFound as error:
            if asked.options.model is None:  # the owner's default is not served
                raise Unavailable(str(error)) from error
            names = ", ".join(model.name for model in await self._client.models())
            place = f"{asked.options_at}.model"
            raise invalid(place, f"no such model; served models: {names}", asked.options.log_id) from None
        except InvalidRequest as error:
            if not can_mend(error):
                raise
            raise asked.refused(error) from None

    async def _in_turn(self, asked: ImageRequest, model: str | None, outputs: AbstractSet[Output]) -> Found:
        deadline = asyncio.get_running_loop().time() + self._timeout
        if model is not None:  # a restarting server knows no model
            await self._repaired(model, deadline)
        served = await self._client.model(model)
        if served.concurrency is None:
            return await self._ask(asked, model, outputs)
        pixels = max(asked.pixels, most_pixels(asked.options.target_size or served.target_size))
        try:
            queue = self._queues[served.name]
            return await queue.run(
                pixels, served.concurrency, deadline, lambda: self._ask_when_well(asked, served.name, outputs, deadline)
            )
        except Overloaded:
            self._served = [each.name for each in await self._client.models()]
            raise

    def _check(self, model: str) -> Fault | None:
        """The model's fault if one is being repaired, otherwise None.

        Raises:
            Unavailable: the model has a fault that is not being repaired.
        """
        fault = self._supervision.read().faults.get(model)
        if fault is not None and fault.final:
            raise Unavailable(fault.reason)
        return fault

    async def _ask_when_well(self, asked: ImageRequest, model: str, outputs: AbstractSet[Output], deadline: float) -> Found:
        """Ask once the model has no fault: a request to a dead process takes a second to fail, and delays those behind it. If a
        process dies meanwhile, the request is repeated as soon as the process has been replaced."""
        while True:
            if await self._well(model, deadline):
                self._queues[model].interrupted()
            asking = asyncio.create_task(self._ask(asked, model, outputs))
            asking.add_done_callback(
                lambda done: done.cancelled() or done.exception()
            )  # asyncio would log an exception that nobody retrieves
            replaced = asyncio.create_task(self._fault(model))
            try:
                await asyncio.wait((asking, replaced), return_when=asyncio.FIRST_COMPLETED)
            finally:
                replaced.cancel()
            if not asking.done():
                asking.cancel()  # else the client would retry it for an answer that nobody wants; Triton's own call continues
                continue
            try:
                return asking.result()
            except (ModelNotFound, Unavailable):
                if self._check(model) is None:
                    raise
            await asyncio.sleep(_PAUSE)

    async def _repaired(self, model: str, deadline: float) -> None:
        """Like `_well`, for an image in no queue yet.

        Raises:
            Overloaded: too many images wait already.
        """
        if self._check(model) is not None and self._patients >= self._max_waiting:
            raise Overloaded(f"{self._patients} images wait for the repair of a model", retry_after=_REPAIR)
        self._patients += 1
        try:
            await self._well(model, deadline)
        finally:
            self._patients -= 1

    async def _well(self, model: str, deadline: float) -> bool:
        """Wait until no fault of the model is being repaired. Returns whether one was.

        Raises:
            Unavailable: the repair is not done by `deadline`, or the fault is not being repaired.
        """
        waited = False
        while (fault := self._check(model)) is not None:
            if asyncio.get_running_loop().time() >= deadline:
                raise Unavailable(fault.reason)
            waited = True
            await asyncio.sleep(_PAUSE)
        return waited

    async def _fault(self, model: str) -> None:
        """Wait until the model has a fault; after a while, have the supervisor check."""
        begun = asyncio.get_running_loop().time()
        while model not in self._supervision.read().faults:
            if asyncio.get_running_loop().time() - begun > _LONG:
                self._supervision.suspect()
            await asyncio.sleep(_PAUSE)

    async def _ask(self, asked: ImageRequest, model: str | None, outputs: AbstractSet[Output]) -> Found:
        image, size, longest = asked.image, asked.options.target_size, _AFTER_ALL * self._timeout
        if outputs == {"image"}:
            return await self._client.draw(image, model, target_size=size, timeout=longest)
        picture = "image" in outputs
        segmentation = await self._client.segment(image, model, target_size=size, picture=picture, timeout=longest)
        if picture:  # without a picture, the request does not use every process
            self._health.answered(segmentation.model)
        return segmentation


def most_pixels(size: TargetSize | None) -> int:
    """Approximate number of pixels of an image scaled to fit `size`; 0 for None."""
    if size is None:
        return 0
    return size**2 if isinstance(size, int) else size[0] * size[1]
