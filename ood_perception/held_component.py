"""What a held obstacle would look like now: its last component, moved and scaled with its place."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component, Region


def moved_component(
    component: Component,
    foot_before_px: NDArray[np.float64],
    foot_now_px: NDArray[np.float64],
    scale: float,
    image_size: tuple[int, int],
) -> Component:
    """The component about its foot, cut at the image; label 0, as no pixel of this image is its.

    foot_before_px, foot_now_px: (2,) float64 (x, y); where one is not finite nothing moves.
    scale: how much larger it looks now. image_size: (height, width) in pixels.
    What has left the image keeps one pixel at its edge.
    """
    component = replace(component, label=0)
    if not (np.isfinite(foot_before_px).all() and np.isfinite(foot_now_px).all()):
        return component
    height, width = image_size

    def move(points: NDArray[np.generic], most: tuple[int, int]) -> NDArray[np.float64]:
        moved = (np.asarray(points, np.float64) - foot_before_px) * scale + foot_now_px
        return np.clip(moved, 0, most)

    x, y, w, h = component.region
    corners = np.rint(move(np.array([[x, y], [x + w, y + h]]), (width, height))).astype(int)
    left, top = np.minimum(corners[0], (width - 1, height - 1)).tolist()
    right, bottom = np.maximum(corners[1], (left + 1, top + 1)).tolist()
    return replace(
        component,
        region=Region(left, top, right - left, bottom - top),
        contour=move(component.contour, (width - 1, height - 1)).astype(np.int32),
        lower_edge=move(component.lower_edge, (width, height)),
        area_px=component.area_px * scale**2,
    )
