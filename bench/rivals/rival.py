"""What the harness needs from a rival: a server that starts and stops, and routes to call it."""

from __future__ import annotations

import json
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from ..load import Call, Plan, Window, closed_loop
from ..models import Model
from ..places import LOGS
from ..processes import Tree

LabelMap = npt.NDArray[np.uint8]

HOST = "127.0.0.1"
_START = 300.0  # s, for a server to become ready
_POLL = 0.05  # s

_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Failed(Exception):
    """A rival did not start, did not answer, or answered wrongly."""


class Route(Protocol):
    """One way of calling a running server."""

    def body(self, image: bytes) -> Any:
        """The request for an image file, encoded before the clock starts."""

    def connection(self) -> AbstractContextManager[Call]:
        """A client's own connection. Its calls return the raw answer, unparsed."""

    def label_map(self, answer: Any) -> LabelMap:
        """The class ids, uint8 [H, W], in an answer."""


class Server(ABC):
    """A rival's process (or processes) with one model, on this machine."""

    name: str
    same_file: ClassVar[bool]  # whether it runs the same ONNX file: then its label maps must equal the floor's

    def __init__(self, model: Model) -> None:
        self.model = model
        self.log = LOGS / f"{self.name}.log"
        self._tree: Tree | None = None

    @property
    def tree(self) -> Tree:
        """The server's processes, once started."""
        if self._tree is None:
            raise Failed("it was not started")
        return self._tree

    def start(self) -> float:
        """Start the server and wait until it reports ready; returns the seconds that took.

        Raises:
            Failed: the server ended, or took too long.
        """
        start = time.monotonic()
        self._tree = self.launch()
        while not self.ready():
            if not self.tree.alive:
                raise Failed(f"it ended at start: {self.tree.last_words()}")
            if time.monotonic() - start > _START:
                raise Failed(f"it was not ready within {_START:g} s: {self.tree.last_words()}")
            time.sleep(_POLL)
        return time.monotonic() - start

    def stop(self) -> None:
        """Stop the server, if it was started."""
        if self._tree is not None:
            self._tree.stop()

    @abstractmethod
    def launch(self) -> Tree:
        """Start the process."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether the server reports ready."""

    @abstractmethod
    def load(self, route: str, files: Sequence[Path], clients: int, plan: Plan) -> tuple[Window, dict[int, LabelMap]]:
        """Load the server with image files. Returns the window, and a label map for each answered file, by index."""


class Served(Server):
    """A server that is called over the network."""

    @abstractmethod
    def route(self, name: str) -> Route:
        """The route with that name."""

    def load(self, route: str, files: Sequence[Path], clients: int, plan: Plan) -> tuple[Window, dict[int, LabelMap]]:
        asked = self.route(route)
        bodies = [asked.body(file.read_bytes()) for file in files]
        with ExitStack() as connections:
            calls = [connections.enter_context(asked.connection()) for _ in range(clients)]
            window, answers = closed_loop(calls, bodies, plan)
        return window, {index: asked.label_map(answer) for index, answer in answers.items()}


def answers(url: str) -> bool:
    """Whether a GET returns status 200."""
    try:
        with _opener.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


def get_json(url: str) -> Any:
    """The JSON answer to a GET."""
    with _opener.open(url, timeout=5) as response:
        return json.load(response)
