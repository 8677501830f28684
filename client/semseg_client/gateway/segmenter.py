"""Asks Triton for as much as an answer needs."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Set as AbstractSet

from ..client import AsyncClient
from ..conversation import TargetSize
from ..errors import DeadlineExceeded, InvalidRequest, ModelNotFound, Overloaded, Unavailable
from ..polygons import borders
from ..segmentation import Drawing, Segmentation
from .admission import AdmissionQueue
from .failures import invalid
from .health import Health
from .request import Asked
from .request.asked import can_mend
from .schemas import Output

Found = Segmentation | Drawing

_AFTER_ALL = 3  # times the time that an image may take, it keeps its place while Triton has not answered
MOST_BORDERS = (
    500_000  # sides of pixels between classes; a street of two megapixels has a tenth, a megapixel of noise two million
)


class Segmenter:
    """`model` answers where a request names none. An image has its answer within `timeout` seconds, or none; not more than
    `max_waiting` wait for a model."""

    def __init__(self, client: AsyncClient, model: str | None, health: Health, timeout: float, max_waiting: int) -> None:
        self._client = client
        self._model = model
        self._health = health
        self._timeout = timeout
        self._queues = defaultdict[str, AdmissionQueue](lambda: AdmissionQueue(max_waiting, timeout))
        self._served: list[str] = []  # the models, as far as it has mattered

    def overload(self) -> Overloaded | None:
        """Why no image can be taken, whichever model it is for; None: one may be.

        The body of a request would tell the model; it costs more to read than all else that a refusal takes.
        """
        overloads = [self._queues[name].overload for name in self._served]
        return None if None in overloads else max(filter(None, overloads), key=lambda one: one.retry_after or 0, default=None)

    async def found(self, asked: Asked, outputs: AbstractSet[Output]) -> Found:
        """What Triton answers: a Drawing if the picture is all that is wanted.

        Raises:
            Invalid: the caller can mend it.
            SemsegError: the caller cannot.
        """
        try:
            answer = self._in_turn(asked, asked.options.model or self._model, outputs)
            try:
                found = await asyncio.wait_for(answer, self._timeout)
            except asyncio.TimeoutError:
                raise DeadlineExceeded(f"no answer within {self._timeout:g} s") from None
            if "polygons" in outputs and isinstance(found, Segmentation):
                await asyncio.to_thread(check_borders, found, asked)
            return found
        except ModelNotFound as error:
            if asked.options.model is None:  # the owner's choice is not there
                raise Unavailable(str(error)) from error
            names = ", ".join(model.name for model in await self._client.models())
            place = f"{asked.options_at}.model"
            raise invalid(place, f"no such model is served; there is: {names}", asked.options.log_id) from None
        except InvalidRequest as error:
            if not can_mend(error):
                raise
            raise asked.refused(error) from None

    async def _in_turn(self, asked: Asked, model: str | None, outputs: AbstractSet[Output]) -> Found:
        deadline = asyncio.get_running_loop().time() + self._timeout
        served = await self._client.model(model)
        if served.concurrency is None:
            return await self._ask(asked, model, outputs)
        pixels = max(asked.pixels, most_pixels(asked.options.target_size or served.target_size))
        try:
            queue = self._queues[served.name]
            return await queue.run(pixels, served.concurrency, deadline, lambda: self._ask(asked, model, outputs))
        except Overloaded:
            self._served = [each.name for each in await self._client.models()]
            raise

    async def _ask(self, asked: Asked, model: str | None, outputs: AbstractSet[Output]) -> Found:
        image, size, longest = asked.image, asked.options.target_size, _AFTER_ALL * self._timeout
        if outputs == {"image"}:
            return await self._client.draw(image, model, target_size=size, timeout=longest)
        picture = "image" in outputs
        segmentation = await self._client.segment(image, model, target_size=size, picture=picture, timeout=longest)
        if picture and model == self._model:  # otherwise one of the processes was not asked
            self._health.answered()
        return segmentation


def most_pixels(size: TargetSize | None) -> int:
    """Of an image that is scaled to fit that size, about; 0 for None."""
    if size is None:
        return 0
    return size**2 if isinstance(size, int) else size[0] * size[1]


def check_borders(found: Segmentation, asked: Asked) -> None:
    """Raise Invalid where outlines would take too much memory and time."""
    if borders(found.label_map) > MOST_BORDERS:
        told = f"too scattered for polygons: more than {MOST_BORDERS} sides of pixels lie between classes; ask for png"
        raise invalid(f"{asked.options_at}.outputs", told, asked.options.log_id)
