"""Drives one camera of a node in another process: sends images, hears what comes back."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable
from threading import Event, Lock, Thread
from typing import Any

import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from numpy.typing import NDArray
from ood_detection.msg import ObstacleComponentArray
from rcl_interfaces.srv import SetParameters
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image, PointCloud2
from std_msgs.msg import Header

NODE = "/ood_perception"
CAMERA = f"{NODE}/camera"
STATUS = "ood_perception: camera"


class NotAsWantedError(Exception):
    """The node did not do what it should have done."""


class NodeDriver:
    """A context manager. Every obstacle array and cloud is kept by its stamp, nanoseconds."""

    def __init__(self, is_alive: Callable[[], bool], size: tuple[int, int]) -> None:
        """is_alive: of the node's process. size: (width, height) that camera_info tells."""
        self._is_alive, self._size = is_alive, size
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        self._node = rclpy.create_node("driver", context=self._context)
        self._lock = Lock()
        self.sent = 0
        self.obstacles: set[int] = set()
        self.points: set[int] = set()
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
        self.publish_as(ReliabilityPolicy.RELIABLE)
        self._transitions = node.create_client(ChangeState, f"{NODE}/change_state")
        self._parameters = node.create_client(SetParameters, f"{NODE}/set_parameters")
        self._executor: Any = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(node)
        self._ended = Event()
        self._thread = Thread(target=self._spin, daemon=True)
        self._thread.start()

    def __enter__(self) -> NodeDriver:
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(10)
        self._executor.shutdown()
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def publish_as(self, reliability: ReliabilityPolicy) -> None:
        """A new publisher of images, which offers this."""
        if self._images is not None:
            self._node.destroy_publisher(self._images)
        qos = QoSProfile(depth=5, reliability=reliability)
        self._images = self._node.create_publisher(Image, f"{CAMERA}/image", qos)

    def image(self, pixels: NDArray[np.uint8], shift_s: float = 0.0, **changes: Any) -> Image:
        """A message of (H, W, 3) uint8 BGR stamped now, unless changes spoil it."""
        now_ns = self._node.get_clock().now().nanoseconds + round(shift_s * 1e9)
        fields = {
            "header": Header(
                stamp=rclpy.time.Time(nanoseconds=now_ns).to_msg(), frame_id="camera_optical"
            ),
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "encoding": "bgr8",
            "step": pixels.shape[1] * 3,
            "data": array("B", pixels.tobytes()),
        }
        return Image(**{**fields, **changes})

    def send(self, message: Image | bytes) -> int:
        """Publishes; returns the stamp in nanoseconds, 0 for bytes."""
        self.sent += 1
        self._images.publish(message)
        return 0 if isinstance(message, bytes) else stamp_ns(message)

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

    def wait(self, condition: Callable[[], bool], what: str, limit_s: float = 10.0) -> float:
        """Seconds until it held. Raises NotAsWantedError after the limit, or when the node died."""
        start = time.monotonic()
        while not condition():
            if not self._is_alive():
                raise NotAsWantedError(f"the node ended while it was waited for {what}")
            if time.monotonic() - start > limit_s:
                status = self.status
                told = "nothing" if status is None else f"{self.state}: {status.message}"
                raise NotAsWantedError(f"waited {limit_s:g} s in vain for {what}; it says {told}")
            time.sleep(0.002)
        return time.monotonic() - start

    def _call(self, client: Any, request: Any) -> Any:
        if not client.wait_for_service(10):
            raise NotAsWantedError(f"no server for {client.srv_name}")
        done = client.call_async(request)
        self.wait(done.done, f"an answer of {client.srv_name}", 20.0)
        return done.result()

    def _keep(self, stamps: set[int]) -> Callable[[Any], None]:
        return lambda message: stamps.add(stamp_ns(message))

    def _hear(self, message: DiagnosticArray) -> None:
        with self._lock:
            self.statuses += [status for status in message.status if status.name == STATUS]
            del self.statuses[:-50]

    def _spin(self) -> None:
        while not self._ended.is_set():
            try:
                self._executor.spin_once(timeout_sec=0.1)
            except ExternalShutdownException:
                return


def stamp_ns(message: Any) -> int:
    """Nanoseconds of a header's stamp."""
    return int(message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec)
