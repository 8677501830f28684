from __future__ import annotations

import asyncio

import numpy as np
import pytest

from semseg_client import Overloaded, Segmentation
from semseg_client.gateway.request import ImageRequest
from semseg_client.gateway.schemas import Options
from semseg_client.gateway.segmenter import Segmenter, most_pixels
from semseg_client.hosting.supervision.status import Fault, Status

ASKED = ImageRequest(b"", Options(outputs=("polygons",)), "body.image", "body")


@pytest.mark.parametrize(("size", "pixels"), [(None, 0), (512, 512 * 512), ((1024, 512), 1024 * 512)])
def test_an_image_counts_as_what_is_made_of_it(size: int | tuple[int, int] | None, pixels: int) -> None:
    assert most_pixels(size) == pixels


class Healed:
    """A model that fails and is repaired during the first request, and works from then on."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = 0
        self._states = iter([{}, {"m": Fault("draw has died")}, {}])

    def read(self) -> Status:
        return Status(next(self._states, {}))

    def suspect(self) -> None:
        pass

    async def segment(self, *_: object, **__: object) -> Segmentation:
        self.asked += 1
        if self.asked > 1:
            return Segmentation(np.zeros((8, 8), np.uint8), None, "m", (), ())
        try:
            return await asyncio.Future()
        finally:
            self.let_go += 1

    def answered(self, _: str) -> None:
        pass


async def test_a_question_that_is_asked_anew_is_let_go() -> None:
    healed = Healed()
    segmenter = Segmenter(healed, "m", healed, healed, 60, 1)  # type: ignore[arg-type]
    await segmenter._ask_when_well(ASKED, "m", {"labelMap"}, asyncio.get_running_loop().time() + 60)
    assert (healed.asked, healed.let_go) == (2, 1)


class Sick(Healed):
    def read(self) -> Status:
        return Status({"m": Fault("draw has died")})


async def test_only_so_many_images_wait_for_a_repair() -> None:
    sick = Sick()
    segmenter = Segmenter(sick, "m", sick, sick, 60, 2)  # type: ignore[arg-type]
    waiting = [asyncio.create_task(segmenter.found(ASKED, {"labelMap"})) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Overloaded) as refused:
        await segmenter.found(ASKED, {"labelMap"})
    assert refused.value.retry_after
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert segmenter._patients == 0
