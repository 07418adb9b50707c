"""Pixel figures of several scores on one data set, in one pass over its frames."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.comparison.score_pass import ScorePass
from ood_training.datasets.frames import FrameDataset
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL
from ood_training.metrics.pixel import ScoreHistogram
from ood_training.metrics.pixel_curve import PixelCurve, pixel_metrics, spread_points
from ood_training.metrics.segmentation import confusion_matrix, mean_iou

_POINTS, _DIGITS = 400, 5


def measure_pixels(
    frames: ScorePass,
    dataset: FrameDataset,
    *,
    scores: bool,
    classes: bool,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """``{"scores": {name: {AP, FPR95, AUROC, curve}}, "mIoU": value or None}``.

    scores, classes: what is wanted. Definitions are those of `ood evaluate`: pixels that are not
    ignored, pooled over all frames at image size. curve: ``{"recall", "precision"}`` to draw.

    Raises OodError for labels of one kind of pixel alone or of another size than the scores.
    """
    histograms: dict[str, ScoreHistogram] = {}
    count = dataset.label_map.num_classes
    with_classes = classes and count > 1 and frames.classes == dataset.label_map.classes
    confusion = np.zeros((count, count), np.int64)
    for index in range(len(dataset)):
        image, labels = dataset.load(index)
        seen = frames.look(dataset[index].frame_id, image)
        if scores:
            for name, score in seen.scores.items():
                _add(histograms.setdefault(name, ScoreHistogram()), score, labels)
        if with_classes:
            assert seen.labels is not None
            confusion += confusion_matrix(seen.labels, labels, count)
        on_progress(index + 1, len(dataset))
    try:
        figures = {name: _figures(one.curve()) for name, one in histograms.items()}
    except OodError as error:
        raise OodError(f"{dataset.name}: {error}") from error
    found = mean_iou(confusion)
    return {"scores": figures, "mIoU": None if np.isnan(found) else found}


def _add(histogram: ScoreHistogram, score: NDArray[Any], labels: NDArray[np.uint8]) -> None:
    counted = labels != IGNORE_LABEL
    histogram.add(score[counted], labels[counted] == OOD_LABEL)


def _figures(curve: PixelCurve) -> dict[str, Any]:
    shown = spread_points(curve, _POINTS)
    found, false = curve.found[shown], curve.false[shown]
    return {
        **pixel_metrics(curve).named(),
        "curve": {
            "recall": (found / curve.found[-1]).round(_DIGITS).tolist(),
            "precision": (found / (found + false)).round(_DIGITS).tolist(),
        },
    }
