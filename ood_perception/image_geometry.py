"""Everything that turns components of one image into places: camera, mounting, own vehicle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraModel, Mounting
from ood_perception.depth_placement import DepthView, place_by_depth
from ood_perception.detection import Component, Detection
from ood_perception.ego_mask import EgoMask
from ood_perception.ground_plane import (
    GroundPlaneSettings,
    Placement,
    is_above_horizon,
    is_beyond_range,
    place,
)
from ood_perception.held_component import moved_component
from ood_perception.manifest import ContactSpec
from ood_perception.visible_ground import VisibleGround


@dataclass(frozen=True, eq=False)
class ImageGeometry:
    """The geometry of one image.

    camera: of this image's size. cell_px: image pixels per cell of the grid on which components
    were found. settings: with what calibration says of components' lower edges. depth: measured
    distances in the camera's view, used before the ground plane where they show the obstacle.
    """

    camera: CameraModel
    mounting: Mounting
    cell_px: float
    settings: GroundPlaneSettings
    ego_mask: EgoMask | None = None
    depth: DepthView | None = None

    def place(self, component: Component) -> Placement | None:
        """Where a component stands; None where that cannot be said, or it is the own vehicle."""
        if self.is_own_vehicle(component):
            return None
        seen = (component, self.camera, self.mounting, self.settings)
        by_plane = place(*seen, self.cell_px, self._lowest_rows)
        if self.depth is None:
            return by_plane
        return place_by_depth(*seen, self.depth, by_plane) or by_plane

    def is_own_vehicle(self, component: Component) -> bool:
        """Whether the component is a part of the own vehicle."""
        if self.ego_mask is None:
            return False
        width, height = self.camera.width, self.camera.height
        return self.ego_mask.covers(component.region, width, height, component.contour)

    def is_out_of_reach(self, component: Component) -> bool:
        """Whether a component without a place is known not to stand on the road within range."""
        known = (component, self.camera, self.mounting, self.settings)
        return self.is_own_vehicle(component) or is_beyond_range(*known) or is_above_horizon(*known)

    def hides(self, position: NDArray[np.float64]) -> bool:
        """Whether a ground point, (2,) metres, is nearer than what the camera sees."""
        return self._visible_ground.hides(position)

    def move(self, component: Component, before: Placement, now: Placement) -> Component:
        """A component that was seen at one place, as it would be seen at another."""
        scale = self._camera_distance_m(before) / max(self._camera_distance_m(now), 0.1)
        return moved_component(
            component,
            self._foot_px(before),
            self._foot_px(now),
            scale,
            (self.camera.height, self.camera.width),
        )

    def _foot_px(self, placement: Placement) -> NDArray[np.float64]:
        point = placement.position - self.mounting.translation
        return self.camera.project(point @ self.mounting.rotation)[0]

    def _camera_distance_m(self, placement: Placement) -> float:
        return float(np.linalg.norm(placement.position - self.mounting.translation))

    @cached_property
    def _lowest_rows(self) -> NDArray[np.float64] | None:
        if self.ego_mask is None:
            return None
        return self.ego_mask.lowest_rows(self.camera.width, self.camera.height)

    @cached_property
    def _visible_ground(self) -> VisibleGround:
        return VisibleGround(self.camera, self.mounting, self._lowest_rows)


class ImageGeometries:
    """The geometry of each image of one camera; the last one again where nothing has changed.

    contact: what the model's calibration says of components' lower edges.
    """

    def __init__(
        self, settings: GroundPlaneSettings, contact: ContactSpec, ego_mask: EgoMask | None
    ) -> None:
        self._settings, self._contact, self._ego_mask = settings, contact, ego_mask
        self._last: tuple[Any, ImageGeometry] | None = None

    def of(
        self, camera: CameraModel, mounting: Mounting, cell_px: float, depth: DepthView | None
    ) -> ImageGeometry:
        """The geometry of an image; for the arguments see ``ImageGeometry``."""
        made_of = (camera, mounting, cell_px, depth)
        if self._last is None or self._last[0] != made_of:
            settings = calibrated(self._settings, self._contact, cell_px)
            made = ImageGeometry(camera, mounting, cell_px, settings, self._ego_mask, depth)
            self._last = made_of, made
        return self._last[1]


def grid_cell_px(detection: Detection) -> float:
    """Image rows per row of the grid on which the components were found; at least 1."""
    if detection.letterbox is not None:
        return max(1.0, detection.letterbox.cell_size_px[0])
    return max(1.0, detection.image_size[0] / max(1, detection.score.shape[0]))


def calibrated(
    settings: GroundPlaneSettings, contact: ContactSpec, cell_px: float
) -> GroundPlaneSettings:
    """The settings with what the model's calibration says of components' lower edges."""
    return replace(
        settings,
        contact_offset_px=settings.contact_offset_px + contact.offset_cells * cell_px,
        contact_stddev_cells=contact.stddev_cells,
        contact_sharp_cells=contact.sharp_cells,
        contact_softness_gain=contact.softness_gain,
    )
