from __future__ import annotations

import asyncio
import gc

import pytest

from semseg_client import DeadlineExceeded, Overloaded
from semseg_client.gateway.admission import FREE_PIXELS, AdmissionQueue

LARGE = FREE_PIXELS
SMALL = FREE_PIXELS // 8
NEVER = float("inf")


class Images:
    """Images that stay inside until `leave` is called."""

    def __init__(self) -> None:
        self.queue = AdmissionQueue(128, 60.0)
        self.inside: dict[str, asyncio.Event] = {}
        self.tasks: dict[str, asyncio.Task[str]] = {}

    async def come(self, *names: str, pixels: int, most: int = 2) -> None:
        for name in names:
            self.tasks[name] = asyncio.create_task(self.queue.run(pixels, most, NEVER, lambda name=name: self._stay(name)))
        await self.settle()

    async def leave(self, name: str) -> None:
        self.inside.pop(name).set()
        await self.settle()

    async def settle(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    async def _stay(self, name: str) -> str:
        self.inside[name] = leaves = asyncio.Event()
        await leaves.wait()
        return name


async def test_as_many_large_images_go_in_as_keep_the_network_busy() -> None:
    images = Images()
    await images.come("a", "b", "c", "d", pixels=LARGE)
    assert list(images.inside) == ["a", "b"]
    await images.leave("a")
    assert list(images.inside) == ["b", "c"]
    assert await images.tasks["a"] == "a"
    for name in "bcd":
        await images.leave(name)


async def test_of_small_images_more_go_in() -> None:
    images = Images()
    await images.come(*"abcdefgh", "i", pixels=SMALL)
    assert list(images.inside) == list("abcdefgh")
    for name in "abcdefghi":
        await images.leave(name)


async def test_a_large_image_is_not_overtaken_by_those_that_would_find_a_place() -> None:
    images = Images()
    await images.come("a", "b", pixels=SMALL)
    await images.come("large", pixels=LARGE)
    await images.come("c", pixels=SMALL)
    assert list(images.inside) == ["a", "b"]
    await images.leave("a")
    assert list(images.inside) == ["b", "large"]
    await images.leave("large")
    assert list(images.inside) == ["b", "c"]
    for name in "bc":
        await images.leave(name)


async def test_who_gives_up_leaves_the_queue_but_keeps_its_place_inside_until_it_is_done() -> None:
    images = Images()
    await images.come("a", "b", "c", pixels=LARGE, most=1)
    images.tasks["a"].cancel()
    images.tasks["b"].cancel()
    await images.settle()
    assert list(images.inside) == ["a"]
    await images.leave("a")
    assert list(images.inside) == ["c"]
    await images.leave("c")


async def test_who_fails_makes_room() -> None:
    async def fail() -> None:
        raise ZeroDivisionError

    images = Images()
    with pytest.raises(ZeroDivisionError):
        await images.queue.run(LARGE, 1, NEVER, fail)
    await images.come("a", pixels=LARGE, most=1)
    await images.leave("a")


async def test_who_would_hardly_be_done_in_time_makes_room_for_the_next() -> None:
    async def work() -> None:
        await asyncio.sleep(0.05)

    queue, now = AdmissionQueue(128, 60.0), asyncio.get_running_loop().time
    await queue.run(LARGE, 2, now(), work)  # it may try because it is alone
    begun = asyncio.create_task(queue.run(LARGE, 2, now() + 1, work))
    await asyncio.sleep(0)
    with pytest.raises(DeadlineExceeded):
        await queue.run(LARGE, 2, now() + 0.01, work)
    await queue.run(LARGE, 2, now() + 1, work)
    await begun


async def test_a_large_image_that_took_long_does_not_have_small_ones_refused() -> None:
    network = asyncio.Lock()

    async def work(seconds: float) -> None:
        async with network:
            await asyncio.sleep(seconds)

    queue, until = AdmissionQueue(128, 60.0), asyncio.get_running_loop().time() + 1.5
    large = queue.run(LARGE, 2, until, lambda: work(0.8))
    await asyncio.gather(large, *(queue.run(LARGE // 100, 2, until, lambda: work(0.005)) for _ in range(20)))


async def test_what_fails_with_nobody_waiting_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise ZeroDivisionError

    task = asyncio.create_task(AdmissionQueue(128, 60.0).run(LARGE, 1, NEVER, fail))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0.03)
    gc.collect()
    assert caplog.text == ""


async def test_not_more_images_wait_than_may() -> None:
    images = Images()
    images.queue = AdmissionQueue(2, 60.0)
    await images.come("a", "b", "c", "d", "e", pixels=LARGE)
    with pytest.raises(Overloaded):
        await images.tasks["e"]
    assert images.queue.overload() is not None
    await images.leave("a")
    assert images.queue.overload() is None
    await images.come("f", pixels=LARGE)
    for name in "bcdf":
        await images.leave(name)
        assert await images.tasks[name] == name


async def test_images_that_are_about_to_come_take_the_places_of_those_that_wait() -> None:
    images = Images()
    images.queue = AdmissionQueue(3, 60.0)
    await images.come("a", "b", pixels=LARGE)
    assert images.queue.overload(5) is None  # nobody waits
    await images.come("c", pixels=LARGE)
    assert images.queue.overload(1) is None
    assert images.queue.overload(2) is not None
    for name in "abc":
        await images.leave(name)


async def test_not_more_images_wait_than_are_answered_in_time_and_it_is_told_when_they_will_be() -> None:
    async def work() -> None:
        await asyncio.sleep(0.05)

    queue = AdmissionQueue(128, 0.2)
    await queue.run(LARGE, 1, NEVER, work)
    waiting = [asyncio.create_task(queue.run(LARGE, 1, NEVER, work)) for _ in range(10)]
    await asyncio.sleep(0)
    overload = queue.overload()
    assert overload is not None
    assert overload.retry_after == pytest.approx(0.2, rel=0.5)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert 2 <= sum(isinstance(answer, Overloaded) for answer in answers) <= 7


async def test_one_image_may_wait_for_a_network_that_is_ever_so_slow() -> None:
    async def work() -> None:
        await asyncio.sleep(0.02)

    queue = AdmissionQueue(128, 0.001)
    await queue.run(LARGE, 1, NEVER, work)
    await asyncio.gather(queue.run(LARGE, 1, NEVER, work), queue.run(LARGE, 1, NEVER, work))


async def test_who_leaves_while_it_waits_makes_room_to_wait() -> None:
    images = Images()
    images.queue = AdmissionQueue(1, 60.0)
    await images.come("a", "b", "c", pixels=LARGE)
    assert images.queue.overload() is not None
    images.tasks["c"].cancel()
    await images.settle()
    assert images.queue.overload() is None
    for name in "ab":
        await images.leave(name)


async def test_the_time_for_which_a_network_was_away_does_not_count_as_its_pace() -> None:
    queue = AdmissionQueue(10, 60.0)
    loop = asyncio.get_running_loop()

    async def away() -> None:
        await asyncio.sleep(0.05)
        queue.interrupted()

    await queue.run(LARGE, 1, NEVER, away)
    begun = asyncio.create_task(queue.run(LARGE, 2, NEVER, lambda: asyncio.sleep(0.01)))
    await asyncio.sleep(0)
    await queue.run(LARGE, 2, loop.time() + 0.04, lambda: asyncio.sleep(0))
    await begun
