"""What a detector returns for one image, and what is known of each obstacle component in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.letterbox import Letterbox


class Region(NamedTuple):
    """A rectangle in pixels of the full camera image: left and top inclusive, width, height."""

    x: int
    y: int
    width: int
    height: int


class Reason(NamedTuple):
    """One metric's part in a decision of the meta classifier.

    contribution: in log-odds of "real obstacle"; positive speaks for an obstacle.
    """

    metric: str
    value: float
    contribution: float


@dataclass(frozen=True)
class Component:
    """One connected region of anomalous pixels, measured in the full camera image.

    label: its id in ``Detection.component_labels`` (1..n), valid in this image only.
    region: bounding box, full-image pixels.
    contour: (k, 2) int32, (x, y) of the outer contour, full-image pixels.
    area_px: area in full-image pixels.
    obstacle_probability: 1 - P(false positive) of the meta classifier, in [0, 1].
    kept: whether the meta classifier keeps it.
    mean_score, max_score: anomaly score over the component, in [0, 1].
    lower_edge: (k, 2) float64, (x, y) of the lowest pixel's lower border in every image column
        that the component has, full-image pixels: where it may touch the ground.
    lower_edge_softness: (k,) float64, over how many grid cells the score falls at each point of the
        lower edge (``edge_softness``); empty where it was not measured.
    road_border_share: share in [0, 1] of the pixels around it that are labelled as road.
    reasons: the metrics that decided most, by falling |contribution|.
    """

    label: int
    region: Region
    contour: NDArray[np.int32]
    area_px: float
    obstacle_probability: float
    kept: bool
    mean_score: float
    max_score: float
    lower_edge: NDArray[np.float64]
    road_border_share: float
    reasons: tuple[Reason, ...] = ()
    lower_edge_softness: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Detection:
    """All that was seen in one image.

    image_size: (height, width) of the camera image.
    labels: (h, w) uint8 class ids on the bundle's metrics grid.
    score: (h, w) float32 anomaly score in [0, 1] on the same grid.
    component_labels: (h, w) int32, 0 background, 1..n the components in raster order.
    components: the n components, kept and rejected ones.
    letterbox: where the grid lies in the image; None when the grid is the image itself.
    stage_seconds: time spent in each stage, by its name; of images that were detected together,
        preprocess and network are the time of all of them.
    left_out: how many further components there were, all smaller than these; not 0 only in a frame
        with more of them than the detector was told to look at.
    """

    image_size: tuple[int, int]
    labels: NDArray[np.uint8]
    score: NDArray[np.float32]
    component_labels: NDArray[np.int32]
    components: tuple[Component, ...]
    letterbox: Letterbox | None = None
    stage_seconds: dict[str, float] = field(default_factory=dict)
    left_out: int = 0

    @property
    def kept(self) -> tuple[Component, ...]:
        """The components that the meta classifier takes for real obstacles."""
        return tuple(component for component in self.components if component.kept)

    @property
    def rejected(self) -> tuple[Component, ...]:
        """The components that the meta classifier takes for false positives."""
        return tuple(component for component in self.components if not component.kept)

    def image_labels(self) -> NDArray[np.uint8]:
        """(H, W) uint8 class ids of the camera image's size."""
        return np.asarray(self._to_image(self.labels, cv2.INTER_NEAREST), np.uint8)

    def image_score(self) -> NDArray[np.float32]:
        """(H, W) float32 anomaly score in [0, 1] of the camera image's size."""
        score = np.asarray(self._to_image(self.score, cv2.INTER_LINEAR), np.float32)
        return np.clip(score, 0.0, 1.0, out=score)

    def _to_image(self, grid_map: NDArray[Any], interpolation: int) -> NDArray[Any]:
        if self.letterbox is None:
            height, width = self.image_size
            return cv2.resize(grid_map, (width, height), interpolation=interpolation)
        return self.letterbox.to_image(grid_map, interpolation)
