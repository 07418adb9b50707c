"""The topics on which the results of one camera go out, and in which order."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from ood_detection.msg import ObstacleComponentArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image, PointCloud2
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from ood_perception.bundle import Bundle
from ood_perception.drawing import colour_labels, draw_overlay
from ood_perception.obstacle_message_fields import array_fields
from ood_perception.obstacle_points import obstacle_points
from ood_perception.ros.foreign_outputs import ForeignOutputs
from ood_perception.ros.image_messages import image_message
from ood_perception.ros.obstacle_messages import component_array, marker_array, point_cloud
from ood_perception.ros.publisher_set import PublisherSet
from ood_perception.scene import Scene

_RESULTS_QOS = QoSProfile(depth=10, reliability=ReliabilityPolicy.RELIABLE)
# One picture at a time: who looks wants the newest, and a slow viewer must not hold up the node.
_PICTURES_QOS = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE)
_PICTURES = ("segmentation", "segmentation_color", "anomaly_score", "overlay")


class CameraOutputs:
    """Publishers of one camera; they publish only while the node is active."""

    def __init__(
        self,
        node: LifecycleNode,
        camera: str,
        bundle: Bundle,
        ground_frame_id: str,
        overlay_reasons: bool,
    ) -> None:
        self._publishers = PublisherSet(node)
        self._camera = camera
        self._bundle = bundle
        self._ground_frame_id = ground_frame_id
        self._overlay_reasons = overlay_reasons
        self._colours = np.array(bundle.class_colors, dtype=np.uint8)[:, ::-1]
        self._obstacles = self._create(ObstacleComponentArray, "obstacles")
        self._points = self._create(PointCloud2, "obstacle_points")
        self._markers = self._create(MarkerArray, "obstacle_markers")
        self._rejected = self._create(ObstacleComponentArray, "rejected")
        self._pictures = {name: self._create(Image, name, _PICTURES_QOS) for name in _PICTURES}
        self._foreign = ForeignOutputs(node, self._publishers, camera, bundle, ground_frame_id)

    def publish_obstacles(
        self, scene: Scene, header: Header, latency_ns: int, dropped_frames: int
    ) -> None:
        """What planners use: the obstacles, and their points where the geometry is valid.

        header: of the image; every output carries its stamp unchanged. Nothing goes out before all
        is made: a fault in the points would leave obstacles of an image that counts as failed.
        """
        fields = self._fields(scene, header, latency_ns, dropped_frames, rejected=False)
        obstacles, cloud = component_array(fields), None
        if scene.has_valid_geometry:
            points = obstacle_points((*scene.obstacles, *scene.known))
            cloud = point_cloud(points, header.stamp, self._ground_frame_id)
        self._obstacles.publish(obstacles)
        if cloud is not None:
            self._points.publish(cloud)

    def publish_for_people(
        self,
        scene: Scene,
        image: NDArray[np.uint8],
        header: Header,
        latency_ns: int,
        dropped_frames: int,
    ) -> None:
        """Other projects' messages, what was rejected, the markers and the pictures: each only
        while someone listens, as most are made for nobody on a vehicle."""
        self._foreign.publish(scene, header.frame_id)
        if self._rejected.get_subscription_count() > 0:
            fields = self._fields(scene, header, latency_ns, dropped_frames, rejected=True)
            self._rejected.publish(component_array(fields))
        if self._markers.get_subscription_count() > 0:
            self._markers.publish(
                marker_array(scene, header.stamp, self._ground_frame_id, self._camera)
            )
        for name, publisher in self._pictures.items():
            if publisher.get_subscription_count() > 0:
                pixels = self._picture(name, scene, image)
                publisher.publish(image_message(pixels, header))

    def destroy(self) -> None:
        """Takes all topics off the graph."""
        self._publishers.destroy()

    def _create(self, kind: type, name: str, qos: QoSProfile = _RESULTS_QOS) -> Any:
        return self._publishers.create(kind, f"~/{self._camera}/{name}", qos)

    def _fields(
        self, scene: Scene, header: Header, latency_ns: int, dropped_frames: int, rejected: bool
    ) -> dict[str, Any]:
        return array_fields(
            scene,
            stamp_ns=scene.stamp_ns,
            frame_id=header.frame_id,
            ground_frame_id=self._ground_frame_id,
            model_id=self._bundle.model_id,
            threshold=self._bundle.manifest.score.threshold,
            latency_ns=latency_ns,
            dropped_frames=dropped_frames,
            rejected=rejected,
        )

    def _picture(self, name: str, scene: Scene, image: NDArray[np.uint8]) -> NDArray[Any]:
        if name == "anomaly_score":
            return scene.detection.image_score()
        if name == "overlay":
            names, reasons = self._bundle.class_names, self._overlay_reasons
            return draw_overlay(image, scene, self._colours, names, reasons)
        labels = scene.detection.image_labels()
        return labels if name == "segmentation" else colour_labels(labels, self._colours)
