"""Obstacles in the messages of vision_msgs and Autoware, where those packages are installed.

Nobody is made to install them: a topic whose package is missing does not exist, and the log says
so once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from ood_perception.autoware_object_fields import detected_objects_fields
from ood_perception.bundle import Bundle
from ood_perception.errors import OodError
from ood_perception.obstacle_message_fields import Fields
from ood_perception.ros.message_classes import filled, message_class
from ood_perception.ros.publisher_set import PublisherSet
from ood_perception.scene import Scene
from ood_perception.vision_message_fields import (
    detections_2d_fields,
    detections_3d_fields,
    label_info_fields,
)

TOPICS = {
    "detections": "vision_msgs/msg/Detection2DArray",
    "detections_3d": "vision_msgs/msg/Detection3DArray",
    "label_info": "vision_msgs/msg/LabelInfo",
    "objects": "autoware_perception_msgs/msg/DetectedObjects",
}
"""The topics below a camera's name, and their types."""

_RESULTS_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
_LATCHED_QOS = QoSProfile(
    depth=1,
    reliability=ReliabilityPolicy.RELIABLE,
    durability=DurabilityPolicy.TRANSIENT_LOCAL,
)


class ForeignOutputs:
    """Publishers of one camera for other projects' messages, among the camera's others."""

    def __init__(
        self,
        node: LifecycleNode,
        publishers: PublisherSet,
        camera: str,
        bundle: Bundle,
        ground_frame_id: str,
    ) -> None:
        self._bundle = bundle
        self._ground_frame_id = ground_frame_id
        self._classes = _installed(node)
        self._publishers = {
            name: publishers.create(
                kind, f"~/{camera}/{name}", _LATCHED_QOS if name == "label_info" else _RESULTS_QOS
            )
            for name, kind in self._classes.items()
        }
        self._label_info_frame: str | None = None

    def publish(self, scene: Scene, frame_id: str) -> None:
        """One scene on every topic that someone listens to; those in metres only where the scene's
        geometry is valid.

        frame_id: of the image.
        """
        if frame_id != self._label_info_frame:
            self._publish_label_info(scene.stamp_ns, frame_id)
        self._publish("detections", lambda: detections_2d_fields(scene, frame_id))
        if scene.has_valid_geometry:
            frame = self._ground_frame_id
            self._publish("detections_3d", lambda: detections_3d_fields(scene, frame))
            self._publish("objects", lambda: detected_objects_fields(scene, frame))

    def _publish(self, name: str, fields: Callable[[], Fields], latched: bool = False) -> None:
        publisher = self._publishers.get(name)
        if publisher is not None and (latched or publisher.get_subscription_count() > 0):
            publisher.publish(filled(self._classes[name](), fields()))

    def _publish_label_info(self, stamp_ns: int, frame_id: str) -> None:
        manifest = self._bundle.manifest
        self._publish(
            "label_info",
            lambda: label_info_fields(
                self._bundle.class_names, manifest.score.threshold, stamp_ns, frame_id
            ),
            latched=True,  # for who comes later
        )
        self._label_info_frame = frame_id


def _installed(node: LifecycleNode) -> dict[str, Any]:
    """Message class of each topic whose package is there; the log names the others."""
    found: dict[str, Any] = {}
    missing: dict[str, list[str]] = {}
    for name, typename in TOPICS.items():
        try:
            found[name] = message_class(typename)
        except OodError:
            missing.setdefault(typename.partition("/")[0], []).append(name)
    for package, names in missing.items():
        node.get_logger().debug(f"{package} is not installed: no topic {', '.join(names)}")
    if missing:
        packages = ", ".join(missing)
        node.get_logger().info(f"without the topics that need {packages}: not installed", once=True)
    return found
