"""One camera, frame after frame: from an image and its stamp to obstacles on the road.

The only place that knows the order of the stages: health, detector, place, track, relevance, known
obstacles. The node and the replay of bags both call it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ood_perception.camera import CameraError, CameraModel, Mounting
from ood_perception.camera_watch import CameraWatch
from ood_perception.confirmation import check_confirmable
from ood_perception.depth_placement import DepthAt, DepthError, DepthView
from ood_perception.detection import Component, Detection
from ood_perception.ego_mask import EgoMask
from ood_perception.ego_motion import EgoPose
from ood_perception.ground_plane import GroundPlaneSettings, Placement
from ood_perception.image_geometry import ImageGeometries, ImageGeometry, grid_cell_px
from ood_perception.image_health import HealthSettings
from ood_perception.known_obstacles import KnownObstacles
from ood_perception.known_regions import KnownObstacleSettings
from ood_perception.obstacle_following import ObstacleFollower, Sight
from ood_perception.relevance import RelevanceSettings, is_relevant
from ood_perception.road_before_foot import road_before_foot_share
from ood_perception.scene import Obstacle, Scene, Status
from ood_perception.stage_timer import timed
from ood_perception.track_matching import evidence_of
from ood_perception.tracking import TrackingSettings

_MOST_WEAK_SIGHTS = 6


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


@dataclass(frozen=True)
class Accepted:
    """An image that may be shown to the detector, with what was noted and timed so far."""

    image: NDArray[np.uint8]
    stamp_ns: int
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)


class CameraPipeline:
    """State and order of the stages for one camera; not safe for use by two threads at once.

    Raises KnownClassError when the settings name a class that the detector's model does not have,
    and ConfirmationError when they can never confirm an obstacle of it.
    """

    def __init__(
        self,
        detector: SceneDetector,
        settings: PipelineSettings | None = None,
        ego_mask: EgoMask | None = None,
    ) -> None:
        self.detector = detector
        self.settings = settings or PipelineSettings()
        contact = detector.bundle.manifest.contact
        self._geometries = ImageGeometries(self.settings.ground_plane, contact, ego_mask)
        check_confirmable(self.settings.tracking, detector.bundle.manifest.meta_classifier)
        self._follower = ObstacleFollower(
            self.settings.tracking, self.settings.ground_plane.max_range_m
        )
        self._known = KnownObstacles(
            detector.bundle.manifest,
            self.settings.known_obstacles,
            self.settings.relevance,
            self.settings.tracking,
        )
        self._watch = CameraWatch(detector.bundle.manifest, self.settings.health)
        self._last_stamp_ns: int | None = None

    def reset(self) -> None:
        """Forgets all earlier frames."""
        self._follower.reset()
        self._known.reset()
        self._watch.reset()
        self._last_stamp_ns = None

    def process(
        self,
        image: NDArray[np.uint8],
        stamp_ns: int,
        camera: CameraModel | None,
        mounting: Mounting | None,
        *,
        pose: EgoPose | None = None,
        depth: DepthAt | None = None,
    ) -> Scene:
        """Sees, places, tracks and judges one frame.

        image: (H, W, 3) uint8 BGR. stamp_ns: the image's stamp, nanoseconds; when it jumps back,
        earlier frames are forgotten and a note says so. camera, mounting: None when not known;
        obstacles are then reported without a place. pose: of the vehicle at the stamp, in any world
        that stands still, where odometry tells it. depth: gives the distances measured in the
        camera's view; where it raises DepthError a note says so, and the plane is used.

        Raises ImageError for an image that is none, and BlindCameraError, which is one, when the
        camera cannot see (dark, blinded, fogged, blurred, covered, frozen, or a scene that the
        model hardly knows), so that the caller publishes nothing; errors of the detector pass
        through.
        """
        accepted = self.accept(image, stamp_ns)
        with timed(accepted.seconds, "detect"):
            detection = self.detector.detect(image)
        return self.complete(accepted, detection, camera, mounting, pose=pose, depth=depth)

    def accept(self, image: NDArray[np.uint8], stamp_ns: int) -> Accepted:
        """The first half of `process`, before the detector: time and health.

        For who runs the detector on the images of several cameras at once. Raises as `process`.
        """
        accepted = Accepted(image, stamp_ns, self._note_time(stamp_ns))
        with timed(accepted.seconds, "health"):
            self._watch.look(image, stamp_ns)
        return accepted

    def complete(
        self,
        accepted: Accepted,
        detection: Detection,
        camera: CameraModel | None,
        mounting: Mounting | None,
        *,
        pose: EgoPose | None = None,
        depth: DepthAt | None = None,
    ) -> Scene:
        """The second half of `process`: what the detector saw in an accepted image, placed,
        tracked and judged. Images are completed in the order in which they were accepted.
        Raises BlindCameraError as `process`."""
        image, stamp_ns = accepted.image, accepted.stamp_ns
        self._watch.check_detection(detection)
        notes, seconds = list(accepted.notes), dict(accepted.seconds)
        if detection.left_out:
            notes.append(
                f"{detection.left_out} anomalous components left out, all smaller than the "
                f"{len(detection.components)} that were looked at"
            )
        with timed(seconds, "place"):
            camera = self._fit_camera(camera, image, notes)
            geometry = self._geometry(detection, camera, mounting, depth, notes)
            sights = [self._sight(detection, component, geometry) for component in detection.kept]
        with timed(seconds, "track"):
            seen, held = self._follower.update(
                sights,
                stamp_ns,
                pose,
                weak=lambda: self._weak_sights(detection, geometry),
                is_hidden=None if geometry is None else geometry.hides,
                move=None if geometry is None else geometry.move,
            )
            obstacles = seen + held
            if geometry is None:  # a place remembered is none that this image's mounting gives
                obstacles = tuple(replace(o, placement=None) for o in obstacles)
        with timed(seconds, "known"):
            known, unplaced = self._follow_known(detection, geometry, stamp_ns)
        status, unconfirmable = _geometry_status(camera, mounting), 0
        if status is Status.OK:
            unplaced += sum(o.relevant and o.placement is None for o in obstacles)
            if self._follower.is_after_gap:
                unconfirmable = sum(o.relevant and not o.confirmed for o in obstacles)
            status = Status.DEGRADED if unplaced or unconfirmable else Status.OK
        height, width = image.shape[:2]
        return Scene(
            stamp_ns=stamp_ns,
            status=status,
            image_size=(height, width),
            detection=detection,
            obstacles=obstacles,
            rejected=detection.rejected,
            unplaced=unplaced,
            unconfirmable=unconfirmable,
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

    def _geometry(
        self,
        detection: Detection,
        camera: CameraModel | None,
        mounting: Mounting | None,
        depth: DepthAt | None,
        notes: list[str],
    ) -> ImageGeometry | None:
        if camera is None or mounting is None:
            return None
        measured: DepthView | None = None
        if depth is not None:
            try:
                measured = depth(camera, mounting)
            except DepthError as error:
                notes.append(str(error))
        return self._geometries.of(camera, mounting, grid_cell_px(detection), measured)

    def _weak_sights(self, detection: Detection, geometry: ImageGeometry | None) -> list[Sight]:
        likeliest = sorted(detection.rejected, key=lambda c: -c.obstacle_probability)
        return [
            # They support what is known already: only where they are is asked of them.
            Sight(component, None if geometry is None else geometry.place(component), False)
            for component in likeliest[:_MOST_WEAK_SIGHTS]
        ]

    def _sight(
        self, detection: Detection, component: Component, geometry: ImageGeometry | None
    ) -> Sight:
        manifest = self.detector.bundle.manifest
        spot = None if geometry is None else geometry.place(component)
        road = road_before_foot_share(
            component, detection.labels, detection.image_size, manifest.road_classes
        )
        relevant = self._is_relevant(component, spot, geometry, road)
        meta = manifest.meta_classifier
        evidence = inf if meta is None else evidence_of(component, 1 - meta.decision)
        return Sight(component, spot, relevant, evidence)

    def _is_relevant(
        self,
        component: Component,
        spot: Placement | None,
        geometry: ImageGeometry | None,
        road_foot_share: float = 0.0,
    ) -> bool:
        relevant = is_relevant(component, spot, self.settings.relevance, road_foot_share)
        if relevant and spot is None and geometry is not None:
            # Known to be far is not the same as not known where.
            return not geometry.is_out_of_reach(component)
        return relevant

    def _follow_known(
        self, detection: Detection, geometry: ImageGeometry | None, stamp_ns: int
    ) -> tuple[tuple[Obstacle, ...], int]:
        """The placed strips of known classes; how many relevant regions have none."""
        if geometry is None:
            return (), 0
        strips, lost = self._known.update(
            detection, lambda parts: [geometry.place(part) for part in parts], stamp_ns
        )
        return strips, sum(self._is_relevant(whole, None, geometry) for whole in lost)


def _geometry_status(camera: CameraModel | None, mounting: Mounting | None) -> Status:
    if camera is None:
        return Status.NO_CAMERA_INFO
    if mounting is None:
        return Status.NO_TRANSFORM
    return Status.OK
