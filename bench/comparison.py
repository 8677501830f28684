"""All rivals on one model and one size, in turn, round after round."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from . import perf_analyzer
from .images import Size
from .load import Plan, Window
from .models import Model
from .processes import Tree
from .quantiles import median
from .records import Failure, Load, Results, Stages, Start
from .rivals.catalogue import Make, Rival
from .rivals.floor import Floor, arrangements
from .rivals.rival import Failed, LabelMap, Server
from .rivals.semseg import Semseg
from .stages import breakdown

RIGHT = 0.99  # lowest accepted share of equal pixels for the same ONNX file; near-ties differ between batches
_ROOM = 0.25  # share of the machine's memory that must be free before a load: a batch may take gigabytes at once
_IDLE = 2.0  # s; how long the processor time of an idle server is measured
_PAUSE = 0.5  # s between two loads: OpenMP's threads keep spinning for a while after their work
_STAGED = 20  # requests per breakdown
_CONFIRMED = (1, 8)  # numbers of clients that perf_analyzer confirms

Say = Callable[[str], None]


@dataclass(frozen=True)
class Terms:
    """How the rivals are measured."""

    clients: Sequence[int]
    rounds: int
    seconds: float

    def plan(self, clients: int) -> Plan:
        """A slow rival's window lasts longer: until there is an answer for each client."""
        return Plan(self.seconds, max(clients, 3))


class Comparison:
    """One model and one size. If a rival fails, the failure is reported and recorded, and the others continue."""

    def __init__(self, model: Model, size: Size, rivals: Sequence[Rival], terms: Terms, results: Results, say: Say) -> None:
        self.model = model
        self.size = size
        self.files = size.files()
        self.terms = terms
        self._results = results
        self._say = say
        self._rivals = list(rivals)
        self._servers: dict[Make, Server] = {}
        self._broken: set[Make] = set()
        self._truth: dict[int, LabelMap] = {}

    def run(self) -> None:
        """Measure, unless the bare network fails: then there are no answers to compare with."""
        try:
            self._truth = label_maps(self.model, self.files)
        except Failed as error:
            self._say(f"  skipped because the bare network fails: {error}")
            return
        with ExitStack() as running:
            for rival in list(self._rivals):
                with self._excused(rival):
                    self._start(rival, running)
            for round_number in range(self.terms.rounds):
                for clients in self.terms.clients:
                    self._round(round_number, clients)
            for server in self._servers.values():
                if type(server) is Semseg:  # not Arranged
                    with _awake(server.tree):
                        self._look_inside(server)

    def _start(self, rival: Rival, running: ExitStack) -> None:
        """Start the rival's server, unless another rival did; warm it up with every image; then suspend it."""
        if rival.make in self._servers:
            return
        if rival.make in self._broken:
            raise Failed("its server did not start")
        self._broken.add(rival.make)
        server = rival.make(self.model)
        running.callback(server.stop)
        ready = server.start()
        window, _ = self._checked(server, rival, 1, Plan(0.0, len(self.files)))
        idle = _idle(server.tree)
        server.tree.rest()
        self._broken.remove(rival.make)
        self._servers[rival.make] = server
        self._results.add(Start(self.model.name, self.size.name, rival.name, ready, window.first, idle))
        self._say(f"  {rival.name}: ready after {ready:.1f} s, first answer {window.first * 1e3:.0f} ms, idle {idle:.1%}")

    def _round(self, number: int, clients: int) -> None:
        order = self._rivals if number % 2 == 0 else self._rivals[::-1]  # no rival always follows the same one
        for rival in list(order):
            with self._excused(rival):
                load = self._load(rival, number, clients)
                self._results.add(load)
                self._say(
                    f"  round {number + 1}, {clients} clients, {rival.name}: {load.throughput:.2f} images/s, "
                    f"median {median(load.latencies) * 1e3:.0f} ms, {load.agreement:.4%} of the pixels as in the floor"
                )

    def _load(self, rival: Rival, number: int, clients: int) -> Load:
        server = self._servers[rival.make]
        with _awake(server.tree):
            before, busy, start = server.tree.cpu(), _busy(), time.perf_counter()
            with server.tree.watched() as peak:
                window, agreement = self._checked(server, rival, clients, self.terms.plan(clients))
            cpu = server.tree.cpu() - before
            others = (_busy() - busy - cpu) / (time.perf_counter() - start)
        return Load(
            model=self.model.name,
            size=self.size.name,
            rival=rival.name,
            clients=clients,
            round=number,
            latencies=[round(latency, 6) for latency in window.latencies],
            seconds=window.seconds,
            cpu=cpu / window.total,
            loader_cpu=window.cpu / window.total,
            pss=peak.pss,
            rss=peak.rss,
            others=max(others, 0.0),
            agreement=agreement,
        )

    def _checked(self, server: Server, rival: Rival, clients: int, plan: Plan) -> tuple[Window, float]:
        """The window, and the lowest share of pixels with the floor's class."""
        memory = psutil.virtual_memory()
        if memory.available < _ROOM * memory.total:
            raise Failed(
                f"only {memory.available / 1e9:.1f} GB of memory is free, because all servers stay in memory: "
                "use fewer --rivals, smaller --sizes or fewer --clients"
            )
        window, maps = server.load(rival.name, self.files, clients, plan)
        if window.failures:
            raise Failed(window.failures[0])
        agreement = min(_agreement(self._truth[index], found) for index, found in maps.items())
        # A difference does not exclude PaddleX: with its oneDNN kernels, SeaFormer_tiny predicts other classes.
        if server.same_file and agreement < RIGHT:
            raise Failed(f"wrong answer: only {agreement:.2%} of the pixels have the floor's class")
        return window, agreement

    def _look_inside(self, server: Semseg) -> None:
        try:
            stages = breakdown(server, self.size.name, self.files[0], _STAGED)
            self._results.add(stages)
            self._say(_told(stages))
            for clients in _CONFIRMED * self.terms.rounds if perf_analyzer.available() else ():
                plan = self.terms.plan(clients)
                confirmation = perf_analyzer.confirm(server, self.size.name, self.files[0], clients, plan)
                self._results.add(confirmation)
                self._say(
                    f"  perf_analyzer, {clients} clients: {confirmation.throughput:.2f} images/s, "
                    f"our load generator {confirmation.our_throughput:.2f}"
                )
        except (Failed, OSError) as error:
            self._say(f"  the breakdown of our server failed: {error}")

    @contextmanager
    def _excused(self, rival: Rival) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # noqa: BLE001 - if one rival fails, the others continue
            reason = str(error) if isinstance(error, Failed) else f"{type(error).__name__}: {error}"
            self._rivals.remove(rival)
            self._results.add(Failure(self.model.name, self.size.name, rival.name, reason))
            self._say(f"  {rival.name} is out: {reason}")


