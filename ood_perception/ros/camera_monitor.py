"""Watches one camera: the account of its frames, the last faults, and how it is doing now."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from ood_perception.ros.diagnostics import ERROR, OK, WARN, CameraReport, Health
from ood_perception.ros.frame_counts import FrameAccount, Outcome
from ood_perception.scene import Scene, Status

_SLOW_S = 0.5
_STUCK_S = 5.0
_ASK_AFTER_FRAMES = 3
_FUTURE_TOLERANCE_S = 0.1
SIM_TIME_HINT = "use_sim_time? Images and node must follow the same clock"


class CameraMonitor:
    """Every event of a frame is told to it; ``report`` says what follows for diagnostics.

    topic: of the images, for messages. image_timeout_s: without an image for so long the camera is
    silent. on_change: called when the camera's health changed, by the thread that noticed.
    """

    def __init__(
        self, camera: str, topic: str, image_timeout_s: float, on_change: Callable[[], None]
    ) -> None:
        self.camera = camera
        self.account = FrameAccount()
        self.reliability = ""
        self.last_refusal = ""
        self.last_error = ""
        self._topic = topic
        self._timeout_s = image_timeout_s
        self._on_change = on_change
        self._lock = Lock()
        self._since_s = monotonic()
        self._received_s: float | None = None
        self._busy_since_s: float | None = None
        self._too_old_in_a_row = 0
        self._health = Health(WARN, "waiting", f"no image on {topic} yet")

    def receive(self) -> None:
        """A frame arrived."""
        self.account.receive()
        self._received_s = monotonic()

    def overwrite(self) -> None:
        """A frame was replaced by a newer one before its turn."""
        self.account.settle(Outcome.DROPPED_OVERWRITTEN)

    def discard(self) -> None:
        """A frame was not worked on, or its result not published, because the node stops."""
        self._end_frame(Outcome.DROPPED_STOPPED)

    def begin(self) -> None:
        """Work on a frame begins."""
        self._busy_since_s = monotonic()

    def drop_too_old(self, age_s: float, limit_s: float) -> None:
        """A frame was older than allowed."""
        self._too_old_in_a_row += 1
        text = f"image is {age_s:.3f} s old, more than max_frame_age_s {limit_s:g}"
        if self._too_old_in_a_row >= _ASK_AFTER_FRAMES:
            text = f"every {text}: {SIM_TIME_HINT}"
        self._end_frame(Outcome.DROPPED_TOO_OLD, Health(ERROR, "too_old", text))

    def refuse(self, reason: str) -> None:
        """A frame was unreadable, or the camera cannot see."""
        self.last_refusal = reason
        self._end_frame(Outcome.REFUSED, Health(ERROR, "bad_image", reason))

    def fail(self, reason: str) -> None:
        """The detector, or anything behind it, failed on a frame."""
        self.last_error = reason
        self._end_frame(Outcome.DROPPED_FAILED, Health(ERROR, "failed", reason))

    def finish(self, scene: Scene, age_s: float, geometry_fault: str) -> None:
        """A frame was processed and its obstacles are out.

        age_s: of the frame when it was taken, by the node's clock. geometry_fault: why camera or
        mounting are not known, where that is so.
        """
        self._too_old_in_a_row = 0
        if scene.detection.left_out:
            self.account.leave_out()
        health = _scene_health(scene, age_s, geometry_fault)
        if health.level == ERROR:
            self.last_error = health.message
        self._end_frame(Outcome.PROCESSED, health)

    def report(self) -> CameraReport:
        """How the camera is doing at this moment."""
        return CameraReport(
            camera=self.camera,
            health=self._health_now(monotonic()),
            counts=self.account.read(),
            last_refusal=self.last_refusal,
            last_error=self.last_error,
            reliability=self.reliability,
        )

    def _end_frame(self, outcome: Outcome, health: Health | None = None) -> None:
        self.account.settle(outcome)
        with self._lock:
            self._busy_since_s = None
            changed = health is not None and health != self._health
            if health is not None:
                self._health = health
        if changed:
            self._on_change()

    def _health_now(self, now_s: float) -> Health:
        with self._lock:
            busy_since_s, received_s, health = self._busy_since_s, self._received_s, self._health
        busy_s = 0.0 if busy_since_s is None else now_s - busy_since_s
        text = f"nothing is published: one image has been processed for {busy_s:.1f} s"
        if busy_s > _STUCK_S:
            return Health(ERROR, "stuck", text)
        quiet_s = now_s - (self._since_s if received_s is None else received_s)
        if quiet_s > self._timeout_s:
            return Health(ERROR, "no_image", f"no image on {self._topic} for {quiet_s:.1f} s")
        if busy_s > _SLOW_S and health.level != ERROR:
            return Health(WARN, "slow", text)
        return health


def _scene_health(scene: Scene, age_s: float, geometry_fault: str) -> Health:
    notes = "; ".join(scene.notes)
    if scene.status is Status.NO_CAMERA_INFO:
        return Health(
            ERROR, "no_camera_info", f"no obstacle points: {geometry_fault or notes or 'no camera'}"
        )
    if scene.status is Status.NO_TRANSFORM:
        return Health(ERROR, "no_mounting", f"no obstacle points: {geometry_fault}")
    if not scene.has_valid_geometry:
        text = f"no obstacle points: {scene.unplaced} relevant obstacle(s) without a place"
        return Health(ERROR, "unplaced", text)
    if age_s < -_FUTURE_TOLERANCE_S:
        text = f"image is stamped {-age_s:.3f} s in the future: {SIM_TIME_HINT}"
        return Health(WARN, "future_stamp", text)
    if notes:
        return Health(WARN, "ok", notes)
    return Health(OK, "ok", "processing")
