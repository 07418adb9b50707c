"""Regions of classes that the model knows (people, vehicles), for a planner's cloud to hold too.

A region of one class may be many things: parked cars from the next bumper to the end of the street.
Its nearest point says nothing of its other end, so each region is also cut into upright strips, of
which each has a foot of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil

import numpy as np

from ood_perception.bundle import Manifest, NetworkSpec
from ood_perception.component_description import describe_components
from ood_perception.component_labels import component_pixels
from ood_perception.component_selection import select_components
from ood_perception.detection import Component, Detection, Region
from ood_perception.errors import OodError
from ood_perception.letterbox import Letterbox


class KnownClassError(OodError):
    """A class that cannot be taken for an obstacle."""


@dataclass(frozen=True)
class KnownObstacleSettings:
    """classes: names of the model's classes that are obstacles too; none by default.
    min_area_px: smaller regions are left out, square pixels of the camera image.
    strip_width_px: a region is cut into strips of at most this width (or one column of the grid).
    """

    classes: tuple[str, ...] = ()
    min_area_px: float = 150.0
    strip_width_px: float = 32.0


@dataclass(frozen=True, eq=False)
class KnownRegion:
    """One connected region of one class.

    whole: as a component without meta classification: kept, its obstacle_probability is NaN.
    strips: the same cut from left to right; region and lower_edge are each strip's own, contour is
        its box, everything else is of the whole.
    """

    whole: Component
    strips: tuple[Component, ...]


def known_class_ids(manifest: Manifest, names: Sequence[str]) -> tuple[int, ...]:
    """The ids of the named classes of a model, each once, in rising order.

    Raises KnownClassError for a name that the model does not have or that it drives on.
    """
    of_model = [entry.name for entry in manifest.classes]
    for name in names:
        if name not in of_model:
            raise KnownClassError(
                f"known_obstacle_classes: {name!r} is not a class of {manifest.name}; "
                f"its classes are {', '.join(of_model)}"
            )
        if of_model.index(name) in manifest.road_classes:
            raise KnownClassError(
                f"known_obstacle_classes: {name!r} is what {manifest.name} drives on; leave it out"
            )
    return tuple(sorted({of_model.index(name) for name in names}))


def known_regions(
    detection: Detection,
    class_ids: Sequence[int],
    road_classes: Sequence[int],
    settings: KnownObstacleSettings | None = None,
) -> tuple[KnownRegion, ...]:
    """Every region of these classes that is large enough; two classes never make one region."""
    settings = settings or KnownObstacleSettings()
    letterbox = detection.letterbox or _grid_of_the_image(detection)
    return tuple(
        KnownRegion(whole, _strips(whole, settings.strip_width_px))
        for class_id in class_ids
        for whole in _regions_of_class(
            detection, class_id, road_classes, letterbox, settings.min_area_px
        )
    )


def _regions_of_class(
    detection: Detection,
    class_id: int,
    road_classes: Sequence[int],
    letterbox: Letterbox,
    min_area_px: float,
) -> tuple[Component, ...]:
    cell_area_px = float(np.prod(letterbox.cell_size_px))
    pixels = component_pixels(detection.labels == class_id)
    pixels = select_components(pixels, pixels.areas >= min_area_px / cell_area_px)
    return describe_components(pixels, letterbox, detection.score, detection.labels, road_classes)


def _strips(whole: Component, width_px: float) -> tuple[Component, ...]:
    edge = whole.lower_edge
    parts = np.array_split(edge, min(len(edge), ceil(whole.region.width / width_px)))
    # A connected region has every column between its ends: strips meet halfway between columns.
    ends = [(left[-1, 0] + right[0, 0]) / 2 for left, right in pairwise(parts)]
    borders = np.rint([whole.region.x, *ends, whole.region.x + whole.region.width]).astype(int)
    strips = []
    for part, left, right in zip(parts, borders, borders[1:], strict=False):
        top = whole.region.y
        width, height = max(1, int(right - left)), max(1, int(np.rint(part[:, 1].max())) - top)
        x, y = np.array([[left, top], [left + width, top + height]]).T
        box = np.array([[x[0], y[0]], [x[1], y[0]], [x[1], y[1]], [x[0], y[1]]], np.int32)
        region = Region(int(left), top, width, height)
        strips.append(replace(whole, region=region, contour=box, lower_edge=part))
    return tuple(strips)


def _grid_of_the_image(detection: Detection) -> Letterbox:
    """For a detection on the image's own pixels, which comes without a letterbox."""
    height, width = detection.image_size
    rows, columns = detection.labels.shape
    network = NetworkSpec(
        file="none", input_height=height, input_width=width, grid_height=rows, grid_width=columns
    )
    return Letterbox.fit(network, height, width)