def label_maps(model: Model, files: Sequence[Path]) -> dict[int, LabelMap]:
    """The bare network's answer to each image, the reference for every rival.

    Raises:
        Failed: the bare network fails.
    """
    floor = Floor(model, arrangements()[0])
    try:
        floor.start()
        window, maps = floor.load(floor.name, files, 1, Plan(0.0, len(files)))
        if window.failures:
            raise Failed(window.failures[0])
        return maps
    finally:
        floor.stop()


def _agreement(expected: LabelMap, found: LabelMap) -> float:
    if expected.shape != found.shape:
        raise Failed(f"a label map of {found.shape} for an image of {expected.shape}")
    return float((expected == found).mean())


def _busy() -> float:
    """Seconds of processor time that all other processes of the machine have used."""
    times, own = psutil.cpu_times(), time.process_time()
    return float(times.user + times.nice + times.system + times.irq + times.softirq + times.steal) - own


def _idle(tree: Tree) -> float:
    """Processor time per second that the processes use without requests."""
    time.sleep(_PAUSE)
    before = tree.cpu()
    time.sleep(_IDLE)
    return (tree.cpu() - before) / _IDLE


@contextmanager
def _awake(tree: Tree) -> Iterator[None]:
    """Resume the server under test. All others stay suspended, because some poll for work all the time."""
    tree.wake()
    try:
        yield
    finally:
        time.sleep(_PAUSE)
        tree.rest()


def _told(stages: Stages) -> str:
    networks = (f"{name} {spent['all'] * 1e3:.1f}" for name, spent in stages.triton.items())
    return f"  one REST request takes {stages.total * 1e3:.1f} ms; in Triton: {', '.join(networks)}"
