"""Watches one camera: the account of its frames, the last faults, and how it is doing now."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from time import monotonic

from ood_perception.ros.budgets import BudgetSettings, BudgetWatch
from ood_perception.ros.diagnostics import ERROR, WARN, CameraReport, Health
from ood_perception.ros.frame_counts import FrameAccount, Outcome
from ood_perception.ros.frame_timings import FrameTiming, FrameTimings
from ood_perception.ros.scene_health import scene_health
from ood_perception.ros.silence_watch import SilenceWatch
from ood_perception.ros.stamp_watch import SIM_TIME_HINT
from ood_perception.scene import Scene

_SLOW_S = 0.5
_LONG_WAIT_S = 1.0
_STUCK_S = 5.0
_CLOCK_STILL_S = 1.0
_ASK_AFTER_FRAMES = 3
_LASTING_FAILURES = 10


class CameraMonitor:
    """Every event of a frame is told to it; ``report`` says what follows for diagnostics.

    topic: of the images, for messages. image_timeout_s: without an image for so long the camera is
    silent. on_change: called when the camera's health changed, by the thread that noticed.
    simulated_s: simulated time, where the node follows it.
    """

    def __init__(
        self,
        camera: str,
        topic: str,
        image_timeout_s: float,
        on_change: Callable[[], None],
        budgets: BudgetSettings | None = None,
        simulated_s: Callable[[], float] | None = None,
    ) -> None:
        self.camera = camera
        self.account = FrameAccount()
        self.timings = FrameTimings()
        self.reliability = ""
        self.last_refusal = ""
        self.last_error = ""
        self._topic = topic
        self._timeout_s = image_timeout_s
        self._on_change = on_change
        self._lock = Lock()
        self._silence = SilenceWatch(simulated_s)
        self._budgets = BudgetWatch(budgets or BudgetSettings())
        self._received_s: float | None = None
        self._waiting_since_s: float | None = None
        self._busy_since_s: float | None = None
        self._too_old_in_a_row = 0
        self._failed_in_a_row = 0
        self._health = Health(WARN, "waiting", f"no image on {topic} yet")

    def receive(self) -> None:
        """A frame arrived."""
        self.account.receive()
        self._silence.hear()
        with self._lock:
            self._received_s = monotonic()
            self._waiting_since_s = self._waiting_since_s or self._received_s

    def overwrite(self) -> None:
        """A frame was replaced by a newer one before its turn."""
        self.account.settle(Outcome.DROPPED_OVERWRITTEN)

    def discard(self) -> None:
        """A frame was not worked on, or its result not published, because the node stops."""
        self._end_frame(Outcome.DROPPED_STOPPED)

    def begin(self) -> None:
        """Work on a frame begins."""
        with self._lock:
            self._waiting_since_s, self._busy_since_s = None, monotonic()

    def drop_too_old(self, text: str) -> None:
        """A frame was older than allowed; text: how old."""
        self._too_old_in_a_row += 1
        if self._too_old_in_a_row >= _ASK_AFTER_FRAMES:
            text = f"every {text}: {SIM_TIME_HINT}"
        self._end_frame(Outcome.DROPPED_TOO_OLD, Health(ERROR, "too_old", text))

    def drop_out_of_order(self) -> None:
        """A frame was older than one that was used: the newer one has said all."""
        self._end_frame(Outcome.DROPPED_OUT_OF_ORDER)

    def refuse(self, reason: str, state: str = "bad_image") -> None:
        """A frame was unreadable or wrongly stamped, or the camera cannot see."""
        self.last_refusal = reason
        self._end_frame(Outcome.REFUSED, Health(ERROR, state, reason))

    def fail(self, reason: str) -> None:
        """The detector, or anything behind it, failed on a frame."""
        self.last_error = reason
        self._failed_in_a_row += 1
        if self._failed_in_a_row >= _LASTING_FAILURES:
            reason = (
                f"{self._failed_in_a_row} images in a row failed: {reason}; if it lasts, "
                "clean up and configure again, or restart the node"
            )
        self._end_frame(Outcome.DROPPED_FAILED, Health(ERROR, "failed", reason))

    def finish(self, scene: Scene, age_s: float, geometry_fault: str, timing: FrameTiming) -> None:
        """A frame was processed and its obstacles are out.

        age_s: of the frame when it was taken, by the node's clock. geometry_fault: why camera or
        mounting are not known, where that is so.
        """
        self._too_old_in_a_row = self._failed_in_a_row = 0
        self.account.publish()
        self.timings.add(timing)
        if scene.detection.left_out:
            self.account.leave_out()
        health = scene_health(scene, age_s, geometry_fault)
        if health.level == ERROR:
            self.last_error = health.message
        self._end_frame(Outcome.PROCESSED, health)

    def report(self) -> CameraReport:
        """How the camera is doing at this moment."""
        # Whole under the lock: the timer and the worker ask at the same time.
        with self._lock:
            now_s, counts, received_s = monotonic(), self.account.read(), self._received_s
            figures = self.timings.read(now_s)
            figures |= self._budgets.look(now_s, counts)
            health = self._within_budgets(self._health_now(now_s), now_s, figures)
        figures["image_age_s"] = float("nan") if received_s is None else now_s - received_s
        return CameraReport(
            camera=self.camera,
            health=health,
            counts=counts,
            figures=figures,
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
        """What the last frame said, unless something hangs or nothing comes."""
        busy_s = 0.0 if self._busy_since_s is None else now_s - self._busy_since_s
        waited_s = 0.0 if self._waiting_since_s is None else now_s - self._waiting_since_s
        text = f"nothing is published: one image has been processed for {busy_s:.1f} s"
        if waited_s > max(busy_s, _LONG_WAIT_S):
            text = f"nothing is published: images have waited for their turn for {waited_s:.1f} s"
        if max(busy_s, waited_s) > _STUCK_S:
            return Health(ERROR, "stuck", text)
        silence = self._silence.look()
        if silence.still_s > max(_CLOCK_STILL_S, self._timeout_s):
            told = f"simulated time stands still for {silence.still_s:.1f} s: is /clock published?"
            return Health(ERROR, "clock_stopped", told)
        if silence.quiet_s > self._timeout_s:
            told = f"no image on {self._topic} for {silence.quiet_s:.1f} s"
            return Health(ERROR, "no_image", told)
        if (busy_s > _SLOW_S or waited_s > _LONG_WAIT_S) and self._health.level != ERROR:
            return Health(WARN, "slow", text)
        return self._health

    def _within_budgets(self, health: Health, now_s: float, figures: dict[str, float]) -> Health:
        """The budgets' answer where nothing worse is known."""
        if health.level == ERROR or health.state == "waiting":
            self._budgets.excuse(now_s)
            return health
        text, lasts = self._budgets.judge(now_s, figures)
        if not text:
            return health
        if health.level == WARN:
            text = f"{health.message}; {text}"
        return Health(ERROR if lasts else WARN, "over_budget", text)
