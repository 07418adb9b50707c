"""Where the anomaly score of a frame comes from: a bundle, a checkpoint, or files."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Detection


class ScoredFrame(NamedTuple):
    """What a source says about one frame, at the image's own size.

    score: (H, W) float or integer, higher = more anomalous; no NaN.
    labels: (H, W) uint8 class ids, None where the source knows no classes.
    detection: the components, None where the source finds none.
    """

    score: NDArray[Any]
    labels: NDArray[np.uint8] | None = None
    detection: Detection | None = None


class SeenFrame(NamedTuple):
    """Several scores of one frame, at the image's own size.

    scores: name -> (H, W) floats, higher = stranger. labels: as in ``ScoredFrame``.
    """

    scores: dict[str, NDArray[Any]]
    labels: NDArray[np.uint8] | None


class ScoreSource(Protocol):
    """Something that scores frames.

    model: what scores, for the record.
    score_name: which score, for the record.
    classes: names by id of the classes in ``ScoredFrame.labels``; None without labels.
    needs_image: whether ``score_frame`` looks at the image.
    has_meta_classifier: whether the detections are judged, so that some components are dropped.
    """

    model: str
    score_name: str
    classes: tuple[str, ...] | None
    needs_image: bool
    has_meta_classifier: bool

    def score_frame(self, frame_id: str, image: NDArray[np.uint8] | None) -> ScoredFrame:
        """Score one frame; image (H, W, 3) uint8 BGR, None when it is not needed."""
        ...
