"""Regions of known classes as obstacles of a cloud: placed strip by strip, confirmed as a whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ood_perception.bundle import Manifest
from ood_perception.detection import Component, Detection
from ood_perception.ground_plane import Placement
from ood_perception.known_regions import KnownObstacleSettings, known_class_ids, known_regions
from ood_perception.relevance import RelevanceSettings, is_relevant
from ood_perception.scene import Obstacle
from ood_perception.tracking import Tracker, TrackingSettings, observation_of

Place = Callable[[Sequence[Component]], Sequence[Placement | None]]
"""The place of each component of the image at hand, None where it has none."""


class KnownObstacles:
    """The known obstacles of one camera, frame after frame.

    Raises KnownClassError when the settings name a class that the model does not have.
    """

    def __init__(
        self,
        manifest: Manifest,
        settings: KnownObstacleSettings,
        relevance: RelevanceSettings,
        tracking: TrackingSettings,
    ) -> None:
        self._settings = settings
        self._relevance = relevance
        self._tracker = Tracker(tracking)
        self._class_ids: tuple[int, ...] = ()
        self._road_classes: tuple[int, ...] = ()
        if settings.classes:
            self._class_ids = known_class_ids(manifest, settings.classes)
            self._road_classes = manifest.road_classes

    def reset(self) -> None:
        """Forgets all earlier frames."""
        self._tracker.reset()

    def update(
        self, detection: Detection, place: Place, stamp_ns: int
    ) -> tuple[tuple[Obstacle, ...], tuple[Component, ...]]:
        """One frame's placed strips, and the regions of which no strip has a place.

        Only regions on or beside the road count; off it they would be in no cloud.
        """
        if not self._class_ids:
            return (), ()
        regions = [
            region
            for region in known_regions(
                detection, self._class_ids, self._road_classes, self._settings
            )
            if is_relevant(region.whole, None, self._relevance)
        ]
        placed = [_placed(region.strips, place) for region in regions]
        nearest = [min((p for _, p in pairs), key=_distance_m, default=None) for pairs in placed]
        wholes = [region.whole for region in regions]
        tracked = self._tracker.update(list(map(observation_of, wholes, nearest)), stamp_ns)
        obstacles = tuple(
            Obstacle(
                strip,
                track.track_id,
                spot,
                track.confirmed,
                is_relevant(strip, spot, self._relevance),
            )
            for pairs, track in zip(placed, tracked, strict=True)
            for strip, spot in pairs
        )
        lost = tuple(w for w, spot in zip(wholes, nearest, strict=True) if spot is None)
        return obstacles, lost


def _placed(strips: Sequence[Component], place: Place) -> list[tuple[Component, Placement]]:
    # A strip without a foot on the ground is overhang (a mirror, a load): its neighbours stand.
    pairs = zip(strips, place(strips), strict=True)
    return [(strip, spot) for strip, spot in pairs if spot is not None]


def _distance_m(placement: Placement) -> float:
    return placement.distance_m
