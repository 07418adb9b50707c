"""One detector for all cameras: several images in one call where the engine gains by it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Detection
from ood_perception.errors import BackendError
from ood_perception.ros.fault_barrier import FaultBarrier, one_line
from ood_perception.ros.model_loading import LoadedDetector

Images = Sequence[NDArray[np.uint8]]


class Answer(NamedTuple):
    """What the detector said about one image, or the fault that it raised.

    seconds: that the call took in which it was said, all of that call's images included.
    """

    detection: Detection | None
    fault: Exception | None
    seconds: float


class SharedDetector:
    """Answers each image by itself: a fault of one never costs another its answer.

    most: images that go into one call. report: told in one line of a call of several images that
    failed although each of them alone did not.
    """

    def __init__(
        self,
        detector: LoadedDetector,
        most: int = 1,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.most = most
        self._detector = detector
        self._report = report

    def answer(self, images: Images) -> list[Answer]:
        """An answer for each image, (H,W,3) uint8 BGR, in their order."""
        told = ""
        if len(images) > 1:
            together = self._call(lambda: detect_batch(self._detector, images), len(images))
            fault = together[0].fault
            if fault is None:
                return together
            # Whichever image it was: each is tried by itself, and the fault told of that one.
            told = f"{len(images)} images in one call, but not alone: {one_line(fault)}"
            del together, fault
        alone = [self._call(partial(self._detect, image), 1)[0] for image in images]
        if told and all(answer.fault is None for answer in alone):
            self._report(told)
        return alone

    def _detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        return [self._detector.detect(image)]

    def _call(self, work: Callable[[], Sequence[Detection]], number: int) -> list[Answer]:
        """One call of the detector, and the answer to each of so many images."""
        started, faults = perf_counter(), list[Exception]()
        found: Sequence[Detection | None] = [None] * number
        with FaultBarrier(faults.append):
            found = work()
        seconds = perf_counter() - started
        try:
            return [Answer(detection, next(iter(faults), None), seconds) for detection in found]
        finally:
            faults.clear()  # it holds this call by its traceback: a circle would keep the images


def detect_batch(detector: Any, images: Images) -> Sequence[Detection]:
    """An answer for each of several images, of one call.

    Raises BackendError where the detector or its graph cannot, or another number of answers came.
    """
    method = getattr(detector, "detect_batch", None)
    if method is None:
        raise BackendError("this detector takes one image at a time")
    found: Sequence[Detection] = method(images)
    if len(found) != len(images):
        raise BackendError(f"the detector gave {len(found)} answers to {len(images)} images")
    return found


def images_at_once(detector: LoadedDetector, cameras: int, wanted: int) -> int:
    """How many images go into one call, tried out on grey ones.

    wanted: the parameter max_batch; 0 lets the device decide: a processor's cores have nothing to
    gain from a batch, and its first image would wait for the last. An engine that takes no batch
    gets one image at a time, whatever is wanted.
    """
    if wanted == 0:
        wanted = 1 if "CPU" in detector.device else cameras
    most = min(wanted, cameras)
    if most < 2:
        return 1
    network = detector.bundle.manifest.network
    grey = np.full((network.input_height, network.input_width, 3), 127, dtype=np.uint8)
    try:
        detect_batch(detector, [grey] * most)
    except BackendError:
        return 1
    return most
