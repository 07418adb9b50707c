"""Measures a bundle on labelled anomaly frames, with the vehicle's own detector."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ood_perception.bundle import Bundle
from ood_perception.detection import Detection
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_training.datasets.frames import FrameDataset
from ood_training.datasets.generated import generated
from ood_training.datasets.smiyc import smiyc
from ood_training.losses import IGNORE_LABEL, OOD_LABEL
from ood_training.meta_components import grid_labels

_BINS = 1 << 16


def open_anomaly_set(root: Path) -> FrameDataset:
    """A folder in SegmentMeIfYouCan's layout or of generated scenes; OodError when neither."""
    if (root / "labels_masks").is_dir():
        return smiyc(root)
    if (root / "classes.yaml").is_file():
        return generated(root)
    raise OodError(
        f"{root}: neither SegmentMeIfYouCan's layout (images, labels_masks) nor a folder of "
        "generated scenes (images, labels, classes.yaml)"
    )


def evaluate_bundle(
    bundle: Bundle,
    dataset: FrameDataset,
    backend: str = "onnxruntime",
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Pixel and component figures of a bundle.

    Pixels: every pixel that is not ignored, pooled over the frames at their own size; average
    precision, AUROC and FPR95 (first threshold with a true-positive rate of at least 0.95), from
    histograms of 65536 bins (section 9.1 of the method's specification). Components: on the
    metrics grid, one common cell makes a hit (section 8.4).
    """
    detector = Detector(bundle, backend)
    histogram = np.zeros((2, _BINS), np.int64)
    counts = {
        "objects": 0, "objects_hit": 0, "objects_hit_after_meta": 0,
        "false_positives_kept": 0, "false_positives_removed": 0, "hits_kept": 0, "hits_removed": 0,
    }  # fmt: skip
    for index in range(len(dataset)):
        image, labels = dataset.load(index)
        detection = detector.detect(image)
        assert detection.letterbox is not None
        score = detection.letterbox.to_image(detection.score, cv2.INTER_LINEAR)
        _add_pixels(histogram, score, labels)
        _add_components(counts, detection, labels)
        on_progress(index + 1, len(dataset))
    return {
        "model": bundle.model_id,
        "data": dataset.name,
        "frames": len(dataset),
        "threshold": bundle.manifest.score.threshold,
        "pixels": pixel_figures(histogram),
        "components": counts,
    }


def pixel_figures(histogram: NDArray[np.int64]) -> dict[str, float]:
    """Figures of (2, bins) pixel counts by score bin: row 0 known pixels, row 1 unknown ones.

    Raises OodError when one of the two kinds does not occur.
    """
    totals = histogram.sum(axis=1)
    if not totals.all():
        raise OodError("pixels of both kinds, known and unknown, are needed for an evaluation")
    bins = np.arange(histogram.shape[1])
    score, truth = np.tile(bins, 2), np.repeat([0, 1], len(bins))
    weight = histogram.ravel()
    used = weight > 0
    score, truth, weight = score[used], truth[used], weight[used]
    rates = roc_curve(truth, score, sample_weight=weight, drop_intermediate=False)
    false_rate, true_rate = rates[0], rates[1]
    average_precision = average_precision_score(truth, score, sample_weight=weight)
    auroc = roc_auc_score(truth, score, sample_weight=weight)
    return {
        "average_precision": round(float(average_precision), 6),
        "auroc": round(float(auroc), 6),
        "fpr95": round(float(false_rate[np.argmax(true_rate >= 0.95 - 1e-12)]), 6),
        "unknown_share": round(float(totals[1] / totals.sum()), 6),
    }


def _add_pixels(
    histogram: NDArray[np.int64], score: NDArray[np.float32], labels: NDArray[np.uint8]
) -> None:
    bins = np.clip((score * _BINS).astype(np.int64), 0, _BINS - 1)
    unknown = labels == OOD_LABEL
    known = ~unknown & (labels != IGNORE_LABEL)
    for row, chosen in enumerate((known, unknown)):
        histogram[row] += np.bincount(bins[chosen], minlength=_BINS)


def _add_components(
    counts: dict[str, int], detection: Detection, labels: NDArray[np.uint8]
) -> None:
    assert detection.letterbox is not None
    truth = grid_labels(labels, detection.letterbox, detection.score.shape)
    unknown = (truth == OOD_LABEL).astype(np.uint8)
    objects = cv2.connectedComponents(unknown, connectivity=8)[1]
    regions = detection.component_labels
    kept_ids = [component.label for component in detection.components if component.kept]
    counts["objects"] += int(objects.max())
    counts["objects_hit"] += len(np.unique(objects[(objects > 0) & (regions > 0)]))
    kept_pixels = np.isin(regions, kept_ids)
    counts["objects_hit_after_meta"] += len(np.unique(objects[(objects > 0) & kept_pixels]))
    hit_ids = set(np.unique(regions[unknown > 0]).tolist())
    inside = set(np.unique(regions[truth != IGNORE_LABEL]).tolist())
    for component in detection.components:
        fate = "kept" if component.kept else "removed"
        if component.label in hit_ids:
            counts[f"hits_{fate}"] += 1
        elif component.label in inside:
            counts[f"false_positives_{fate}"] += 1
