"""One frame of one camera, from serialised message to published obstacles."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from time import monotonic
from typing import Any

from rclpy.impl.rcutils_logger import RcutilsLogger
from rclpy.serialization import deserialize_message
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ood_perception.camera import CameraError, CameraModel, Mounting
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.errors import ImageError, OodError
from ood_perception.image_decoding import decode_message
from ood_perception.ros.camera_monitor import CameraMonitor
from ood_perception.ros.camera_outputs import CameraOutputs
from ood_perception.ros.fault_barrier import FaultBarrier, one_line
from ood_perception.ros.image_messages import camera_model
from ood_perception.ros.serialised_stamp import read_stamp_ns
from ood_perception.ros.transforms import MountingSource, MountingUnknownError


class CameraProcessor:
    """Decodes, judges the age, detects, publishes and accounts, in the worker's thread.

    now_ns: the node's clock. is_stopping: whether results come too late to be published.
    """

    def __init__(
        self,
        camera: str,
        pipeline: CameraPipeline,
        outputs: CameraOutputs,
        monitor: CameraMonitor,
        mounting_source: MountingSource,
        *,
        message_type: type[Image] | type[CompressedImage],
        max_frame_age_s: float,
        now_ns: Callable[[], int],
        is_stopping: Callable[[], bool],
        logger: RcutilsLogger,
    ) -> None:
        self._camera = camera
        self._pipeline = pipeline
        self._outputs = outputs
        self._monitor = monitor
        self._mounting_source = mounting_source
        self._message_type = message_type
        self._max_frame_age_s = max_frame_age_s
        self._now_ns = now_ns
        self._is_stopping = is_stopping
        self._logger = logger
        self._model: CameraModel | None = None
        self._model_fault = f"no camera_info received for {camera}"

    def set_camera_info(self, info: CameraInfo) -> None:
        """Takes new intrinsics; the executor's thread calls this."""
        try:
            self._model, self._model_fault = camera_model(info), ""
        except CameraError as error:
            self._model, self._model_fault = None, str(error)

    def process(self, serialised: bytes) -> None:
        """One frame from its bytes to its topics."""
        self._monitor.begin()
        try:
            age_s = (self._now_ns() - read_stamp_ns(serialised)) / 1e9
        except ValueError as error:
            self._monitor.refuse(str(error))
            return
        # Judged before anything is decoded, so that a backlog costs nothing.
        if 0 < self._max_frame_age_s < age_s:
            self._monitor.drop_too_old(age_s, self._max_frame_age_s)
            return
        try:
            self._see(deserialize_message(serialised, self._message_type), age_s)
        except ImageError as error:
            self._monitor.refuse(str(error))

    def fail(self, fault: Exception) -> None:
        """Reports what raised; programming errors are logged with their place."""
        self._monitor.fail(self._log(fault))

    def overwrite(self) -> None:
        """A newer frame took this one's place."""
        self._monitor.overwrite()

    def discard(self) -> None:
        """The node stopped before this frame's turn."""
        self._monitor.discard()

    def _see(self, message: Any, age_s: float) -> None:
        image = decode_message(message)
        stamp_ns = message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec
        model, geometry_fault = self._model, self._model_fault
        mounting, mounting_fault = self._find_mounting(message.header, stamp_ns)
        scene = self._pipeline.process(image, stamp_ns, model, mounting)
        if self._is_stopping():
            self._monitor.discard()
            return
        latency_ns = self._now_ns() - stamp_ns
        counts = self._monitor.account.read_numbers()
        dropped = counts.dropped + counts.refused
        self._outputs.publish_obstacles(scene, message.header, latency_ns, dropped)
        self._monitor.account.publish(latency_ns / 1e9, monotonic())
        # The frame is accounted for before what people look at, so that no picture can fail it.
        self._monitor.finish(scene, age_s, geometry_fault or mounting_fault)
        with FaultBarrier(self._note_fault):
            self._outputs.publish_for_people(scene, image, message.header, latency_ns, dropped)

    def _note_fault(self, fault: Exception) -> None:
        self._monitor.last_error = self._log(fault)

    def _log(self, fault: Exception) -> str:
        if isinstance(fault, OodError):
            text = str(fault)
        else:
            text = "".join(traceback.format_exception(type(fault), fault, fault.__traceback__))
        self._logger.error(f"{self._camera}: {text}", throttle_duration_sec=1.0)
        return one_line(fault)

    def _find_mounting(self, header: Header, stamp_ns: int) -> tuple[Mounting | None, str]:
        try:
            found = self._mounting_source.mounting(self._camera, header.frame_id, stamp_ns)
        except MountingUnknownError as error:
            return None, str(error)
        return found, ""
