"""Scores of a bundle, with the vehicle's own detector."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import Bundle
from ood_perception.detector import Detector
from ood_training.score_source import ScoredFrame


class BundleScores:
    """A score source: what the detector answers, brought from the metrics grid to image size."""

    needs_image = True

    def __init__(self, bundle: Bundle, backend: str = "onnxruntime") -> None:
        """Load the bundle into a detector; raises what ``Detector`` raises."""
        self._detector = Detector(bundle, backend)
        self.model = bundle.model_id
        self.has_meta_classifier = bundle.manifest.meta_classifier is not None
        self.score_name: str = bundle.manifest.score.name
        self.classes: tuple[str, ...] | None = tuple(one.name for one in bundle.manifest.classes)

    def score_frame(self, frame_id: str, image: NDArray[np.uint8] | None) -> ScoredFrame:
        """Detect in (H, W, 3) uint8 BGR: score linear, labels nearest, components on the grid."""
        assert image is not None
        detection = self._detector.detect(image)
        assert detection.letterbox is not None
        return ScoredFrame(
            np.clip(detection.letterbox.to_image(detection.score, cv2.INTER_LINEAR), 0.0, 1.0),
            detection.letterbox.to_image(detection.labels, cv2.INTER_NEAREST),
            detection,
        )
