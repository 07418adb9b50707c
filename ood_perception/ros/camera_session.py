"""Everything that runs while the node is active: subscriptions, slots, the worker, the account.

Made whole in activate and ended whole in deactivate, so that each activation starts afresh.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from rclpy.lifecycle import LifecycleNode

from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.ros.camera_input import CameraInput, image_topic, image_type
from ood_perception.ros.camera_monitor import CameraMonitor
from ood_perception.ros.camera_outputs import CameraOutputs
from ood_perception.ros.camera_processor import CameraProcessor
from ood_perception.ros.diagnostics import CameraReport
from ood_perception.ros.frame_worker import FrameWorker
from ood_perception.ros.model_loading import LoadedDetector
from ood_perception.ros.parameters import NodeSettings
from ood_perception.ros.transforms import MountingSource


class CameraSession:
    """All cameras of one activation. on_change: called when the health of a camera changed."""

    def __init__(
        self,
        node: LifecycleNode,
        settings: NodeSettings,
        detector: LoadedDetector,
        outputs: Mapping[str, CameraOutputs],
        mounting_source: MountingSource,
        on_change: Callable[[], None],
    ) -> None:
        self._node = node
        self._settings = settings
        self._monitors = {
            camera: CameraMonitor(
                camera,
                node.resolve_topic_name(image_topic(camera, settings)),
                settings.image_timeout_s,
                on_change,
            )
            for camera in settings.cameras
        }
        self._processors = {
            camera: CameraProcessor(
                camera,
                CameraPipeline(detector, settings.pipeline),
                outputs[camera],
                self._monitors[camera],
                mounting_source,
                message_type=image_type(settings),
                max_frame_age_s=settings.max_frame_age_s,
                now_ns=lambda: node.get_clock().now().nanoseconds,
                is_stopping=lambda: self._worker.is_stopping,
                logger=node.get_logger(),
            )
            for camera in settings.cameras
        }
        self._worker = FrameWorker(self._processors)
        self._inputs: list[CameraInput] = []

    def start(self) -> None:
        """Starts the worker, then subscribes."""
        self._worker.start()
        for camera in self._settings.cameras:
            self._inputs.append(
                CameraInput(
                    self._node,
                    camera,
                    self._settings,
                    self._monitors[camera],
                    self._processors[camera],
                    self._worker,
                )
            )

    def refresh(self) -> None:
        """Follows publishers that came, went, or offer another reliability."""
        for entry in self._inputs:
            entry.refresh()

    def stop(self) -> bool:
        """Unsubscribes and ends the worker; False when the frame at hand does not end."""
        for entry in self._inputs:
            entry.destroy()
        self._inputs.clear()
        return self._worker.stop()

    def reports(self) -> list[CameraReport]:
        """How each camera is doing."""
        return [monitor.report() for monitor in self._monitors.values()]
