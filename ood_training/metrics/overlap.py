"""What predicted components and real unknown objects have in common.

Two families of numbers: the overlaps of the method, which tell false positives and false negatives
(the method's specification, section 7.1), and those of the SegmentMeIfYouCan benchmark (9.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentPixels
from ood_perception.errors import OodError


@dataclass(frozen=True, eq=False)
class PredictionOverlap:
    """Predicted components against the unknown pixels; row k is the component of label k + 1.

    common_pixels: (n,) int64, pixels on unknown objects.
    iou: (n,) float64, over the adjusted union: a component is not blamed for an object that other
        components cover, but for all uncovered unknown pixels that touch it.
    false_positive: (n,) bool, no common pixel at all ("iou0").
    """

    common_pixels: NDArray[np.int64]
    iou: NDArray[np.float64]
    false_positive: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class BenchmarkOverlap:
    """SegmentMeIfYouCan's component overlaps, by label: row k belongs to label k + 1.

    object_area, prediction_area: int64 pixels inside the region of interest; 0 for a label that
        does not occur there, and such a row is no component.
    object_found_pixels: int64, predicted pixels on each object.
    siou: (objects,) float64 in [0, 1].
    ppv: (predictions,) float64 in [0, 1], share of each prediction that lies on objects.
    """

    object_area: NDArray[np.int64]
    object_found_pixels: NDArray[np.int64]
    siou: NDArray[np.float64]
    prediction_area: NDArray[np.int64]
    ppv: NDArray[np.float64]

    @property
    def false_negative(self) -> NDArray[np.bool_]:
        """(objects,) bool: objects with no predicted pixel (section 7.1, ground-truth side)."""
        return (self.object_area > 0) & (self.object_found_pixels == 0)


def prediction_overlap(predicted: ComponentPixels, unknown: NDArray[np.bool_]) -> PredictionOverlap:
    """Overlap of every predicted component with the unknown pixels (section 7.1).

    unknown: (H, W) bool on the grid of the prediction. Raises OodError for another shape or dtype.
    """
    _check_shapes(predicted.labels, unknown)
    if unknown.dtype != np.bool_:
        raise OodError(f"the unknown pixels have dtype {unknown.dtype}; give bool")
    on_unknown = unknown[predicted.rows, predicted.columns]
    common = np.bincount(predicted.component[on_unknown], minlength=predicted.count)

    missed = unknown & (predicted.labels == 0)
    parts, missed_labels = cv2.connectedComponents(missed.view(np.uint8), connectivity=8)
    part_area = np.bincount(missed_labels.ravel(), minlength=parts)
    touched = missed_labels.ravel()[predicted.pair_position]
    pairs = np.unique(np.stack([predicted.pair_component, touched])[:, touched > 0], axis=1)
    reachable = np.bincount(pairs[0], part_area[pairs[1]], minlength=predicted.count)

    union = predicted.areas + np.where(common > 0, reachable, 0)
    return PredictionOverlap(common, common / union, common == 0)


def benchmark_overlap(
    predicted_labels: NDArray[np.integer],
    object_labels: NDArray[np.integer],
    region_of_interest: NDArray[np.bool_] | None = None,
) -> BenchmarkOverlap:
    """Overlaps of the SegmentMeIfYouCan benchmark (section 9.3, steps 3 and 4).

    predicted_labels, object_labels: (H, W) integer label maps, 0 background, after the size filters
    of step 2. region_of_interest: (H, W) bool or None for everything; both maps count only there.

    sIoU of object k, with K the union of the predictions that meet k and A the part of K on other
    objects: |k and K| / |(k or K) without A|. PPV of prediction q: |q and all objects| / |q|.
    Raises OodError for shapes that differ.
    """
    _check_shapes(predicted_labels, object_labels)
    predictions, objects = predicted_labels.ravel(), object_labels.ravel()
    prediction_count, object_count = int(predictions.max()), int(objects.max())
    if region_of_interest is not None:
        _check_shapes(predicted_labels, region_of_interest)
        inside = region_of_interest.ravel()
        predictions, objects = predictions[inside], objects[inside]
    prediction_area = np.bincount(predictions, minlength=prediction_count + 1)[1:]
    object_area = np.bincount(objects, minlength=object_count + 1)[1:]

    both = (predictions > 0) & (objects > 0)
    on_objects = np.bincount(predictions[both] - 1, minlength=prediction_count)
    found = np.bincount(objects[both] - 1, minlength=object_count)
    # K without A consists of what lies on k itself and of what lies on no object.
    meetings = np.unique(np.stack([objects[both], predictions[both]]) - 1, axis=1)
    beside = (prediction_area - on_objects)[meetings[1]]
    beside_of_object = np.bincount(meetings[0], beside, minlength=object_count)
    return BenchmarkOverlap(
        object_area=object_area,
        object_found_pixels=found,
        siou=found / np.maximum(object_area + beside_of_object, 1),
        prediction_area=prediction_area,
        ppv=on_objects / np.maximum(prediction_area, 1),
    )


def _check_shapes(first: NDArray[np.generic], second: NDArray[np.generic]) -> None:
    if first.shape != second.shape:
        raise OodError(
            f"label maps have the shapes {first.shape} and {second.shape}; give one grid"
        )
