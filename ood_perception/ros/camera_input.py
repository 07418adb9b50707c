"""What one camera sends: its images and its camera_info."""

from __future__ import annotations

from rclpy.node import Node
from sensor_msgs.msg import CompressedImage, Image

from ood_perception.ros.camera_monitor import CameraMonitor
from ood_perception.ros.camera_processor import CameraProcessor
from ood_perception.ros.frame_worker import FrameWorker
from ood_perception.ros.image_subscription import ImageSubscription
from ood_perception.ros.info_subscription import info_subscription
from ood_perception.ros.parameters import NodeSettings


class CameraInput:
    """The subscriptions of one camera: from the first ``refresh`` until ``destroy``."""

    def __init__(
        self,
        node: Node,
        camera: str,
        settings: NodeSettings,
        monitor: CameraMonitor,
        processor: CameraProcessor,
        worker: FrameWorker,
    ) -> None:
        self._camera = camera
        self._monitor = monitor
        self._worker = worker
        self._info = info_subscription(node, f"~/{camera}/camera_info", processor.set_camera_info)
        self._images = ImageSubscription(
            node,
            image_type(settings),
            image_topic(camera, settings),
            settings.image_reliability,
            receive=self._receive,
            lose=monitor.account.lose,
        )

    def refresh(self) -> None:
        """Subscribes, and later follows what the publishers offer."""
        self._info.refresh()
        self._images.refresh()
        self._monitor.reliability = self._images.reliability

    def catch_up(self) -> None:
        """Receives the images that have arrived and that the executor has not come to yet."""
        self._images.take_waiting()

    def destroy(self) -> None:
        """Ends both subscriptions."""
        self._images.destroy()
        self._info.destroy()

    def _receive(self, serialised: bytes) -> None:
        self._monitor.receive()
        self._worker.give(self._camera, serialised)


def image_topic(camera: str, settings: NodeSettings) -> str:
    """The topic of the camera's images, relative to the node."""
    return f"~/{camera}/image/compressed" if settings.compressed else f"~/{camera}/image"


def image_type(settings: NodeSettings) -> type[Image] | type[CompressedImage]:
    """The type of the camera's images."""
    return CompressedImage if settings.compressed else Image
