"""The one thread that works on frames, so that the executor stays free to receive them."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Thread
from typing import Protocol

from ood_perception.ros.fault_barrier import FaultBarrier
from ood_perception.ros.frame_slot import FrameSlots

_JOIN_TIMEOUT_S = 10.0


class FrameProcessor(Protocol):
    """What is done with the frames of one camera."""

    def process(self, serialised: bytes) -> None:
        """Works on one frame and accounts for it."""

    def fail(self, fault: Exception) -> None:
        """Accounts for a frame whose processing raised a fault."""

    def overwrite(self) -> None:
        """Accounts for a frame that a newer one replaced."""

    def discard(self) -> None:
        """Accounts for a frame that came too late to be worked on."""


class FrameWorker:
    """Takes the newest frame of each camera in turn and has it processed."""

    def __init__(self, processors: Mapping[str, FrameProcessor]) -> None:
        self._processors = processors
        self._slots: FrameSlots[bytes] = FrameSlots(processors)
        self._thread = Thread(target=self._run, name="ood_frame_worker", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def give(self, camera: str, serialised: bytes) -> None:
        """Leaves a frame to be worked on, instead of the one that may still wait."""
        replaced = self._slots.put(camera, serialised)
        if replaced is serialised:
            self._processors[camera].discard()
        elif replaced is not None:
            self._processors[camera].overwrite()

    def stop(self) -> bool:
        """Ends the thread after the frame at hand; False when that frame does not end."""
        for camera, _ in self._slots.close():
            self._processors[camera].discard()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_TIMEOUT_S)
        return not self._thread.is_alive()

    @property
    def is_stopping(self) -> bool:
        """Whether results that come now come too late to be published."""
        return self._slots.is_closed

    def _run(self) -> None:
        while not self._slots.is_closed:
            taken = self._slots.take()
            if taken is None:
                continue
            camera, serialised = taken
            with FaultBarrier(self._processors[camera].fail):
                self._processors[camera].process(serialised)
