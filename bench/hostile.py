"""`python -m bench.hostile`: what hostile callers cost other callers, and how much memory the gateway needs.

A few normal callers send one image after another, first alone and then during each attack, which runs in a process of its own.
One line per trial shows the callers' latencies, the answers they got, and the peak memory of the gateway's process.
Start the service first: `semseg serve --workers 1`.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import io
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import psutil
import typer
from PIL import Image

from .quantiles import p99

PATH = "/semantic-segmentation"
CALLERS = 3
PAUSE = 0.1  # s, between two requests of a normal caller
MEGABYTE = 2**20

Address = tuple[str, int]
Ready = Event  # set once the attack is running

SPAWN = multiprocessing.get_context("spawn")


def head(length: int, kind: str = "image/jpeg", accept: str = "image/png") -> bytes:
    lines = f"POST {PATH} HTTP/1.1", "Host: localhost", f"Content-Type: {kind}", f"Accept: {accept}", f"Content-Length: {length}"
    return "\r\n".join([*lines, "", ""]).encode()


async def connect(address: Address, limit: int = 2**16) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*address, limit=limit)


async def status(reader: asyncio.StreamReader) -> int:
    """Read the whole answer; returns its status."""
    lines = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
    [length] = [int(line.partition(":")[2]) for line in lines if line.startswith("content-length")]
    await reader.readexactly(length)
    return int(lines[0].split()[1])


async def slow_readers(address: Address, image: bytes, ready: Ready) -> None:
    """60 callers who read eleven megabytes at a kilobyte per second."""

    answered: list[bytes] = []

    async def one() -> None:
        with suppress(OSError):
            reader, writer = await connect(address, 1024)
            writer.write(head(len(image), accept="application/json") + image)
            answered.append(await reader.read(1))
            while await reader.read(1024):
                await asyncio.sleep(1)
            writer.close()

    reading = asyncio.gather(*(one() for _ in range(60)))
    while len(answered) < 60:
        await asyncio.sleep(0.1)
    ready.set()
    await reading
    await asyncio.Event().wait()


async def slow_senders(address: Address, _: bytes, ready: Ready) -> None:
    """200 callers who send a megabyte at a byte per second."""

    async def one() -> None:
        while True:
            with suppress(OSError):
                _, writer = await connect(address)
                writer.write(head(MEGABYTE))
                while not writer.is_closing():
                    writer.write(b"x")
                    await asyncio.sleep(1)
            await asyncio.sleep(1)

    ready.set()
    await asyncio.gather(*(one() for _ in range(200)))


async def idle(address: Address, _: bytes, ready: Ready) -> None:
    """5,000 connections, 500 new ones per second."""
    ready.set()
    kept: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    while len(kept) < 5000:
        kept += await asyncio.gather(*(connect(address) for _ in range(50)))
        await asyncio.sleep(0.1)
    await asyncio.Event().wait()


async def bodies(address: Address, _: bytes, ready: Ready) -> None:
    """24 bodies of 64 MB at once, every five seconds."""
    await large(address, b"A" * (64 * MEGABYTE - 16), ready)


async def images(address: Address, _: bytes, ready: Ready) -> None:
    """The same, but each body holds a real image of sixteen megapixels."""
    file = io.BytesIO()
    Image.new("RGB", (4000, 4000), "grey").save(file, "BMP")
    await large(address, base64.b64encode(file.getvalue()), ready)


async def large(address: Address, image: bytes, ready: Ready) -> None:
    """24 requests with `image` at once, every five seconds."""
    loop = asyncio.get_running_loop()
    body = b'{"image": "' + image + b'"}'

    async def one(seen: Counter[object]) -> None:
        with socket.create_connection(address) as caller:  # a StreamWriter would copy the body
            caller.setblocking(False)
            answer = asyncio.create_task(loop.sock_recv(caller, 1000))
            try:
                await loop.sock_sendall(caller, head(len(body), "application/json"))
                await loop.sock_sendall(caller, body)
                seen[int((await answer).split()[1])] += 1
            except OSError as error:
                answer.cancel()
                seen[type(error).__name__] += 1

    ready.set()
    while True:
        seen: Counter[object] = Counter()
        await asyncio.gather(*(one(seen) for _ in range(24)))
        print("  24 bodies:", dict(seen), flush=True)
        await asyncio.sleep(5)


ATTACKS: dict[str, Callable[[Address, bytes, Ready], Coroutine[Any, Any, None]]] = {
    "readers": slow_readers,
    "senders": slow_senders,
    "idle": idle,
    "bodies": bodies,
    "images": images,
}


def attacking(name: str, address: Address, image: bytes, ready: Ready) -> None:
    asyncio.run(ATTACKS[name](address, image, ready))


@dataclass
class Seen:
    """What normal callers saw; latencies in seconds."""

    latencies: list[float] = field(default_factory=list)
    statuses: Counter[object] = field(default_factory=Counter)


def ask(address: Address, image: bytes, end: float, seen: Seen, pause: float) -> None:
    connection = http.client.HTTPConnection(*address, timeout=90)
    while time.monotonic() < end:
        start = time.perf_counter()
        try:
            connection.request("POST", PATH, image, {"Content-Type": "image/jpeg", "Accept": "image/png"})
            answer = connection.getresponse()
            answer.read()
            seen.statuses[answer.status] += 1
        except OSError as error:
            seen.statuses[type(error).__name__] += 1
            connection.close()
        seen.latencies.append(time.perf_counter() - start)
        time.sleep(pause)


def normal(address: Address, image: bytes, seconds: float, callers: int = CALLERS, pause: float = PAUSE) -> Seen:
    seen, end = Seen(), time.monotonic() + seconds
    threads = [threading.Thread(target=ask, args=(address, image, end, seen, pause)) for _ in range(callers)]
    for each in threads:
        each.start()
        time.sleep(pause / callers)
    for each in threads:
        each.join()
    return seen


class Memory(threading.Thread):
    """A process's peak memory until `stop`, in megabytes."""

    def __init__(self, process: psutil.Process) -> None:
        super().__init__(daemon=True)
        self._process = process
        self._ended = threading.Event()
        self.most = 0.0

    def run(self) -> None:
        while not self._ended.wait(0.02):
            self.most = max(self.most, self.now())

    def now(self) -> float:
        return float(self._process.memory_info().rss / MEGABYTE)

    def stop(self) -> None:
        self._ended.set()
        self.join()


