"""How near the ground is that a camera still sees: below it an obstacle is hidden, not gone."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraModel, Mounting
from ood_perception.ground_projection import ground_points, left_of

_COLUMNS = 17
_MARGIN = 1.05


class VisibleGround:
    """The nearest ground in view, over the directions that the image's lower edge looks into.

    camera, mounting: of the image. lowest_rows: (W,) float, the first row below each column's last
    visible pixel, where the own vehicle covers the rest; None for the image's own lower edge.
    """

    def __init__(
        self,
        camera: CameraModel,
        mounting: Mounting,
        lowest_rows: NDArray[np.float64] | None = None,
    ) -> None:
        columns = np.linspace(0, camera.width - 1, _COLUMNS)
        rows = np.full(_COLUMNS, camera.height - 0.5)
        if lowest_rows is not None:
            rows = lowest_rows[np.rint(columns).astype(int)] - 0.5
        points = ground_points(np.column_stack([columns, rows]), camera, mounting)
        self._foot = mounting.translation[:2]
        self._ahead = mounting.rotation[:2, 2]
        bearings, distances = self._polar(points)
        seen = np.isfinite(distances)
        order = np.argsort(bearings[seen])
        self._bearings, self._distances = bearings[seen][order], distances[seen][order]

    def hides(self, position: NDArray[np.float64]) -> bool:
        """Whether a ground point, (2,) metres in the ground frame, is nearer than what is seen.

        A point beside the view counts by the nearest direction that is seen; False where the lower
        edge sees no ground at all.
        """
        if not len(self._distances):
            return False
        bearing, distance = self._polar(position[None])
        limit = np.interp(bearing[0], self._bearings, self._distances)
        return bool(distance[0] < limit * _MARGIN)

    def _polar(self, points: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Bearing to the left of the camera's direction, (-pi, pi], and distance of each point."""
        offset = points - self._foot
        bearings = np.arctan2(offset @ left_of(self._ahead), offset @ self._ahead)
        return bearings, np.linalg.norm(offset, axis=1)
