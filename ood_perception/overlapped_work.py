"""Work for the frames before and after, on a thread beside the frame that is in the network.

Decoding, drawing and encoding leave Python's lock, as the network does, so that a second core takes
them. Order is kept, what waits is bounded, and an error stays with its own frame.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any, Generic, TypeVar

from ood_perception.errors import OodError

T = TypeVar("T")
R = TypeVar("R")


def prepared_ahead(
    items: Iterable[T], prepare: Callable[[T], R], depth: int = 2
) -> Iterator[tuple[T, Callable[[], R]]]:
    """Each item in order, with a function that gives what was prepared of it.

    That function raises what `prepare` raised for this very item. At most `depth` items are taken
    and prepared beyond the one that is out; `items` itself is walked through by the caller's
    thread, and an OodError of it comes after the items before it.
    """
    executor = ThreadPoolExecutor(1, "prepared_ahead")
    waiting: deque[tuple[T, Future[R]]] = deque()
    try:
        for item in items:
            waiting.append((item, executor.submit(prepare, item)))
            if len(waiting) > depth:
                yield _oldest(waiting)
        while waiting:
            yield _oldest(waiting)
    except OodError:
        while waiting:
            yield _oldest(waiting)
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _oldest(waiting: deque[tuple[T, Future[R]]]) -> tuple[T, Callable[[], R]]:
    item, future = waiting.popleft()
    return item, future.result


class FinishedBehind(Generic[R]):
    """Takes work off the caller's thread and finishes it there later, in the order it was given.

    A context manager: its end waits for all that is left. An exception of a work or a finish is
    raised by the next `add` or at the end; nothing that was added after it is finished then.
    """

    def __init__(self, depth: int = 2) -> None:
        """depth: how many works may wait; one more waits for the oldest."""
        self._depth = depth
        self._executor = ThreadPoolExecutor(1, "finished_behind")
        self._waiting: deque[tuple[Future[R], Callable[[R], Any]]] = deque()

    def add(self, work: Callable[[], R], finish: Callable[[R], Any] = lambda result: None) -> None:
        """work: for the thread beside. finish: gets its result, on the caller's thread."""
        self._waiting.append((self._executor.submit(work), finish))
        self._finish(self._depth)

    def _finish(self, left: int) -> None:
        """Everything that is done, and the oldest until only so many are left."""
        while self._waiting and (len(self._waiting) > left or self._waiting[0][0].done()):
            future, finish = self._waiting.popleft()
            finish(future.result())

    def __enter__(self) -> FinishedBehind[R]:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._finish(0)
        finally:
            self._waiting.clear()
            self._executor.shutdown(cancel_futures=True)
