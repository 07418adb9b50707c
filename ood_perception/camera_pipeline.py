"""One camera, frame after frame: from an image and its stamp to obstacles on the road.

The only place that knows the order of the stages: health, detector, place, track, relevance. The
node and the replay of bags both call it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import IntEnum
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraError, CameraModel, Mounting
from ood_perception.detection import Component, Detection
from ood_perception.errors import ImageError
from ood_perception.ground_plane import GroundPlaneSettings, Placement, is_beyond_range, place
from ood_perception.image_health import FrozenDetector, HealthSettings, check_image
from ood_perception.relevance import RelevanceSettings, is_relevant
from ood_perception.tracking import Observation, Tracker, TrackingSettings


class Status(IntEnum):
    """What the geometry of a scene is worth; numbers as in ObstacleComponentArray.msg."""

    OK = 0
    NO_CAMERA_INFO = 1
    NO_TRANSFORM = 2
    DEGRADED = 3


@dataclass(frozen=True)
class PipelineSettings:
    """The settings of every stage."""

    health: HealthSettings = field(default_factory=HealthSettings)
    ground_plane: GroundPlaneSettings = field(default_factory=GroundPlaneSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    relevance: RelevanceSettings = field(default_factory=RelevanceSettings)


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
    unplaced: number of kept and relevant obstacles without a place although camera and mounting
        are known; status is then DEGRADED, and an obstacle cloud must not be published.
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
    notes: tuple[str, ...] = ()
    stage_seconds: dict[str, float] = field(default_factory=dict)

    @property
    def has_valid_geometry(self) -> bool:
        """Whether an obstacle cloud may be published: an empty one then means clear."""
        return self.status is Status.OK and self.unplaced == 0


class SceneDetector(Protocol):
    """What the pipeline needs of a detector."""

    @property
    def bundle(self) -> Any:
        """The model that it runs."""

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Image (H, W, 3) uint8 BGR in, everything seen in it out."""


class CameraPipeline:
    """State and order of the stages for one camera; not safe for use by two threads at once."""

    def __init__(self, detector: SceneDetector, settings: PipelineSettings | None = None) -> None:
        self.detector = detector
        self.settings = settings or PipelineSettings()
        self._tracker = Tracker(self.settings.tracking)
        self._frozen = FrozenDetector(self.settings.health)
        self._last_stamp_ns: int | None = None

    def reset(self) -> None:
        """Forgets all earlier frames."""
        self._tracker.reset()
        self._frozen.reset()
        self._last_stamp_ns = None

    def process(
        self,
        image: NDArray[np.uint8],
        stamp_ns: int,
        camera: CameraModel | None,
        mounting: Mounting | None,
    ) -> Scene:
        """Sees, places, tracks and judges one frame.

        image: (H, W, 3) uint8 BGR. stamp_ns: the image's stamp, nanoseconds; when it jumps back,
        earlier frames are forgotten and a note says so. camera, mounting: None when not known;
        obstacles are then reported without a place.

        Raises ImageError when the camera cannot see (bad, dark, blinded, frozen image), so that
        the caller publishes nothing; errors of the detector pass through.
        """
        seconds: dict[str, float] = {}
        notes = self._note_time(stamp_ns)
        with _timed(seconds, "health"):
            self._check_health(image)
        with _timed(seconds, "detect"):
            detection = self.detector.detect(image)
        with _timed(seconds, "place"):
            camera = self._fit_camera(camera, image, notes)
            placements = self._place(detection, camera, mounting)
        with _timed(seconds, "track"):
            obstacles = self._follow(detection, placements, camera, mounting, stamp_ns)
        unplaced = 0
        status = _geometry_status(camera, mounting)
        if status is Status.OK:
            unplaced = sum(o.relevant and o.placement is None for o in obstacles)
            status = Status.DEGRADED if unplaced else Status.OK
        height, width = image.shape[:2]
        return Scene(
            stamp_ns=stamp_ns,
            status=status,
            image_size=(height, width),
            detection=detection,
            obstacles=obstacles,
            rejected=detection.rejected,
            unplaced=unplaced,
            notes=tuple(notes),
            stage_seconds={**seconds, **detection.stage_seconds},
        )

    def _note_time(self, stamp_ns: int) -> list[str]:
        notes = []
        if self._last_stamp_ns is not None and stamp_ns < self._last_stamp_ns:
            back_s = (self._last_stamp_ns - stamp_ns) / 1e9
            notes.append(f"time jumped back by {back_s:.3f} s: earlier frames are forgotten")
            self.reset()
        self._last_stamp_ns = stamp_ns
        return notes

    def _check_health(self, image: NDArray[np.uint8]) -> None:
        health = check_image(image, self.settings.health)
        if not health.ok:
            raise ImageError(f"the camera cannot see: {'; '.join(health.reasons)}")
        repeats = self._frozen.update(image)
        if self._frozen.is_frozen:
            raise ImageError(
                f"the camera is frozen: the same image {repeats} times in a row; "
                "check the camera driver"
            )

    def _fit_camera(
        self, camera: CameraModel | None, image: NDArray[np.uint8], notes: list[str]
    ) -> CameraModel | None:
        if camera is None:
            return None
        try:
            return camera.scaled_to(image.shape[1], image.shape[0])
        except CameraError as error:
            notes.append(str(error))
            return None

    def _place(
        self, detection: Detection, camera: CameraModel | None, mounting: Mounting | None
    ) -> list[Placement | None]:
        if camera is None or mounting is None:
            return [None] * len(detection.kept)
        cell = grid_cell_px(detection)
        settings = self._ground_plane(cell)
        return [place(c, camera, mounting, settings, cell) for c in detection.kept]

    def _ground_plane(self, cell_px: float) -> GroundPlaneSettings:
        """The settings with what the model's calibration says of components' lower edges."""
        settings, contact = self.settings.ground_plane, self.detector.bundle.manifest.contact
        return replace(
            settings,
            contact_offset_px=settings.contact_offset_px + contact.offset_cells * cell_px,
            contact_stddev_cells=contact.stddev_cells,
        )

    def _follow(
        self,
        detection: Detection,
        placements: list[Placement | None],
        camera: CameraModel | None,
        mounting: Mounting | None,
        stamp_ns: int,
    ) -> tuple[Obstacle, ...]:
        observations = [
            Observation(component.region, None if spot is None else spot.position[:2])
            for component, spot in zip(detection.kept, placements, strict=True)
        ]
        tracked = self._tracker.update(observations, stamp_ns)
        obstacles = []
        for component, spot, track in zip(detection.kept, placements, tracked, strict=True):
            relevant = is_relevant(component, spot, self.settings.relevance)
            if relevant and spot is None and camera is not None and mounting is not None:
                # Known to be far is not the same as not known where.
                relevant = not is_beyond_range(
                    component, camera, mounting, self.settings.ground_plane
                )
            obstacles.append(Obstacle(component, track.track_id, spot, track.confirmed, relevant))
        return tuple(obstacles)


def grid_cell_px(detection: Detection) -> float:
    """Image rows per row of the grid on which the components were found; at least 1."""
    if detection.letterbox is not None:
        return max(1.0, detection.letterbox.cell_size_px[0])
    return max(1.0, detection.image_size[0] / max(1, detection.score.shape[0]))


def _geometry_status(camera: CameraModel | None, mounting: Mounting | None) -> Status:
    if camera is None:
        return Status.NO_CAMERA_INFO
    if mounting is None:
        return Status.NO_TRANSFORM
    return Status.OK


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    start = perf_counter()
    yield
    seconds[stage] = perf_counter() - start
