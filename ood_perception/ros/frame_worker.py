"""The one thread that works on frames, so that the executor stays free to receive them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Thread
from time import monotonic
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ood_perception.ros.batching import Answer, SharedDetector
from ood_perception.ros.fault_barrier import FaultBarrier
from ood_perception.ros.frame_slot import FrameSlots
from ood_perception.ros.received_frame import ReceivedFrame, is_overtaken

# Shorter than what ros2 launch grants a process between SIGINT and SIGKILL.
_JOIN_TIMEOUT_S = 5.0


class FrameProcessor(Protocol):
    """What is done with the frames of one camera."""

    def prepare(self, frame: ReceivedFrame) -> Any | None:
        """Gives a frame with its ``image`` for the detector, or accounts for one without use."""

    def complete(self, prepared: Any, answer: Answer) -> None:
        """Publishes what follows from the detector's answer, and accounts for the frame."""

    def fail(self, fault: Exception) -> None:
        """Accounts for a frame whose processing raised a fault."""

    def overwrite(self) -> None:
        """Accounts for a frame that a newer one replaced."""

    def discard(self) -> None:
        """Accounts for a frame that came too late to be worked on."""


class _Turn(NamedTuple):
    processor: FrameProcessor
    prepared: Any

    @property
    def image(self) -> NDArray[np.uint8]:
        image: NDArray[np.uint8] = self.prepared.image
        return image


class FrameWorker:
    """Takes the newest frames of the cameras in turn and has them processed.

    report: told of faults that no frame can be charged with. catch_up: called before frames are
    taken; gives those that have arrived and that the executor has not come to yet.
    """

    def __init__(
        self,
        processors: Mapping[str, FrameProcessor],
        detector: SharedDetector,
        report: Callable[[Exception], None],
        catch_up: Callable[[], None] = lambda: None,
    ) -> None:
        self._processors = processors
        self._detector = detector
        self._report = report
        self._catch_up = catch_up
        self._slots: FrameSlots[ReceivedFrame] = FrameSlots(processors, is_overtaken)
        self._thread = Thread(target=self._run, name="ood_frame_worker", daemon=True)

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def give(self, camera: str, serialised: bytes) -> None:
        """Leaves a frame to be worked on, instead of the one that may still wait."""
        frame = ReceivedFrame(serialised, monotonic())
        replaced = self._slots.put(camera, frame)
        if replaced is frame and self._slots.is_closed:
            self._processors[camera].discard()
        elif replaced is not None:
            self._processors[camera].overwrite()

    def stop(self) -> bool:
        """Ends the thread after the frames at hand; False when they do not end."""
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
            if self._slots.wait():
                with FaultBarrier(self._report):
                    self._catch_up()
            with FaultBarrier(self._report):
                self._work(self._slots.take(most=self._detector.most))

    def _work(self, taken: list[tuple[str, ReceivedFrame]]) -> None:
        turns = []
        for camera, frame in taken:
            processor = self._processors[camera]
            with FaultBarrier(processor.fail):
                prepared = processor.prepare(frame)
                if prepared is not None:
                    turns.append(_Turn(processor, prepared))
        if not turns:
            return
        answers = self._detector.answer([turn.image for turn in turns])
        # A fault holds this call by its traceback. Did this call hold the fault, both and the
        # images would stay until Python looks for such circles.
        while turns:
            self._finish(turns.pop(0), answers.pop(0))

    def _finish(self, turn: _Turn, answer: Answer) -> None:
        if answer.fault is not None:
            turn.processor.fail(answer.fault)
            return
        with FaultBarrier(turn.processor.fail):
            turn.processor.complete(turn.prepared, answer)