async def flood(address: Address, image: bytes, rate: float, seconds: float) -> tuple[Seen, Seen]:
    """Send requests at `rate` without waiting for answers; returns those served and those refused."""
    done, refused, free = Seen(), Seen(), asyncio.LifoQueue[tuple[asyncio.StreamReader, asyncio.StreamWriter]]()
    request = head(len(image)) + image

    async def one() -> None:
        start = time.perf_counter()
        try:
            reader, writer = free.get_nowait() if free.qsize() else await connect(address)
            writer.write(request)
            answered = await status(reader)
            free.put_nowait((reader, writer))
        except (OSError, asyncio.IncompleteReadError) as error:
            done.statuses[type(error).__name__] += 1
            return
        seen = done if answered == 200 else refused
        seen.statuses[answered] += 1
        seen.latencies.append(time.perf_counter() - start)

    begin, tasks = time.monotonic(), set[asyncio.Task[None]]()
    for number in range(int(rate * seconds)):
        await asyncio.sleep(max(0, begin + number / rate - time.monotonic()))
        tasks.add(asyncio.create_task(one()))
    in_time = sum(done.statuses.values())  # answers after the flood do not count
    done.statuses["in time"] = in_time
    await asyncio.gather(*tasks)
    return done, refused


def gateway_process(address: Address) -> psutil.Process:
    """The process that accepts connections at `address`, not the one that started it."""
    found = []
    for each in psutil.process_iter():
        with suppress(psutil.Error):
            if any(one.laddr[1:] == address[1:] and one.status == "LISTEN" for one in each.net_connections("tcp")):
                found.append(each)
    [worker] = [each for each in found if each.parent() in found]
    return worker


def line(name: str, seen: Seen, memory: Memory) -> str:
    latencies = sorted(seen.latencies)
    middle, last = latencies[len(latencies) // 2] * 1000, p99(latencies) * 1000
    return f"{name:9} p50 {middle:6.1f} ms  p99 {last:6.1f} ms  {dict(seen.statuses)}  peak {memory.most:.0f} MB"


def main(
    rest: Annotated[str, typer.Argument(help="The service's address, http://...")],
    image: Annotated[Path, typer.Option(help="The image that normal callers send.")] = Path("demo/images/street.jpg"),
    large: Annotated[Path, typer.Option(help="The image that slow readers send.")] = Path("demo/images/street.jpg"),
    trials: Annotated[str, typer.Option(help="The attacks, separated by commas.")] = ",".join([*ATTACKS, "overload"]),
    seconds: Annotated[float, typer.Option(help="Length of each measurement.")] = 20,
) -> None:
    """Measure what attacks cost a service's other callers."""
    url = urlsplit(rest)
    address = (str(url.hostname), int(url.port or 80))
    picture, process = image.read_bytes(), gateway_process(address)
    normal(address, picture, 2)
    for trial in trials.split(","):
        memory = Memory(process)
        before = memory.now()
        memory.start()
        print(line("quiet", normal(address, picture, seconds), memory), flush=True)
        if trial == "overload":
            best = normal(address, picture, seconds, callers=8, pause=0).statuses[200] / seconds
            done, refused = asyncio.run(flood(address, picture, 10 * best, seconds))
            good = done.statuses.pop("in time") / seconds
            memory.stop()
            print(f"overload  best {best:.1f}/s, at {10 * best:.0f}/s {good:.1f}/s: {good / best:.2f}")
            print(line("done", done, memory))
            print(line("refused", refused, memory))
        else:
            ready = SPAWN.Event()
            attack = SPAWN.Process(target=attacking, args=(trial, address, large.read_bytes(), ready))
            attack.start()
            ready.wait()
            seen = normal(address, picture, seconds)
            attack.kill()
            attack.join()
            memory.stop()
            print(line(trial, seen, memory), flush=True)
        time.sleep(3)
        print(f"          memory before {before:.0f} MB, after {memory.now():.0f} MB", flush=True)


if __name__ == "__main__":
    typer.run(main)
