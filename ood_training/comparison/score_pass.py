"""Several anomaly scores of a frame from one run of the network."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ood_training.score_source import ScoreSource, SeenFrame


class ScorePass(Protocol):
    """Looks at one frame after another, as ``CheckpointScores`` does.

    classes: names by id of the labels, or None.
    """

    classes: tuple[str, ...] | None

    def look(self, frame_id: str, image: NDArray[np.uint8]) -> SeenFrame:
        """All scores of (H, W, 3) uint8 BGR."""
        ...


class SourcePass:
    """The one score of a source: a bundle's, or that of Monte-Carlo dropout."""

    def __init__(self, source: ScoreSource) -> None:
        self._source = source
        self.classes = source.classes

    def look(self, frame_id: str, image: NDArray[np.uint8]) -> SeenFrame:
        """The score of (H, W, 3) uint8 BGR, as the source gives it."""
        seen = self._source.score_frame(frame_id, image)
        return SeenFrame({self._source.score_name: seen.score}, seen.labels)
