"""SegmentMeIfYouCan's component figures: of scores at a threshold, and of a bundle's own masks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Detection
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL
from ood_training.metrics.smiyc_components import (
    ANOMALY_TRACK,
    OBSTACLE_TRACK,
    SizeLimits,
    SmiycComponents,
)

TRACKS = {"smiyc-anomaly": ANOMALY_TRACK, "smiyc-obstacle": OBSTACLE_TRACK}


class ThresholdComponents:
    """Component figures of the scores above one threshold, frame after frame."""

    def __init__(self, limits: SizeLimits, threshold: float) -> None:
        """threshold: the one with the best pixel F1 on the same frames."""
        self._components = SmiycComponents(limits)
        self._threshold = threshold

    def add(self, score: NDArray[Any], labels: NDArray[np.uint8]) -> None:
        """Count one frame: (H, W) scores within float16, and labels with 254 and 255."""
        # Rounded as the benchmark stores scores; compared in full, because NumPy would round the
        # threshold as well, and it may lie between two halves.
        stored = score.astype(np.float16).astype(np.float64)
        _add(self._components, np.asarray(stored > self._threshold), labels)

    def figures(self) -> dict[str, Any]:
        """Figures by their JSON names."""
        return _figures(self._components)


class OwnMaskComponents:
    """Component figures of a bundle's own masks, without and with its meta classifier.

    The masks are the components at the bundle's threshold, all of them or those that are kept.
    Such masks of a method pass no size filter (section 9.3, step 6).
    """

    def __init__(self, limits: SizeLimits) -> None:
        own = SizeLimits(prediction_px=0, object_px=limits.object_px)
        self._without, self._with = SmiycComponents(own), SmiycComponents(own)

    def add(self, detection: Detection, labels: NDArray[np.uint8]) -> None:
        """Count one frame; labels (H, W) uint8 at the image's size, with 254 and 255."""
        kept = [component.label for component in detection.kept]
        regions = detection.component_labels
        _add(self._without, _image_mask(detection, regions > 0), labels)
        _add(self._with, _image_mask(detection, np.isin(regions, kept)), labels)

    def figures(self) -> dict[str, dict[str, Any]]:
        """Figures by their JSON names."""
        return {
            "without_meta_classifier": _figures(self._without),
            "with_meta_classifier": _figures(self._with),
        }


def _image_mask(detection: Detection, grid_mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    assert detection.letterbox is not None
    mask = detection.letterbox.to_image(grid_mask.astype(np.uint8), cv2.INTER_NEAREST)
    return np.asarray(mask > 0)


def _add(
    components: SmiycComponents, predicted: NDArray[np.bool_], labels: NDArray[np.uint8]
) -> None:
    components.add(predicted, labels == OOD_LABEL, labels == IGNORE_LABEL)


def _figures(components: SmiycComponents) -> dict[str, Any]:
    metrics = components.metrics()
    return {
        "sIoU": metrics.mean_siou,
        "PPV": metrics.mean_ppv,
        "F1": metrics.mean_f1,
        "objects": metrics.objects,
        "predictions": metrics.predictions,
    }
