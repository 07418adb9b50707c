"""One place a camera for its newest frame: who comes later replaces who waits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Condition
from typing import Generic, TypeVar

Frame = TypeVar("Frame")

_HANDOVER_S = 0.005


class FrameSlots(Generic[Frame]):
    """Hands the latest frames of all cameras from the thread that receives to the one that works.

    The cameras take turns, so that a fast one cannot starve a slow one. is_overtaken: whether the
    first frame, which comes now, was overtaken on its way by the second, which waits: two threads
    may receive.
    """

    def __init__(
        self,
        cameras: Iterable[str],
        is_overtaken: Callable[[Frame, Frame], bool] = lambda new, waiting: False,
    ) -> None:
        self._is_overtaken = is_overtaken
        self._changed = Condition()
        # In the order in which the cameras are served next.
        self._frames: dict[str, Frame | None] = dict.fromkeys(cameras)
        self._closed = False
        self._idle = False

    def put(self, camera: str, frame: Frame) -> Frame | None:
        """Leaves a frame; returns the one that it replaces, or itself where it was overtaken and
        once the slots are closed.

        Returns when who waits for a frame has begun: the receiving thread would otherwise keep
        Python to itself for a millisecond or more before the work begins.
        """
        with self._changed:
            if self._closed:
                return frame
            waiting = self._frames[camera]
            if waiting is not None and self._is_overtaken(frame, waiting):
                return frame
            replaced, self._frames[camera] = waiting, frame
            self._changed.notify_all()
            if self._idle:
                self._changed.wait_for(lambda: not self._idle, _HANDOVER_S)
            return replaced

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until there is a frame; False when the slots are closed or when none came in time."""
        with self._changed:
            self._idle = True
            self._changed.wait_for(lambda: self._closed or bool(self._waiting()), timeout_s)
            self._idle = False
            self._changed.notify_all()
            return not self._closed and bool(self._waiting())

    def take(self, timeout_s: float | None = None, most: int = 1) -> list[tuple[str, Frame]]:
        """Waits for a frame, then takes those of at most so many cameras out, next in turn first.

        Empty when the slots are closed or when no frame came in time.
        """
        with self._changed:
            if not self.wait(timeout_s):
                return []
            taken = self._waiting()[:most]
            for camera, _ in taken:
                del self._frames[camera]
                self._frames[camera] = None  # last in turn now
            return taken

    def close(self) -> list[tuple[str, Frame]]:
        """Refuses frames from now on and wakes who waits; returns the frames that nobody took."""
        with self._changed:
            self._closed = True
            left = self._waiting()
            self._frames = dict.fromkeys(self._frames)
            self._changed.notify_all()
            return left

    @property
    def is_closed(self) -> bool:
        """Whether ``close`` was called."""
        with self._changed:
            return self._closed

    def _waiting(self) -> list[tuple[str, Frame]]:
        return [(name, frame) for name, frame in self._frames.items() if frame is not None]
