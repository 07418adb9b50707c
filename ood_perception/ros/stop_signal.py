"""SIGINT and SIGTERM as a wish that is looked at between two steps, never an exception in one."""

from __future__ import annotations

import signal
from threading import Event


def catch_stop_signals() -> Event:
    """An event that is set by SIGINT or SIGTERM from now on. Only the main thread may call this."""
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop
