"""The real node over real DDS beside a client that feeds it and listens, in one process."""

from __future__ import annotations

import time
from array import array
from contextlib import contextmanager
from threading import Event, Lock

import cv2
import numpy as np
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from ood_detection.msg import ObstacleComponentArray
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from ood_perception.ros.lifecycle_node import OodPerceptionNode
from ood_perception.ros.node_thread import NodeThread

TOPICS = {
    "obstacles": ObstacleComponentArray,
    "obstacle_points": PointCloud2,
    "obstacle_markers": MarkerArray,
    "rejected": ObstacleComponentArray,
}
PICTURES = ("segmentation", "segmentation_color", "anomaly_score", "overlay")
# Its images never change, and its meta classifier weighs no evidence.
SMALL_MODEL = {
    "health.frozen_frames": 0,
    "health.max_anomalous_share": 1.0,
    "tracking.confirm_evidence": 0.0,
}
PLACED = {"mounting_source": "parameters", "camera.mounting.height_m": 1.4}


class Bench:
    """A node and its client. Transitions run in the node's executor, as with a manager."""

    def __init__(self, detector_factory, cameras=("camera",), compressed=False, **parameters):
        self.context = rclpy.Context()
        rclpy.init(context=self.context)
        values = {"cameras": list(cameras), "compressed": compressed, **SMALL_MODEL}
        values |= {name.replace("__", "."): value for name, value in parameters.items()}
        self.node = OodPerceptionNode(
            detector_factory=detector_factory,
            context=self.context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        self.client = rclpy.create_node("client", context=self.context)
        self.cameras = tuple(cameras)
        self.received = {}
        self.order = []
        self._lock = Lock()
        self.listen("/diagnostics", DiagnosticArray)
        for camera in cameras:
            for name, kind in TOPICS.items():
                self.listen(f"{camera}/{name}", kind)
        self._image_type = CompressedImage if compressed else Image
        self._suffix = "image/compressed" if compressed else "image"
        self.publishers = {c: self.create_publisher(c) for c in cameras}
        self.infos = {
            c: self.client.create_publisher(CameraInfo, f"/ood_perception/{c}/camera_info", 1)
            for c in cameras
        }
        self._thread, self._client_thread = NodeThread(self.node), NodeThread(self.client)
        self.wait(self.node_status, "the node's first diagnostics")

    def create_publisher(self, camera, reliability=ReliabilityPolicy.RELIABLE):
        topic = f"/ood_perception/{camera}/{self._suffix}"
        qos = QoSProfile(depth=50, reliability=reliability)
        return self.client.create_publisher(self._image_type, topic, qos)

    def listen(self, topic, kind, qos=50):
        full = topic if topic.startswith("/") else f"/ood_perception/{topic}"

        def keep(message):
            with self._lock:
                self.received.setdefault(topic, []).append(message)
                self.order.append((topic, message))

        return self.client.create_subscription(kind, full, keep, qos)

    def messages(self, topic):
        with self._lock:
            return list(self.received.get(topic, []))

    def in_executor(self, work):
        done, result = Event(), []

        def task():
            result.append(work())
            done.set()

        self._thread.submit(task)
        assert done.wait(30), "the node's executor does not answer"
        return result[0]

    def activate(self):
        assert self.in_executor(self.node.autostart), self.node_status().message
        for camera in self.cameras:
            self.wait(
                lambda c=camera: (
                    self.publishers[c].get_subscription_count() == 1
                    and self.infos[c].get_subscription_count() == 1
                ),
                "the node to subscribe",
            )
        return self

    def wait(self, condition, what, timeout_s=10.0):
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            value = condition()
            if value:
                return value
            time.sleep(0.01)
        raise AssertionError(
            f"waited {timeout_s} s in vain for {what}; node: {self.node_status()}; "
            f"cameras: {[self.camera_status(c) for c in self.cameras]}"
        )

    def statuses(self, name):
        arrays = self.messages("/diagnostics")
        return [s for array_ in arrays for s in array_.status if s.name == name]

    def node_status(self):
        return (self.statuses("ood_perception") or [None])[-1]

    def camera_status(self, camera="camera"):
        return (self.statuses(f"ood_perception: {camera}") or [None])[-1]

    def counters(self, camera="camera"):
        status = self.camera_status(camera)
        return {} if status is None else {v.key: v.value for v in status.values}

    def count(self, key, camera="camera"):
        return int(self.counters(camera).get(key, 0))

    def send_info(self, width=128, height=64, focal_px=100.0, camera="camera"):
        before = self.node._session._processors[camera]._model
        self.infos[camera].publish(camera_info(width, height, focal_px))
        self.wait(
            lambda: self.node._session._processors[camera]._model is not before, "camera_info"
        )

    def send(self, message, camera="camera"):
        self.publishers[camera].publish(message)
        return message

    def stamp(self, age_s=0.0):
        now = self.client.get_clock().now().nanoseconds - int(age_s * 1e9)
        return rclpy.time.Time(nanoseconds=now).to_msg()

    def image(self, pixels, age_s=0.0, **changes):
        """A good message of (H, W, 3) uint8 pixels, unless ``changes`` spoil it."""
        fields = {
            "header": Header(stamp=self.stamp(age_s), frame_id="camera_optical"),
            "height": pixels.shape[0],
            "width": pixels.shape[1],
            "encoding": "bgr8",
            "step": pixels.shape[1] * 3,
            "data": array("B", pixels.tobytes()),
        }
        return Image(**{**fields, **changes})

    def jpeg(self, pixels, keep=1.0):
        """A compressed message of which only the first part is kept."""
        data = cv2.imencode(".jpg", pixels)[1].tobytes()
        return CompressedImage(
            header=Header(stamp=self.stamp(), frame_id="camera_optical"),
            format="bgr8; jpeg compressed bgr8",
            data=array("B", data[: round(len(data) * keep)]),
        )

    def close(self):
        self.in_executor(self.node.end)
        self._thread.stop()
        self._client_thread.stop()
        self.client.destroy_node()
        self.node.destroy_node()
        rclpy.shutdown(context=self.context)


@contextmanager
def benches():
    """Gives a function that makes a bench from a detector factory; all are closed at the end."""
    made = []

    def make(factory, **parameters):
        made.append(Bench(factory, **parameters))
        return made[-1]

    try:
        yield make
    finally:
        for bench in made:
            bench.close()


@contextmanager
def benches_with(detector):
    """The same for one detector, before which ``before(image)`` is called."""
    with benches() as make:
        yield lambda before=lambda image: None, **parameters: make(
            lambda *_: ChangedDetector(detector, before), **parameters
        )


def assert_balance(status):
    """Every image that a camera's status counts as received is accounted for."""
    values = {v.key: v.value for v in status.values}
    parts = ("processed", "dropped", "refused", "pending")
    assert int(values["received"]) == sum(int(values[key]) for key in parts)
    reasons = ("overwritten", "too_old", "out_of_order", "failed", "stopped")
    assert int(values["dropped"]) == sum(int(values[f"dropped_{key}"]) for key in reasons)


def camera_info(width=128, height=64, focal_px=100.0):
    """Intrinsics without distortion, the principal point in the middle."""
    info = CameraInfo(width=width, height=height, distortion_model="plumb_bob", d=[0.0] * 5)
    info.k = [focal_px, 0.0, width / 2 - 0.5, 0.0, focal_px, height / 2 - 0.5, 0.0, 0.0, 1.0]
    return info


def stamps(messages):
    return [(m.header.stamp.sec, m.header.stamp.nanosec) for m in messages]


def stamp_of(message):
    return (message.header.stamp.sec, message.header.stamp.nanosec)


def pixels_of(message):
    """(H, W) or (H, W, 3) array of an image message, by its own encoding."""
    dtype, channels = {"mono8": ("u1", 1), "bgr8": ("u1", 3), "32FC1": ("<f4", 1)}[message.encoding]
    flat = np.frombuffer(message.data, dtype)
    assert message.step == message.width * channels * flat.itemsize
    shape = (message.height, message.width) if channels == 1 else (message.height, message.width, 3)
    return flat.reshape(shape)


class ChangedDetector:
    """A real detector of which one thing is another."""

    def __init__(self, detector, before=lambda image: None):
        self._detector = detector
        self._before = before
        self.bundle = detector.bundle
        self.device = "test"

    def detect(self, image):
        self._before(image)
        return self._detector.detect(image)
