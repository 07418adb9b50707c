"""Everything that runs while the node is active: subscriptions, slots, the worker, the account.

Made whole in activate and ended whole in deactivate, so that each activation starts afresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rclpy.lifecycle import LifecycleNode

from ood_perception.camera_info import is_rectified_topic
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.ros.batching import SharedDetector
from ood_perception.ros.camera_input import CameraInput, image_topic, image_type
from ood_perception.ros.camera_monitor import CameraMonitor
from ood_perception.ros.camera_outputs import CameraOutputs
from ood_perception.ros.camera_processor import CameraProcessor
from ood_perception.ros.depth_input import DepthInput
from ood_perception.ros.diagnostics import CameraReport
from ood_perception.ros.fault_barrier import FaultBarrier, one_line
from ood_perception.ros.frame_worker import FrameWorker
from ood_perception.ros.image_conversion import image_decoder
from ood_perception.ros.model_loading import LoadedDetector
from ood_perception.ros.odometry import OdometryInput
from ood_perception.ros.parameters import NodeSettings
from ood_perception.ros.transforms import MountingSource


class CameraSession:
    """All cameras of one activation.

    images_at_once: that the detector sees in one call. on_change: called when the health of a
    camera changed.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: NodeSettings,
        detector: LoadedDetector,
        outputs: Mapping[str, CameraOutputs],
        mounting_source: MountingSource,
        images_at_once: int,
        on_change: Callable[[], None],
    ) -> None:
        decode, self.image_conversion = image_decoder(settings.image_conversion)
        is_simulated = node.get_parameter("use_sim_time").value
        now_ns = _clock(node)
        self._odometry = OdometryInput(node, settings.odometry)
        self._depths = {
            camera: DepthInput(node, camera, settings, mounting_source)
            for camera in settings.cameras
        }
        topics = {
            camera: node.resolve_topic_name(image_topic(camera, settings))
            for camera in settings.cameras
        }
        self._monitors = {
            camera: CameraMonitor(
                camera,
                topics[camera],
                settings.image_timeout_s,
                on_change,
                settings.budgets,
                (lambda: now_ns() / 1e9) if is_simulated else None,
            )
            for camera in settings.cameras
        }
        self._processors = {
            camera: CameraProcessor(
                camera,
                CameraPipeline(detector, settings.pipeline, settings.ego_masks[camera]),
                outputs[camera],
                self._monitors[camera],
                mounting_source,
                message_type=image_type(settings),
                decode=decode,
                max_frame_age_s=settings.max_frame_age_s,
                now_ns=now_ns,
                is_stopping=lambda: self._worker.is_stopping,
                logger=node.get_logger(),
                rectified=_is_rectified(settings.rectified[camera], topics[camera]),
                pose_at=self._odometry.pose_at,
                wants_pose=settings.odometry != "none",
                depth_at=self._depths[camera].at,
            )
            for camera in settings.cameras
        }
        self._worker = FrameWorker(
            self._processors,
            SharedDetector(
                detector,
                images_at_once,
                lambda text: node.get_logger().error(text, throttle_duration_sec=5.0),
            ),
            lambda fault: node.get_logger().error(f"frame worker: {one_line(fault)}"),
            self._catch_up,
        )
        self._inputs: list[CameraInput] = [
            CameraInput(
                node,
                camera,
                settings,
                self._monitors[camera],
                self._processors[camera],
                self._worker,
            )
            for camera in settings.cameras
        ]

    def start(self) -> None:
        """Starts the worker, then subscribes; whatever it raises, ``stop`` ends what was begun."""
        self._worker.start()
        self._odometry.start()
        for depth in self._depths.values():
            depth.start()
        for entry in self._inputs:
            entry.refresh()

    def refresh(self, report: Callable[[Exception], None]) -> None:
        """Follows publishers that came, went, or offer another reliability.

        report: told of what one camera's subscriptions raise; the others are followed still.
        """
        for entry in self._inputs:
            with FaultBarrier(report):
                entry.refresh()

    def stop(self) -> bool:
        """Unsubscribes and ends the worker; False when the frame at hand does not end."""
        for entry in self._inputs:
            entry.destroy()
        self._inputs.clear()
        self._odometry.destroy()
        for depth in self._depths.values():
            depth.destroy()
        return self._worker.stop()

    def _catch_up(self) -> None:
        """A busy executor must not make the worker take an old image while a newer one is here."""
        for entry in tuple(self._inputs):
            entry.catch_up()

    def monitor(self, camera: str) -> CameraMonitor:
        """What watches a camera."""
        return self._monitors[camera]

    def reports(self) -> list[CameraReport]:
        """How each camera is doing."""
        return [monitor.report() for monitor in self._monitors.values()]


def _clock(node: LifecycleNode) -> Callable[[], int]:
    """The node's clock in nanoseconds, simulated time where the node follows it."""
    clock = node.get_clock()
    return lambda: int(clock.now().nanoseconds)


def _is_rectified(choice: str, topic: str) -> bool:
    """The parameter's answer, or what the topic's name says."""
    return choice == "yes" or (choice == "auto" and is_rectified_topic(topic))
