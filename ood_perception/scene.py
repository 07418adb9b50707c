"""All that is said about one image of a camera: its obstacles, with what place and time add."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

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

    component: of this image, or, of a held obstacle, the last one.
    track_id: the same number for the same obstacle in every frame, from 1 on.
    placement: where it stands, smoothed over time, or None when that cannot be said.
    confirmed: seen in enough of the last frames.
    relevant: stands on or beside the drivable area, and not beyond the range, now or a moment ago.
    measured: where this image alone says that it stands; None also when it is held.
    velocity: (2,) float64 relative to the vehicle in the ground frame, metres a second, or None.
    held: it is confirmed and not seen in this image; unseen_s: for how long, seconds.
    hidden: held because it is where the camera cannot see it, under the image's lower edge.
    """

    component: Component
    track_id: int
    placement: Placement | None
    confirmed: bool
    relevant: bool
    measured: Placement | None = None
    velocity: NDArray[np.float64] | None = None
    held: bool = False
    unseen_s: float = 0.0
    hidden: bool = False


@dataclass(frozen=True)
class Scene:
    """All that is said about one image.

    stamp_ns: the image's stamp, unchanged.
    image_size: (height, width) in pixels.
    obstacles: every kept component, relevant or not, then the confirmed ones that are held without
        being seen. ``raw`` are the first alone, ``confirmed`` those that a planner must heed.
    rejected: what the meta classifier dropped, for people.
    unplaced: number of kept and relevant obstacles (and of regions of known classes that count as
        obstacles) without a place although camera and mounting are known; status is then DEGRADED,
        and an obstacle cloud must not be published.
    unconfirmable: number of relevant obstacles that no earlier image helps to confirm, because more
        than the tracking's ``max_gap_s`` lies between this image and the one before; status is
        then DEGRADED, too: without it such a camera would call every road clear.
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
    unconfirmable: int = 0
    known: tuple[Obstacle, ...] = ()
    notes: tuple[str, ...] = ()
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def raw(self) -> tuple[Obstacle, ...]:
        """What this image shows, confirmed or not."""
        return tuple(obstacle for obstacle in self.obstacles if not obstacle.held)

    @property
    def confirmed(self) -> tuple[Obstacle, ...]:
        """What is believed over time, whether this image shows it or not."""
        return tuple(obstacle for obstacle in self.obstacles if obstacle.confirmed)

    @property
    def has_valid_geometry(self) -> bool:
        """Whether an obstacle cloud may be published: an empty one then means clear."""
        return self.status is Status.OK and not self.unplaced and not self.unconfirmable
