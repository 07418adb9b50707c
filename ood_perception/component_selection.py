"""Components left out before anything is computed about them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentPixels, component_pixels


def select_components(pixels: ComponentPixels, chosen: NDArray[np.bool_]) -> ComponentPixels:
    """The chosen ones, (count,) bool, labelled anew in raster order; the others are background."""
    if chosen.all():
        return pixels
    return component_pixels(np.append(False, chosen)[pixels.labels])


def largest_components(pixels: ComponentPixels, most: int) -> ComponentPixels:
    """The `most` components with the most pixels; of equals those that come first.

    A frame of noise has thousands of them, most a pixel large. Each costs time of its own, and an
    emergency brake cannot wait for them.
    """
    if pixels.count <= most:
        return pixels
    chosen = np.zeros(pixels.count, bool)
    chosen[np.argsort(-pixels.areas, kind="stable")[:most]] = True
    return select_components(pixels, chosen)
