"""What can be told of connected regions before anything decides about them."""

from __future__ import annotations

from collections.abc import Collection
from math import nan

import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentPixels, road_border_share
from ood_perception.component_shapes import ComponentShape, component_shapes
from ood_perception.detection import Component
from ood_perception.letterbox import Letterbox


def describe_components(
    pixels: ComponentPixels,
    letterbox: Letterbox,
    score: NDArray[np.floating],
    labels: NDArray[np.uint8],
    road_classes: Collection[int],
) -> list[tuple[Component, ComponentShape]]:
    """Each region as a component that nothing has judged yet, with its shape.

    score: (h, w) float anomaly score. labels: (h, w) uint8 class ids, on the same grid.
    The components are kept, their obstacle_probability is NaN and there are no reasons.
    """
    if pixels.count == 0:
        return []
    road_share = road_border_share(pixels, labels, road_classes)
    scores = score[pixels.rows, pixels.columns]
    mean_score = np.add.reduceat(scores, pixels.starts[:-1], dtype=np.float64) / pixels.areas
    max_score = np.maximum.reduceat(scores, pixels.starts[:-1])
    area_px = pixels.areas * float(np.prod(letterbox.cell_size_px))
    return [
        (
            Component(
                label=k + 1,
                region=shape.region,
                contour=shape.contour,
                area_px=float(area_px[k]),
                obstacle_probability=nan,
                kept=True,
                mean_score=float(mean_score[k]),
                max_score=float(max_score[k]),
                lower_edge=shape.lower_edge,
                road_border_share=float(road_share[k]),
            ),
            shape,
        )
        for k, shape in enumerate(component_shapes(pixels, letterbox))
    ]
