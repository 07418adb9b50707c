"""What can be told of connected regions, and what was decided about them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentPixels, road_border_share
from ood_perception.component_shapes import component_shapes
from ood_perception.detection import Component, Reason
from ood_perception.edge_softness import edge_softness
from ood_perception.letterbox import Letterbox


@dataclass(frozen=True, eq=False)
class Judgement:
    """What was decided about n components; without one they are kept, probability unknown.

    obstacle_probability: (n,) float64 in [0, 1]. kept: (n,) bool.
    reasons: of each one. edge_threshold: the score's, for the softness of the lower edges.
    """

    obstacle_probability: NDArray[np.float64]
    kept: NDArray[np.bool_]
    reasons: Sequence[tuple[Reason, ...]]
    edge_threshold: float


def describe_components(
    pixels: ComponentPixels,
    letterbox: Letterbox,
    score: NDArray[np.floating],
    labels: NDArray[np.uint8],
    road_classes: Collection[int],
    judgement: Judgement | None = None,
) -> tuple[Component, ...]:
    """Each region as a component, in the order of their labels.

    score: (h, w) float anomaly score. labels: (h, w) uint8 class ids, on the same grid.
    Without a judgement the components are kept, their obstacle_probability is NaN, there are no
    reasons, and the softness of their lower edges is not measured.
    """
    if pixels.count == 0:
        return ()
    shapes = component_shapes(pixels, letterbox)
    scores = score[pixels.rows, pixels.columns]
    mean_score = np.add.reduceat(scores, pixels.starts[:-1], dtype=np.float64) / pixels.areas
    max_score = np.maximum.reduceat(scores, pixels.starts[:-1]).astype(np.float64)
    area_px = pixels.areas * float(np.prod(letterbox.cell_size_px))
    nothing = [()] * pixels.count
    softness: Sequence[NDArray[np.float64]] = [np.zeros(0)] * pixels.count
    if judgement is not None:
        measured = edge_softness(score, shapes.lowest_cells, judgement.edge_threshold)
        softness = np.split(measured, shapes.edge_ends)
    columns = (
        range(1, pixels.count + 1),
        shapes.regions,
        shapes.contours,
        area_px.tolist(),
        [nan] * pixels.count if judgement is None else judgement.obstacle_probability.tolist(),
        [True] * pixels.count if judgement is None else judgement.kept.tolist(),
        mean_score.tolist(),
        max_score.tolist(),
        shapes.lower_edges,
        road_border_share(pixels, labels, road_classes).tolist(),
        nothing if judgement is None else judgement.reasons,
        softness,
    )
    return tuple(Component(*fields) for fields in zip(*columns, strict=True))
