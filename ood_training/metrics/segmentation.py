"""How well the known classes are segmented: confusion matrix and intersection over union."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL

IGNORED_LABELS = (OOD_LABEL, IGNORE_LABEL)


def confusion_matrix(
    predicted: NDArray[np.integer],
    labels: NDArray[np.integer],
    num_classes: int,
    ignored_labels: Collection[int] = IGNORED_LABELS,
) -> NDArray[np.int64]:
    """(C, C) int64 pixel counts, rows true and columns predicted; add those of several images.

    predicted: class ids 0..C-1. labels: the same shape; pixels with an ignored label, 254 (unknown
        object) and 255 by default, count nowhere.
    Raises OodError for shapes that differ and for ids that are neither classes nor ignored.
    """
    if predicted.shape != labels.shape:
        raise OodError(
            f"predicted classes have shape {predicted.shape} but the labels {labels.shape}; "
            "give both on one grid"
        )
    counted = ~np.isin(labels, list(ignored_labels))
    true = labels[counted].astype(np.int64)
    guess = predicted[counted].astype(np.int64)
    for name, ids in (("label", true), ("predicted class", guess)):
        if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
            wrong = ids[(ids < 0) | (ids >= num_classes)][0]
            raise OodError(
                f"{name} {wrong} is none of the {num_classes} classes; map it or ignore it"
            )
    pairs = np.bincount(true * num_classes + guess, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


def class_ious(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """(C,) intersection over union in [0, 1]; NaN for a class neither labelled nor predicted."""
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(axis=0) + confusion.sum(axis=1) - hits
    return np.divide(hits, union, out=np.full_like(hits, np.nan), where=union > 0)


def mean_iou(confusion: NDArray[np.int64]) -> float:
    """Mean over the classes that occur; NaN when nothing was counted."""
    ious = class_ious(confusion)
    occurring = ious[~np.isnan(ious)]
    return float(occurring.mean()) if occurring.size else float("nan")
