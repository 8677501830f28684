"""Keeps a tritonserver alive: replaces processes that die or hang, and continues stopped ones."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType

from semseg_contract.record import ModelRecord

from ...errors import SemsegError, ServingError
from ...ports import free_ports
from ...triton.client import Client
from ...triton.protocol import NOT_YET, TINY_IMAGE
from ..repository import configuration
from .backoff import Backoff
from .healer import Healer
from .pressure import Pressure
from .pulse import Pulse
from .room import Demand, Room
from .served_configuration import adjust, instances
from .served_repository import ServedRepository
from .shared_memory import SharedMemory
from .status import CRASHES, Fault, Status, StatusFile
from .stubs import family, resume
from .triton_calls import CALL, TritonCalls
from .triton_log import TritonLog
from .triton_process import HOST, TritonProcess, program

_PERIOD = 0.25  # s between two looks while a request is taking long; otherwise twice that
_SUSPICION = 1.0  # s that a suspicion lasts
_UNANSWERED = 5  # looks in a row, 1.25 s each, before a silent server is killed
_LOADING = 600.0  # s that a model may take to load
_MOST_ZOMBIES = 4  # at which the server is restarted; each may hold sixty megabytes
_END = 10.0  # s, for everything to end, including requests in flight
_LEAST = 1.0  # s that tritonserver gets to end in any case
_ATTENTIVE = 10.0  # s, within which the supervisor must have looked at the server
_FIRST = 5.0  # s for the first inference, before checking that the server is still alive
_FREE_STARTS = 2  # deaths of the server in a row that are healed without delay

Say = Callable[[str], None]


class Supervisor:
    """Runs tritonserver with some models of a repository, on loopback, until `stop`.

    Port 0 picks a free port, None turns the interface off. `on_line` gets each line of the server's log, `say` gets news about
    healing; both are called from other threads.
    """

    def __init__(
        self,
        repository: Path,
        models: Sequence[str],
        *,
        grpc_port: int = 0,
        http_port: int | None = None,
        metrics_port: int | None = None,
        on_line: Say | None = None,
        say: Say | None = None,
    ) -> None:
        self.repository = repository
        self.models = list(models)
        self._wanted = {"grpc": grpc_port, "http": http_port, "metrics": metrics_port}
        self._ports: dict[str, int] = {}
        self._log = TritonLog(on_line)
        self._tell_owner = say or (lambda _: None)
        self._room: Room
        self._memory: SharedMemory | None = None  # `start` sets this last: if it is set, so is everything else
        self._served: ServedRepository
        self._status: StatusFile
        self._triton: TritonCalls
        self._healer: Healer
        self._pulse: Pulse
        self._process: TritonProcess
        self._told = Status()
        self._draining = False
        self._end_by: float | None = None  # deadline for a stopping server, after which it is killed
        self._looked_at = 0.0
        self._owner = 0  # pid of the process that started the server
        self._down = False  # whether the server has died and has not been restarted yet
        self._up = False  # whether the server has answered since its start
        self._started_at = 0.0
        self._unanswered = 0  # looks in a row without an answer
        self._backoff = Backoff(_FREE_STARTS)
        self._lock = threading.RLock()  # guards the served repository and everything about it
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the server. Call this only once. `wait_ready` waits until the server serves.

        Raises:
            ServingError: tritonserver is not installed, a port is taken, or a model is not in the repository.
        """
        program()
        memory = SharedMemory()
        try:
            self._served = ServedRepository(self.repository, memory.folder, adjust)
            for model in self.models:
                self._served.add(model)
            self._room = Room(memory.free, {model: self._demand(model) for model in self.models})
            self._ports = _free({each: port for each, port in self._wanted.items() if port is not None})
            self._status = StatusFile(memory.folder / "status.json")
            self._triton = TritonCalls(self.grpc_url, self._log)
            self._healer = Healer(self._served, self._triton, self._instances, self._say)
            self._pulse = Pulse(self._triton.ask)
            (memory.folder / CRASHES).mkdir(0o700)
            self._status.issue_ticket()
            self._process = self._run(memory, lenient=False)
        except BaseException:
            memory.remove()
            raise
        self._memory = memory
        self._owner = os.getpid()
        if (warning := self._room.warning) is not None:
            self._say(f"Warning: {warning}")

    def wait_ready(self, timeout: float = 600.0) -> None:
        """Wait until every model has answered a real inference. From then on the server is kept alive.

        Raises:
            ServingError: the server died, or a model did not answer within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        client = Client(self.grpc_url, _FIRST, patience=0)
        try:
            for model in self.models:
                while (reason := _unready(client, model)) is not None:
                    if not self._process.alive:
                        raise ServingError(self._process.death())
                    if time.monotonic() >= deadline:
                        raise ServingError(f"{model} did not answer within {timeout:g} s: {reason}")
                    self._process.resume()
                    time.sleep(0.2)
        finally:
            client.close(0)  # do not wait for a server that did not answer
        self._log.clear()  # without a GPU, even a good start logs errors
        self._up = True
        self._look()  # learn which entries have processes, before any can go missing
        with suppress(OSError):  # /dev/shm is full; the thread tries again
            self._tell()
        self._looked_at = time.monotonic()
        self._thread = threading.Thread(target=self._supervise, name="semseg-supervisor", daemon=True)
        self._thread.start()
        if (metrics := self.url("metrics")) is not None and self._memory is not None:
            pressure = Pressure(metrics, self._memory.folder / CRASHES / "busy")
            threading.Thread(target=pressure.watch, args=[self._ended], name="semseg-pressure", daemon=True).start()

    def load(self, names: Sequence[str]) -> None:
        """Load entries of the repository as they are now, one by one.

        Raises:
            ServingError: one of them cannot be loaded. All of them are then served as before.
        """
        self._healer.spared |= set(names)
        renewed: list[str] = []
        try:
            for name in names:
                failures = self._triton.failures(name)
                revision = self._renew(name)
                renewed.append(name)
                self._wait_loaded(name, revision, failures)
        except BaseException:
            with self._lock:
                for name in reversed(renewed):
                    self._served.restore(name)
            raise
        finally:
            self._healer.spared -= set(names)

    def add(self, model: str) -> None:
        """Serve a model as it is in the repository now, and wait until it answers.

        Raises:
            ServingError: it is not exported, or cannot be loaded.
        """
        if model in self.models:
            steps = [step.model_name for step in configuration(self.repository, model).ensemble_scheduling.step]
            self.load([*(step for step in steps if step.startswith(f"{model}_")), model])
        else:
            self._add(model)
        with Client(self.grpc_url) as client:
            client.wait_ready(model=model)

    def drain(self) -> None:
        """Announce that the service is about to end. From now on, it has ten seconds left."""
        self._end_by = time.monotonic() + _END
        self._draining = True
        if self._lock.acquire(timeout=_LEAST):
            try:
                with suppress(OSError):  # /dev/shm is full; the workers learn it from their signal
                    self._tell()
            finally:
                self._lock.release()

    def kill(self) -> None:
        """Kill the server at once; `stop` is then quick. A signal handler may call this."""
        self._end_by = 0.0
        self._ended.set()
        if self._memory is not None:
            self._process.kill()

    def stop(self) -> None:
        """Stop the server and remove everything that it left. A forked child leaves its parent's server alone."""
        if self._memory is None or self._owner != os.getpid():
            return
        self._ended.set()
        now = time.monotonic()
        end_by = now + _END if self._end_by is None else self._end_by
        with ExitStack() as steps:  # every step runs, even if another one raises
            steps.callback(self._memory.remove)
            steps.callback(self._triton.close)
            steps.callback(lambda: self._process.stop(max(end_by - now, _LEAST)))
            if self._thread is not None:
                self._thread.join(_LEAST)  # a blocked terminal may hold it up
        self._memory = None

    def url(self, interface: str) -> str | None:
        """`host:port` of "grpc", "http" or "metrics"; None if it is off."""
        return f"{HOST}:{self._ports[interface]}" if interface in self._ports else None

    @property
    def grpc_url(self) -> str:
        """`host:port` for clients."""
        return f"{HOST}:{self._ports['grpc']}"

    @property
    def attentive(self) -> bool:
        """Whether the supervisor has looked at the server in the last ten seconds."""
        return time.monotonic() - self._looked_at < _ATTENTIVE

    @property
    def status_path(self) -> Path:
        """The file with the server's Status."""
        return self._status.path

    def __enter__(self) -> Supervisor:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()

    def _say(self, news: str) -> None:
        """Report news. Healing must go on, whatever happens to the terminal."""
        with suppress(Exception):
            self._tell_owner(news)

    def _run(self, memory: SharedMemory, *, lenient: bool) -> TritonProcess:
        environment = {
            "SEMSEG_CRASH_FOLDER": str(memory.folder / CRASHES),
            "SEMSEG_LARGEST_IMAGE": str(self._room.largest_image),
        }
        return TritonProcess(self._served.path, self._ports, memory, self._log, environment, lenient=lenient)

    def _renew(self, name: str) -> str:
        """Renew an entry once the server is up. A starting server follows the links twice, and they must not move in between."""
        while not self._ended.wait(0.1):
            with self._lock:
                if self._up:
                    return self._served.renew(name)
        raise ServingError("the server is being stopped")

    def _add(self, model: str) -> None:
        with self._lock:
            fresh = self._served.add(model)
            failures = {name: self._triton.failures(name) for name in fresh}
            self._healer.spared |= set(fresh)
        try:
            for name in fresh:
                self._wait_loaded(name, self._served.revisions[name], failures[name])
        except BaseException:
            with self._lock:
                self._served.remove(fresh)
            raise
        finally:
            self._healer.spared -= set(fresh)
        self.models.append(model)
        self._room = Room(self._room.free, {**self._room.demands, model: self._demand(model)})

    def _demand(self, model: str) -> Demand:
        config = self._served.config(model)
        processes = {step.model_name: self._instances(step.model_name) for step in config.ensemble_scheduling.step}
        try:
            return Demand(ModelRecord.read(config).max_pixels or 0, processes)
        except ValueError as error:
            raise ServingError(str(error)) from error

    def _instances(self, name: str) -> int:
        return instances(self._served.config(name))

    def _wait_loaded(self, name: str, revision: str, failures_before: int) -> None:
        deadline = time.monotonic() + _LOADING
        while not self._triton.loaded(name, revision):
            if self._triton.failures(name) > failures_before:
                raise ServingError(f"{name} could not be loaded: {self._log.load_failures(name)[-1]}")
            if time.monotonic() >= deadline:
                raise ServingError(f"{name} was not loaded within {_LOADING:g} s")
            if self._ended.wait(0.1):
                raise ServingError("the server is being stopped")

    def _supervise(self) -> None:
        trouble = ""
        looked = False
        while not self._ended.wait(_PERIOD):
            looked = not looked or self._status.suspected(_SUSPICION)
            if not looked:  # every other time will do
                continue
            try:
                with self._lock:
                    try:
                        if self._process.alive:
                            self._look()
                        else:
                            self._restart(time.monotonic())
                    finally:
                        self._tell()
                    self._looked_at = time.monotonic()
                trouble = ""
            except Exception as error:  # noqa: BLE001 - without this thread, nothing would be healed any more
                told = str(error) if isinstance(error, SemsegError) else repr(error)
                if told != trouble:
                    trouble = told
                    self._say(f"cannot supervise the server: {trouble}")

    def _look(self) -> None:
        self._process.check_keeper()
        self._process.keep_private()
        resume(self._process.pid)
        children = family(self._process.pid)
        living = children.stubs
        for stub in living:
            if stub.stopped:  # after a second, Triton would consider it dead for good
                resume(stub.pid)
        now = time.monotonic()
        self._triton.deadline = now + CALL
        if not self._answers(now):
            return
        for stub in self._pulse.hung(living, now, suspicious=self._status.suspected(_SUSPICION)):
            self._say(f"a process of {stub.entry} hangs; killing it")
            stub.kill()
        self._healer.look(living, now)
        if children.dead >= _MOST_ZOMBIES:
            self._say("tritonserver holds the memory of too many dead processes; restarting it")
            self._process.kill()

    def _answers(self, now: float) -> bool:
        """Whether the server answers now. Kills it if it has not answered for too long."""
        if self._triton.live():
            self._up, self._unanswered = True, 0
            return True
        self._unanswered += 1
        hangs = self._unanswered >= _UNANSWERED if self._up else now - self._started_at > _LOADING
        if hangs:
            self._say("tritonserver runs but does not answer; killing it")
            self._process.kill()
        return False

    def _restart(self, now: float) -> None:
        if not self._down:
            self._down, self._up = True, False
            with suppress(OSError):  # /dev/shm is full; the next look tries again
                self._tell()  # now, because `stop` may take a second
            self._backoff.died(now)
            self._say(f"{self._process.death()} Restarting it.")
            self._process.stop(_LEAST)  # and what is left of its processes
            if self._memory is not None:
                self._memory.clear()
        if self._memory is None or self._ended.is_set() or self._backoff.waiting(now):
            return
        try:
            _free(self._ports)
            self._process = self._run(self._memory, lenient=True)  # one bad entry must not stop the others
        except (ServingError, OSError) as error:
            self._backoff.died(now)
            raise ServingError(f"tritonserver cannot be restarted yet: {error}") from error
        self._down, self._started_at = False, now
        self._pulse = Pulse(self._triton.ask)
        self._healer.restarted(now)

    def _tell(self) -> None:
        """Write the status, if it has changed."""
        faults = self._healer.faults() if self._up else {}
        told: dict[str, Fault] = {}
        for model in self.models:
            steps = self._served.config(model).ensemble_scheduling.step
            entries = [model, *(step.model_name for step in steps)]
            fault = (
                next((faults[entry] for entry in entries if entry in faults), None)
                if self._up
                else Fault("tritonserver is being restarted")
            )
            if fault is not None:
                told[model] = fault
        warning = self._room.warning
        status = Status(told, self._draining, () if warning is None else (warning,))
        if status != self._told:
            self._status.write(status)
            self._told = status


def _free(ports: Mapping[str, int]) -> dict[str, int]:
    """A port for each interface; 0 becomes a free port. Raises ServingError if one is taken."""
    return {option[2:-5]: port for option, port in free_ports(HOST, {f"--{each}-port": ports[each] for each in ports}).items()}


def _unready(client: Client, model: str) -> SemsegError | None:
    try:
        client.segment(TINY_IMAGE, model)
    except NOT_YET as error:
        return error
    return None
