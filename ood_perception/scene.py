"""All that is said about one image of a camera: its obstacles, with what place and time add."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

from ood_perception.detection import Component, Detection
from ood_perception.ground_plane import Placement


class Status(IntEnum):
    """What the geometry of a scene is worth; numbers as in ObstacleComponentArray.msg."""

    OK = 0
    NO_CAMERA_INFO = 1
    NO_TRANSFORM = 2
    DEGRADED = 3


@dataclass(frozen=True)
class Obstacle:
    """A component that the meta classifier keeps, with what is known of it over time and place.

    track_id: the same number for the same obstacle in every frame, from 1 on.
    placement: where it stands, or None when that cannot be said.
    confirmed: seen in enough of the last frames.
    relevant: stands on or beside the drivable area, and not beyond the range.
    """

    component: Component
    track_id: int
    placement: Placement | None
    confirmed: bool
    relevant: bool


@dataclass(frozen=True)
class Scene:
    """All that is said about one image.

    stamp_ns: the image's stamp, unchanged.
    image_size: (height, width) in pixels.
    obstacles: every kept component, relevant or not.
    rejected: what the meta classifier dropped, for people.
    unplaced: number of kept and relevant obstacles (and of regions of known classes that count as
        obstacles) without a place although camera and mounting are known; status is then DEGRADED,
        and an obstacle cloud must not be published.
    known: the placed strips of regions of known classes, on or beside the road, that the settings
        take for obstacles too; they belong in the cloud for planners alone, and strips of one
        region share a track_id.
    notes: one line each for a person (a reset, a camera_info that does not fit).
    stage_seconds: time spent in each stage, the detector's own stages included.
    """

    stamp_ns: int
    status: Status
    image_size: tuple[int, int]
    detection: Detection
    obstacles: tuple[Obstacle, ...]
    rejected: tuple[Component, ...]
    unplaced: int
    known: tuple[Obstacle, ...] = ()
    notes: tuple[str, ...] = ()
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def has_valid_geometry(self) -> bool:
        """Whether an obstacle cloud may be published: an empty one then means clear."""
        return self.status is Status.OK and self.unplaced == 0
