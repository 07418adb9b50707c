"""The transitions of the managed node: what exists in which state, and nothing beyond."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray
from lifecycle_msgs.msg import State
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.parameter import Parameter

from ood_perception.confirmation import check_confirmable
from ood_perception.errors import OodError
from ood_perception.known_regions import known_class_ids
from ood_perception.process_memory import hand_back_freed
from ood_perception.ros.batching import images_at_once
from ood_perception.ros.camera_outputs import CameraOutputs
from ood_perception.ros.camera_session import CameraSession
from ood_perception.ros.destroyed_entities import forget_destroyed
from ood_perception.ros.diagnostics import (
    ERROR,
    WARN,
    Health,
    active_health,
    camera_status,
    diagnostic_array,
    node_status,
)
from ood_perception.ros.fault_barrier import FaultBarrier, one_line
from ood_perception.ros.health_log import HealthLog
from ood_perception.ros.impossible_transitions import refuse_impossible_transitions
from ood_perception.ros.model_loading import (
    DetectorFactory,
    LoadedDetector,
    describe_model,
    load_detector,
    model_facts,
    warm_up,
)
from ood_perception.ros.parameters import (
    NodeSettings,
    changes_refused,
    declare_parameters,
    read_settings,
)
from ood_perception.ros.steady_beat import steady_beat
from ood_perception.ros.transforms import MountingSource, create_mounting_source

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
_DIAGNOSTICS_PERIOD_S = 0.25


class OodPerceptionNode(LifecycleNode):
    """Images in, unknown obstacles out.

    detector_factory: makes the detector in configure, from the parameters bundle and backend.
    """

    def __init__(
        self,
        name: str = "ood_perception",
        *,
        detector_factory: DetectorFactory = load_detector,
        **node_options: Any,
    ) -> None:
        super().__init__(name, **node_options)
        self.current_state_label = "unconfigured"
        self._detector_factory = detector_factory
        self._settings: NodeSettings | None = None
        self._detector: LoadedDetector | None = None
        self._mounting_source: MountingSource | None = None
        self._outputs: dict[str, CameraOutputs] = {}
        self._session: CameraSession | None = None
        self._images_at_once = 1
        self._has_hung = False
        self._fault = self._last_error = ""
        self._health_log = HealthLog(self.get_logger())
        declare_parameters(self)
        refuse_impossible_transitions(self, lambda text: self.get_logger().warning(text))
        self.add_on_set_parameters_callback(self._judge_changes)
        # Not managed: what is wrong must be said in every state.
        self._diagnostics = self.create_publisher(DiagnosticArray, "/diagnostics", 10)
        self._timer = self.create_timer(_DIAGNOSTICS_PERIOD_S, self._tick, clock=_steady_clock())

    @property
    def has_autostart(self) -> bool:
        """Whether the node is to configure and activate itself."""
        return bool(self.get_parameter("autostart").value)

    @property
    def is_finalized(self) -> bool:
        """Whether the node was shut down and its process may end."""
        return self.current_state_label == "finalized"

    def autostart(self) -> bool:
        """Configures and activates; False, and the reason on /diagnostics, when that fails."""
        return self.trigger_configure() == SUCCESS and self.trigger_activate() == SUCCESS

    def end(self) -> None:
        """Shuts down from whatever state."""
        if not self.is_finalized:
            self.trigger_shutdown()

    def destroy_node(self) -> None:
        """Takes the node off the graph at once.

        rclpy's own leaves the state machine in place, and with it the node and its services in
        the graph of every other participant until the garbage is collected: a manager of the next
        node of this name then finds servers that do not answer, and not the one that does.
        """
        super().destroy_node()
        self._state_machine.destroy_when_not_in_use()

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Reads parameters, loads and tries the model, creates the publishers."""
        return self._transition("configuring", "inactive", self._configure, state.label)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Subscribes and starts to work."""
        super().on_activate(state)
        return self._transition("activating", "active", self._activate, state.label)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Unsubscribes and ends the work; afterwards nothing is published."""
        self._stop()
        super().on_deactivate(state)
        hand_back_freed()
        return self._arrive("inactive")

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Lets go of model and publishers."""
        self._release()
        return self._arrive("unconfigured")

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Ends everything, from any state."""
        self._release()
        self._timer.cancel()
        return self._arrive("finalized")

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Ends everything; the node can then be configured again."""
        self._release()
        return self._arrive("unconfigured")

    def _configure(self) -> None:
        settings = read_settings(self)
        detector = self._detector_factory(settings.bundle, settings.backend)
        manifest = detector.bundle.manifest
        known_class_ids(manifest, settings.pipeline.known_obstacles.classes)
        check_confirmable(settings.pipeline.tracking, manifest.meta_classifier)
        warm_up(detector)
        self._images_at_once = images_at_once(detector, len(settings.cameras), settings.max_batch)
        self._has_hung = False
        self._mounting_source = create_mounting_source(self, settings)
        for camera in settings.cameras:
            self._outputs[camera] = CameraOutputs(
                self,
                camera,
                detector.bundle,
                settings.ground_frame_id,
                settings.overlay_reasons,
            )
        self._settings, self._detector = settings, detector
        # To look through all that stays now would stop every thread for a tenth of a second.
        gc.collect()
        gc.freeze()
        self.get_logger().info(describe_model(detector))

    def _activate(self) -> None:
        assert self._settings is not None
        assert self._detector is not None
        assert self._mounting_source is not None
        if self._has_hung:
            # It may still be in there, and the detector is safe for one thread alone.
            raise OodError("the detector hung on an image: clean up and configure again")
        self._health_log.forget()
        self._session = CameraSession(
            self,
            self._settings,
            self._detector,
            self._outputs,
            self._mounting_source,
            self._images_at_once,
            self._say_change,
        )
        self._session.start()

    def _stop(self) -> None:
        if self._session is None:
            return
        if not self._session.stop():
            self._has_hung = True
            self.get_logger().error("the image at hand does not end; its result will not be used")
        self._publish_diagnostics()
        self._session = None

    def _release(self) -> None:
        self._stop()
        for outputs in self._outputs.values():
            outputs.destroy()
        self._outputs.clear()
        if self._mounting_source is not None:
            self._mounting_source.close()
        self._mounting_source, self._detector, self._settings = None, None, None
        # The session's parts know each other, so the model would stay in the device's memory until
        # Python looks for such circles, which may be after the next model is loaded.
        gc.unfreeze()
        hand_back_freed()

    def _transition(
        self, passing: str, goal: str, work: Callable[[], None], start: str
    ) -> TransitionCallbackReturn:
        """Does the work of a transition; a fault undoes it and is reported in one line."""
        self.current_state_label, self._fault = passing, ""
        self._publish_diagnostics()
        with FaultBarrier(self._report):
            # The executor is in here and its timer stands still, for as long as a model loads.
            with steady_beat(self._say_change, _DIAGNOSTICS_PERIOD_S):
                work()
            return self._arrive(goal)
        if goal == "inactive":
            self._release()
        else:
            self._stop()
            super().on_deactivate(LifecycleState("inactive", State.PRIMARY_STATE_INACTIVE))
        self._arrive(start)
        return FAILURE

    def survive(self, fault: Exception) -> None:
        """Reports a fault of a callback, which costs that callback alone."""
        self._last_error = f"a callback failed: {one_line(fault)}"
        self.get_logger().error(self._last_error, throttle_duration_sec=1.0)

    def _report(self, fault: Exception) -> None:
        self._fault = f"{self.current_state_label} failed: {one_line(fault)}"
        self._last_error = self._fault
        self.get_logger().error(self._fault)
        if not isinstance(fault, OodError):
            self.get_logger().debug(repr(fault))

    def _arrive(self, state: str) -> TransitionCallbackReturn:
        self.current_state_label = state
        self._publish_diagnostics()
        return SUCCESS

    def _judge_changes(self, changes: list[Parameter]) -> Any:
        return changes_refused(self, changes)

    def _tick(self) -> None:
        forget_destroyed(self.default_callback_group)
        if self._session is not None:
            # Diagnostics go on where the middleware refuses a subscription; the next tick tries.
            self._session.refresh(self.survive)
        self._publish_diagnostics()

    def _say_change(self) -> None:
        """Called by the worker too: what fails here is no fault of the image at hand."""
        with FaultBarrier(self.survive):
            self._publish_diagnostics()

    def _publish_diagnostics(self) -> None:
        model = model_facts(self._detector, self._images_at_once)
        name, session = self.get_name(), self._session
        values = {**model, "last_error": self._last_error}
        statuses = [node_status(name, self._health(), values)]
        if session is not None:
            keys = ("model_id", "backend", "precision", "device")
            shared = {key: model[key] for key in keys}
            shared["image_conversion"] = session.image_conversion
            reports = session.reports()
            self._health_log.note(reports)
            statuses += [camera_status(name, report, shared) for report in reports]
        stamp = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostic_array(stamp, statuses))

    def _health(self) -> Health:
        state = self.current_state_label
        if self._fault:
            return Health(ERROR, state, self._fault)
        if state == "active":
            return active_health("" if self._detector is None else self._detector.device)
        doing = "the model is loaded and tried, " if state == "configuring" else ""
        return Health(WARN, state, f"{state}: {doing}nothing is published")


def _steady_clock() -> Clock:
    """Diagnostics must go on when simulated time stands still."""
    return Clock(clock_type=ClockType.STEADY_TIME)
