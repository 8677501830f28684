"""Lets an event loop give up what a thread does for it, because a thread cannot be interrupted."""

from __future__ import annotations

import threading
from contextvars import ContextVar

# Set when nobody waits any more for what this thread does. By default it never is.
given_up: ContextVar[threading.Event] = ContextVar("given_up", default=threading.Event())  # noqa: B039 - nobody sets the default
