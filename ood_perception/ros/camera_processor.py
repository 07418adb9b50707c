"""One frame of one camera, from serialised message to published obstacles."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from rclpy.impl.rcutils_logger import RcutilsLogger
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header

from ood_perception.camera import CameraModel, Mounting
from ood_perception.camera_pipeline import Accepted, CameraPipeline
from ood_perception.depth_placement import DepthAt
from ood_perception.ego_motion import EgoPose
from ood_perception.errors import BlindCameraError, ImageError, OodError
from ood_perception.ros.batching import Answer
from ood_perception.ros.camera_monitor import CameraMonitor
from ood_perception.ros.camera_outputs import CameraOutputs
from ood_perception.ros.fault_barrier import FaultBarrier, one_line
from ood_perception.ros.frame_timings import FrameTiming
from ood_perception.ros.image_conversion import Decode
from ood_perception.ros.image_messages import camera_model
from ood_perception.ros.received_frame import ReceivedFrame
from ood_perception.ros.serialised_image import read_image
from ood_perception.ros.serialised_stamp import read_stamp_ns
from ood_perception.ros.stamp_watch import StampJudgement, StampVerdict, StampWatch
from ood_perception.ros.transforms import MountingSource, MountingUnknownError

_REFUSED_STAMPS = (StampVerdict.IN_FUTURE, StampVerdict.STANDS_STILL, StampVerdict.UNSTEADY)
_NO_POSE = "~/odometry does not tell the vehicle's pose at the image's stamp: is it published?"


class PreparedFrame(NamedTuple):
    """An image that waits for the detector. age_s: when it was taken, by the node's clock.
    begun_s: when its turn came, by the steady clock."""

    image: NDArray[np.uint8]
    accepted: Accepted
    header: Header
    age_s: float
    frame: ReceivedFrame
    begun_s: float

    def timing(self, finished_s: float, latency_s: float, detector_s: float) -> FrameTiming:
        """How long it took, now that it is published."""
        received_s = self.frame.received_s
        return FrameTiming(
            finished_s=finished_s,
            latency=latency_s,
            reception_latency=finished_s - received_s,
            wait=self.begun_s - received_s,
            detector=detector_s,
            stamp_ns=self.accepted.stamp_ns,
        )


class CameraProcessor:
    """Decodes, judges stamp and health, publishes and accounts, in the worker's thread.

    now_ns: the node's clock. is_stopping: whether results come too late to be published.
    decode: from an image message to BGR pixels. rectified: whether images are rectified already.
    pose_at: the vehicle's pose at a stamp in nanoseconds, where odometry tells it. wants_pose:
    whether it is a warning that it does not. depth_at: how to get the distances measured at an
    image's stamp, where some are subscribed.
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
        decode: Decode,
        max_frame_age_s: float,
        now_ns: Callable[[], int],
        is_stopping: Callable[[], bool],
        logger: RcutilsLogger,
        rectified: bool = False,
        pose_at: Callable[[int], EgoPose | None] = lambda stamp_ns: None,
        wants_pose: bool = False,
        depth_at: Callable[[int, Header], DepthAt | None] = lambda stamp_ns, header: None,
    ) -> None:
        self._camera = camera
        self._rectified = rectified
        self._pose_at, self._wants_pose = pose_at, wants_pose
        self._depth_at = depth_at
        self._pipeline = pipeline
        self._outputs = outputs
        self._monitor = monitor
        self._mounting_source = mounting_source
        self._message_type = message_type
        self._decode = decode
        self._stamps = StampWatch(max_frame_age_s)
        self._now_ns = now_ns
        self._is_stopping = is_stopping
        self._logger = logger
        self._model: CameraModel | None = None
        self._model_fault = f"no camera_info received for {camera}"

    def set_camera_info(self, info: CameraInfo) -> None:
        """Takes new intrinsics; the executor's thread calls this."""
        # The executor's thread must survive whatever a driver writes into it.
        with FaultBarrier(self._refuse_camera_info):
            self._model, self._model_fault = camera_model(info, self._rectified), ""

    def _refuse_camera_info(self, fault: Exception) -> None:
        self._model, self._model_fault = None, one_line(fault)

    def prepare(self, frame: ReceivedFrame) -> PreparedFrame | None:
        """From a frame's bytes to an image for the detector; None when it is of no use."""
        self._monitor.begin()
        begun_s = monotonic()
        try:
            stamp_ns = read_stamp_ns(frame.serialised)
        except ValueError as error:
            self._monitor.refuse(str(error))
            return None
        # Judged before anything is decoded, so that a backlog costs nothing.
        judgement = self._stamps.judge(stamp_ns, self._now_ns())
        if not self._is_timely(judgement):
            return None
        try:
            message = read_image(frame.serialised, self._message_type)
            image = self._decode(message)
            accepted = self._pipeline.accept(image, stamp_ns)
        except ImageError as error:
            self._refuse(error)
            return None
        return PreparedFrame(image, accepted, message.header, judgement.age_s, frame, begun_s)

    def complete(self, prepared: PreparedFrame, answer: Answer) -> None:
        """From the detector's answer to the topics. Raises the fault of the answer."""
        if answer.detection is None:
            raise answer.fault or AssertionError("an answer holds a detection or a fault")
        accepted, header = prepared.accepted, prepared.header
        model, geometry_fault = self._model, self._model_fault
        mounting, mounting_fault = self._find_mounting(header, accepted.stamp_ns)
        try:
            pose = self._pose_at(accepted.stamp_ns)
            depth = self._depth_at(accepted.stamp_ns, header)
            scene = self._pipeline.complete(
                accepted, answer.detection, model, mounting, pose=pose, depth=depth
            )
            if self._wants_pose and pose is None:
                scene = replace(scene, notes=(*scene.notes, _NO_POSE))
        except ImageError as error:
            self._refuse(error)
            return
        if self._is_stopping():
            self._monitor.discard()
            return
        latency_ns = self._now_ns() - accepted.stamp_ns
        counts = self._monitor.account.read()
        dropped = counts.dropped + counts.refused
        self._outputs.publish_obstacles(scene, header, latency_ns, dropped)
        timing = prepared.timing(monotonic(), latency_ns / 1e9, answer.seconds)
        # The frame is accounted for before what people look at, so that no picture can fail it.
        fault = geometry_fault or mounting_fault
        self._monitor.finish(scene, prepared.age_s, fault, timing)
        with FaultBarrier(self._note_fault):
            self._outputs.publish_for_people(scene, prepared.image, header, latency_ns, dropped)

    def fail(self, fault: Exception) -> None:
        """Reports what raised; programming errors are logged with their place."""
        self._monitor.fail(self._log(fault))

    def overwrite(self) -> None:
        """A newer frame took this one's place."""
        self._monitor.overwrite()

    def discard(self) -> None:
        """The node stopped before this frame's turn."""
        self._monitor.discard()

    def _refuse(self, error: ImageError) -> None:
        """An image without use, or one of a camera that cannot see."""
        state = "degraded" if isinstance(error, BlindCameraError) else "bad_image"
        self._monitor.refuse(str(error), state)

    def _is_timely(self, judgement: StampJudgement) -> bool:
        """Whether the image may be used; one that may not is accounted for."""
        verdict, _, text = judgement
        if verdict is StampVerdict.TOO_OLD:
            self._monitor.drop_too_old(text)
        elif verdict is StampVerdict.OUT_OF_ORDER:
            self._monitor.drop_out_of_order()
        elif verdict in _REFUSED_STAMPS:
            self._monitor.refuse(text, "bad_stamp")
        elif verdict is StampVerdict.JUMPED_BACK:
            self._monitor.account.jump()
            self._mounting_source.reset()
            self._logger.warning(f"{self._camera}: {text}")
        return verdict in (StampVerdict.GOOD, StampVerdict.JUMPED_BACK)

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
