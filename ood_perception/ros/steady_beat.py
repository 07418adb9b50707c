"""Something done again and again beside work that keeps the executor from its timers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def steady_beat(work: Callable[[], None], period_s: float) -> Iterator[None]:
    """Calls work from a thread of its own, first after one period, until the block ends.

    work: safe beside the block, and raises nothing.
    """
    ended = Event()

    def beat() -> None:
        while not ended.wait(period_s):
            work()

    thread = Thread(target=beat, name="ood_steady_beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
