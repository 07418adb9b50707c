"""One camera, frame after frame: from an image and its stamp to obstacles on the road.

The only place that knows the order of the stages: health, detector, place, track, relevance, known
obstacles. The node and the replay of bags both call it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraError, CameraModel, Mounting
from ood_perception.detection import Component, Detection
from ood_perception.errors import ImageError
from ood_perception.ground_plane import GroundPlaneSettings, Placement, is_beyond_range, place
from ood_perception.image_health import FrozenDetector, HealthSettings, check_image
from ood_perception.known_obstacles import KnownObstacles
from ood_perception.known_regions import KnownObstacleSettings
from ood_perception.relevance import RelevanceSettings, is_relevant
from ood_perception.scene import Obstacle, Scene, Status
from ood_perception.tracking import Tracker, TrackingSettings, observation_of


@dataclass(frozen=True)
class PipelineSettings:
    """The settings of every stage."""

    health: HealthSettings = field(default_factory=HealthSettings)
    ground_plane: GroundPlaneSettings = field(default_factory=GroundPlaneSettings)
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    relevance: RelevanceSettings = field(default_factory=RelevanceSettings)
    known_obstacles: KnownObstacleSettings = field(default_factory=KnownObstacleSettings)


class SceneDetector(Protocol):
    """What the pipeline needs of a detector."""

    @property
    def bundle(self) -> Any:
        """The model that it runs."""

    def detect(self, image: NDArray[np.uint8]) -> Detection:
        """Image (H, W, 3) uint8 BGR in, everything seen in it out."""


class CameraPipeline:
    """State and order of the stages for one camera; not safe for use by two threads at once.

    Raises KnownClassError when the settings name a class that the detector's model does not have.
    """

    def __init__(self, detector: SceneDetector, settings: PipelineSettings | None = None) -> None:
        self.detector = detector
        self.settings = settings or PipelineSettings()
        self._tracker = Tracker(self.settings.tracking)
        self._known = KnownObstacles(
            detector.bundle.manifest,
            self.settings.known_obstacles,
            self.settings.relevance,
            self.settings.tracking,
        )
        self._frozen = FrozenDetector(self.settings.health)
        self._last_stamp_ns: int | None = None

    def reset(self) -> None:
        """Forgets all earlier frames."""
        self._tracker.reset()
        self._known.reset()
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
        if detection.left_out:
            notes.append(
                f"{detection.left_out} anomalous components left out, all smaller than the "
                f"{len(detection.components)} that were looked at"
            )
        with _timed(seconds, "place"):
            camera = self._fit_camera(camera, image, notes)
            placements = self._place(detection, detection.kept, camera, mounting)
        with _timed(seconds, "track"):
            obstacles = self._follow(detection, placements, camera, mounting, stamp_ns)
        with _timed(seconds, "known"):
            known, unplaced = self._follow_known(detection, camera, mounting, stamp_ns)
        status = _geometry_status(camera, mounting)
        if status is Status.OK:
            unplaced += sum(o.relevant and o.placement is None for o in obstacles)
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
            known=known,
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
        self,
        detection: Detection,
        components: Sequence[Component],
        camera: CameraModel | None,
        mounting: Mounting | None,
    ) -> list[Placement | None]:
        if camera is None or mounting is None:
            return [None] * len(components)
        cell = grid_cell_px(detection)
        settings = self._ground_plane(cell)
        return [place(c, camera, mounting, settings, cell) for c in components]

    def _ground_plane(self, cell_px: float) -> GroundPlaneSettings:
        """The settings with what the model's calibration says of components' lower edges."""
        settings, contact = self.settings.ground_plane, self.detector.bundle.manifest.contact
        return replace(
            settings,
            contact_offset_px=settings.contact_offset_px + contact.offset_cells * cell_px,
            contact_stddev_cells=contact.stddev_cells,
            contact_sharp_cells=contact.sharp_cells,
            contact_softness_gain=contact.softness_gain,
        )

    def _follow(
        self,
        detection: Detection,
        placements: list[Placement | None],
        camera: CameraModel | None,
        mounting: Mounting | None,
        stamp_ns: int,
    ) -> tuple[Obstacle, ...]:
        seen = list(map(observation_of, detection.kept, placements))
        tracked = self._tracker.update(seen, stamp_ns)
        obstacles = []
        for component, spot, track in zip(detection.kept, placements, tracked, strict=True):
            relevant = self._is_relevant(component, spot, camera, mounting)
            obstacles.append(Obstacle(component, track.track_id, spot, track.confirmed, relevant))
        return tuple(obstacles)

    def _is_relevant(
        self,
        component: Component,
        spot: Placement | None,
        camera: CameraModel | None,
        mounting: Mounting | None,
    ) -> bool:
        relevant = is_relevant(component, spot, self.settings.relevance)
        if relevant and spot is None and camera is not None and mounting is not None:
            # Known to be far is not the same as not known where.
            return not is_beyond_range(component, camera, mounting, self.settings.ground_plane)
        return relevant

    def _follow_known(
        self,
        detection: Detection,
        camera: CameraModel | None,
        mounting: Mounting | None,
        stamp_ns: int,
    ) -> tuple[tuple[Obstacle, ...], int]:
        """The placed strips of known classes; how many relevant regions have none."""
        if camera is None or mounting is None:
            return (), 0
        strips, lost = self._known.update(
            detection, lambda parts: self._place(detection, parts, camera, mounting), stamp_ns
        )
        return strips, sum(self._is_relevant(whole, None, camera, mounting) for whole in lost)


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
