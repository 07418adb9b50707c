"""SegmentMeIfYouCan's component metrics (the method's specification, section 9.3).

How well whole objects are found, and how much of what is reported lies on objects: large and small
ones count alike, unlike in the pixel metrics.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.metrics.overlap import BenchmarkOverlap, benchmark_overlap

# A quotient that equals one of these is the same float64: both are correctly rounded, so ties are
# decided as for exact fractions.
_OVERLAPS_DEMANDED = np.arange(5, 16) / 20


@dataclass(frozen=True)
class SizeLimits:
    """Components of fewer pixels than these do not count.

    prediction_px: smaller predicted components are removed.
    object_px: smaller objects are ignored, with all of their pixels.
    """

    prediction_px: int
    object_px: int


ANOMALY_TRACK = SizeLimits(prediction_px=500, object_px=100)
OBSTACLE_TRACK = SizeLimits(prediction_px=50, object_px=10)


@dataclass(frozen=True)
class SmiycComponentMetrics:
    """The benchmark's component figures over a data set.

    mean_siou: mean sIoU of all objects, in [0, 1]; None when no object counts.
    mean_ppv: mean share of each predicted component that lies on objects, in [0, 1]; 0 when
        nothing is predicted.
    mean_f1: mean over the demanded overlaps 0.25, 0.30, ... 0.75 of 2 TP / (2 TP + FN + FP), in
        [0, 1]; None when no object counts.
    objects, predictions: how many of each counted.
    """

    mean_siou: float | None
    mean_ppv: float
    mean_f1: float | None
    objects: int
    predictions: int


class SmiycComponents:
    """Collects masks of one image after another; only sums are kept."""

    def __init__(self, limits: SizeLimits) -> None:
        self._limits = limits
        self._siou_sum = self._ppv_sum = 0.0
        self._objects = self._predictions = 0
        self._found: NDArray[np.int64] = np.zeros(_OVERLAPS_DEMANDED.size, np.int64)
        self._false: NDArray[np.int64] = np.zeros(_OVERLAPS_DEMANDED.size, np.int64)

    def add(
        self, predicted: NDArray[np.bool_], unknown: NDArray[np.bool_], ignored: NDArray[np.bool_]
    ) -> None:
        """Count one image: three (H, W) bool masks; no pixel is both unknown and ignored.

        Raises OodError for shapes that differ.
        """
        overlap = smiyc_overlap(predicted, unknown, ignored, self._limits)
        siou = overlap.siou[overlap.object_area > 0]
        ppv = overlap.ppv[overlap.prediction_area > 0]
        self._siou_sum += float(siou.sum())
        self._ppv_sum += float(ppv.sum())
        self._objects += siou.size
        self._predictions += ppv.size
        self._found += (siou >= _OVERLAPS_DEMANDED[:, None]).sum(axis=1)
        self._false += (ppv < _OVERLAPS_DEMANDED[:, None]).sum(axis=1)

    def metrics(self) -> SmiycComponentMetrics:
        """The figures of all images so far."""
        missed = self._objects - self._found
        f1 = 2 * self._found / np.maximum(2 * self._found + missed + self._false, 1)
        return SmiycComponentMetrics(
            mean_siou=self._siou_sum / self._objects if self._objects else None,
            mean_ppv=self._ppv_sum / max(self._predictions, 1),
            mean_f1=float(f1.mean()) if self._objects else None,
            objects=self._objects,
            predictions=self._predictions,
        )


def smiyc_overlap(
    predicted: NDArray[np.bool_],
    unknown: NDArray[np.bool_],
    ignored: NDArray[np.bool_],
    limits: SizeLimits,
) -> BenchmarkOverlap:
    """Overlaps of one image's 8-connected components after the size filters (9.3, steps 1 to 4).

    predicted, unknown, ignored: (H, W) bool. Rows of the result whose area is 0 are no components:
    they were too small or lie wholly on ignored pixels. Raises OodError for shapes that differ.
    """
    if not predicted.shape == unknown.shape == ignored.shape:
        raise OodError(
            f"predicted, unknown and ignored pixels have the shapes {predicted.shape}, "
            f"{unknown.shape} and {ignored.shape}; give one grid"
        )
    predictions = _labels(predicted & ~ignored)
    predictions[_is_smaller(predictions, limits.prediction_px)] = 0
    objects = _labels(unknown)
    inside = ~(ignored | _is_smaller(objects, limits.object_px))
    return benchmark_overlap(predictions, objects, inside)


def _labels(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    mask8 = np.ascontiguousarray(mask).view(np.uint8)
    return np.asarray(cv2.connectedComponents(mask8, connectivity=8)[1], np.int32)


def _is_smaller(labels: NDArray[np.int32], limit: int) -> NDArray[np.bool_]:
    """(H, W) bool: pixels of components with fewer pixels than the limit; never background."""
    small = np.bincount(labels.ravel()) < limit
    small[0] = False
    return np.asarray(small[labels])
