"""Drives one camera of a node in another process: sends images, hears what comes back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from threading import Event, Lock
from typing import Any

import numpy as np
import rclpy
from core_wait import Patience
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from numpy.typing import NDArray
from ood_detection.msg import ObstacleComponentArray
from rcl_interfaces.srv import SetParameters
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

from ood_perception.message_stamp import stamp_ns_of
from ood_perception.ros.image_messages import image_message
from ood_perception.ros.node_thread import NodeThread

NODE = "/ood_perception"
CAMERA = f"{NODE}/camera"
STATUS = "ood_perception: camera"
_STATUSES_KEPT = 200


class NotAsWantedError(Exception):
    """The node did not do what it should have done."""


class NodeDriver:
    """A context manager. Every obstacle array and cloud is kept by its stamp, nanoseconds."""

    def __init__(
        self, is_alive: Callable[[], bool], size: tuple[int, int], process_id: int
    ) -> None:
        """is_alive, process_id: of the node. size: (width, height) that camera_info tells."""
        self._is_alive, self._size = is_alive, size
        self._process_ids = (os.getpid(), process_id)
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("driver", context=self._context)
        self._lock = Lock()
        self.sent = 0
        self.obstacles: set[int] = set()
        self.points: set[int] = set()
        self.heard = 0
        self.statuses: list[DiagnosticStatus] = []
        node, kept = self._node, QoSProfile(depth=100)
        node.create_subscription(
            ObstacleComponentArray, f"{CAMERA}/obstacles", self._keep(self.obstacles), kept
        )
        node.create_subscription(
            PointCloud2, f"{CAMERA}/obstacle_points", self._keep(self.points), kept
        )
        node.create_subscription(DiagnosticArray, "/diagnostics", self._hear, kept)
        self._infos = node.create_publisher(CameraInfo, f"{CAMERA}/camera_info", 1)
        self._images: Any = None
        self._offer_images(ReliabilityPolicy.RELIABLE)
        self._transitions = node.create_client(ChangeState, f"{NODE}/change_state")
        self._parameters = node.create_client(SetParameters, f"{NODE}/set_parameters")
        self._thread = NodeThread(node)

    def __enter__(self) -> NodeDriver:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def publish_as(self, reliability: ReliabilityPolicy) -> None:
        """A new publisher of images, which offers this."""
        made = Event()

        def make() -> None:
            self._offer_images(reliability)
            made.set()

        # An executor raises that waits for a publisher's events while it is destroyed.
        self._thread.submit(make)
        self.wait(made.is_set, "a publisher of this process's own")

    def _offer_images(self, reliability: ReliabilityPolicy) -> None:
        if self._images is not None:
            self._node.destroy_publisher(self._images)
        qos = QoSProfile(depth=5, reliability=reliability)
        self._images = self._node.create_publisher(Image, f"{CAMERA}/image", qos)

    def image(self, pixels: NDArray[np.uint8], shift_s: float = 0.0, **changes: Any) -> Image:
        """A message of (H, W, 3) uint8 BGR stamped now, unless changes spoil it."""
        now_ns = self._node.get_clock().now().nanoseconds + round(shift_s * 1e9)
        stamp = rclpy.time.Time(nanoseconds=now_ns).to_msg()
        message = image_message(pixels, Header(stamp=stamp, frame_id="camera_optical"))
        for name, value in changes.items():
            setattr(message, name, value)
        return message

    def send(self, message: Image | bytes) -> int:
        """Publishes; returns the stamp in nanoseconds, 0 for bytes."""
        self.sent += 1
        self._images.publish(message)
        return 0 if isinstance(message, bytes) else stamp_ns_of(message)

    def send_info(self, focal_px: float) -> None:
        """Publishes camera_info of such a focal length."""
        width, height = self._size
        k = [focal_px, 0.0, width / 2, 0.0, focal_px, height / 2, 0.0, 0.0, 1.0]
        info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
        info.k = k
        self._infos.publish(info)

    def change_state(self, transition: str) -> bool:
        """Asks for a transition; whether it was made."""
        number = getattr(Transition, f"TRANSITION_{transition.upper()}")
        request = ChangeState.Request(transition=Transition(id=number))
        return bool(self._call(self._transitions, request).success)

    def set_parameter(self, parameter: Any) -> bool:
        """Asks for a parameter (rcl_interfaces/Parameter); whether it was set."""
        request = SetParameters.Request(parameters=[parameter])
        return bool(self._call(self._parameters, request).results[0].successful)

    @property
    def status(self) -> DiagnosticStatus | None:
        """The newest status of the camera."""
        with self._lock:
            return self.statuses[-1] if self.statuses else None

    @property
    def state(self) -> str:
        """The newest state of the camera, empty before the first."""
        status = self.status
        return "" if status is None else str(status.values[0].value)

    def states_since(self, heard: int) -> list[str]:
        """The camera's states, the newest last, that came when so many had been heard."""
        with self._lock:
            new = self.statuses[max(0, len(self.statuses) - (self.heard - heard)) :]
        return [str(status.values[0].value) for status in new]

    def patience(self, limit_s: float) -> Patience:
        """A limit that begins now, less the time that node and driver wait for a core."""
        return Patience(limit_s, self._process_ids)

    def wait(self, condition: Callable[[], bool], what: str, limit_s: float = 10.0) -> float:
        """Seconds until it held. Raises NotAsWantedError after the limit (of `patience`), or when
        the node died."""
        patience = self.patience(limit_s)
        while not condition():
            if not self._is_alive():
                raise NotAsWantedError(f"the node ended while it was waited for {what}")
            if patience.is_over():
                status = self.status
                told = "nothing" if status is None else f"{self.state}: {status.message}"
                raise NotAsWantedError(f"waited {limit_s:g} s in vain for {what}; it says {told}")
            time.sleep(0.002)
        return patience.elapsed_s

    def _call(self, client: Any, request: Any) -> Any:
        if not client.wait_for_service(10):
            raise NotAsWantedError(f"no server for {client.srv_name}")
        done = client.call_async(request)
        self.wait(done.done, f"an answer of {client.srv_name}", 20.0)
        return done.result()

    def _keep(self, stamps: set[int]) -> Callable[[Any], None]:
        return lambda message: stamps.add(stamp_ns_of(message))

    def _hear(self, message: DiagnosticArray) -> None:
        new = [status for status in message.status if status.name == STATUS]
        with self._lock:
            self.heard += len(new)
            self.statuses += new
            del self.statuses[:-_STATUSES_KEPT]
