"""A scene as vision_msgs detections, as plain nested dicts named as in its .msg files.

Written for vision_msgs 4 (Humble, Jazzy and later). What is seen and where is decided elsewhere:
``detections_2d_fields`` holds every kept obstacle that the image shows, and
``detections_3d_fields`` those that stand in the cloud for planners.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import atan2, cos, isfinite, sin

import numpy as np

from ood_perception.detection import Component
from ood_perception.ground_plane import Placement
from ood_perception.obstacle_message_fields import Fields, time_fields
from ood_perception.obstacle_points import for_planners
from ood_perception.scene import Obstacle, Scene

UNKNOWN_OBSTACLE = "unknown_obstacle"
UNKNOWN_OBSTACLE_ID = 254
"""Above every class of a model; vision_msgs keeps 255 for pixels without a label."""

_NOWHERE = {
    "position": {"x": 0.0, "y": 0.0, "z": 0.0},
    "orientation": {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0},
}
_MIN_SIZE_M = 0.05


def label_info_fields(
    class_names: Sequence[str], threshold: float, stamp_ns: int, frame_id: str
) -> Fields:
    """The fields of LabelInfo: the ids of the picture ``segmentation``, and the unknown obstacle.

    threshold: the anomaly score from which on a pixel belongs to a component, in [0, 1].
    """
    classes = [*enumerate(class_names), (UNKNOWN_OBSTACLE_ID, UNKNOWN_OBSTACLE)]
    return {
        "header": _header(stamp_ns, frame_id),
        "class_map": [{"class_id": key, "class_name": name} for key, name in classes],
        "threshold": float(threshold),
    }


def detections_2d_fields(scene: Scene, frame_id: str) -> Fields:
    """The fields of Detection2DArray: every kept obstacle of this image as a box in its pixels.

    frame_id: of the image; every header carries it with the image's stamp.
    """
    header = _header(scene.stamp_ns, frame_id)
    detections = [
        {
            "header": header,
            "results": [_hypothesis(o.component, _NOWHERE, [0.0] * 36)],
            "bbox": _box_2d(o.component),
            "id": str(o.track_id),
        }
        for o in scene.raw
    ]
    return {"header": header, "detections": detections}


def detections_3d_fields(scene: Scene, ground_frame_id: str) -> Fields:
    """The fields of Detection3DArray: the confirmed, relevant, placed obstacles as upright boxes.

    The box stands behind the visible front, as deep as the footprint's assumption; x of its pose
    looks away from the camera. Only to be published where ``Scene.has_valid_geometry``.
    """
    header = _header(scene.stamp_ns, ground_frame_id)
    detections = [
        _detection_3d(obstacle, spot, header) for obstacle, spot in for_planners(scene.obstacles)
    ]
    return {"header": header, "detections": detections}


def score_of(component: Component) -> float:
    """How sure it is that this is a real obstacle, in [0, 1]: the meta classifier's probability,
    or the highest anomaly score where a model has no meta classifier."""
    probability = float(component.obstacle_probability)
    return probability if isfinite(probability) else float(component.max_score)


def box_on_ground(placement: Placement) -> tuple[float, float, float, float, float]:
    """Middle x and y, depth, width and yaw of the footprint: metres and radians, ground frame."""
    near_left, near_right, far_right, far_left = (np.asarray(p) for p in placement.footprint)
    middle = (near_left + near_right + far_right + far_left) / 4
    away = (far_left + far_right - near_left - near_right) / 2
    sight = away if float(np.hypot(*away)) > 1e-6 else middle
    return (
        float(middle[0]),
        float(middle[1]),
        max(_MIN_SIZE_M, float(np.hypot(*away))),
        max(_MIN_SIZE_M, float(placement.width_m)),
        atan2(float(sight[1]), float(sight[0])),
    )


def position_covariance(placement: Placement, yaw_rad: float) -> list[float]:
    """A pose's 6 x 6 covariance, row by row, with x and y in square metres.

    From the deviations along the line of sight, which points to yaw_rad, and across it. The other
    entries are 0: not given.
    """
    along, across = placement.distance_stddev_m**2, placement.lateral_stddev_m**2
    c, s = cos(yaw_rad), sin(yaw_rad)
    covariance = [0.0] * 36
    covariance[0] = float(c * c * along + s * s * across)
    covariance[7] = float(s * s * along + c * c * across)
    covariance[1] = covariance[6] = float(c * s * (along - across))
    return covariance


def _detection_3d(obstacle: Obstacle, spot: Placement, header: Fields) -> Fields:
    x, y, depth, width, yaw = box_on_ground(spot)
    height = max(_MIN_SIZE_M, float(spot.height_m))
    pose = {
        "position": {"x": x, "y": y, "z": height / 2},
        "orientation": {"x": 0.0, "y": 0.0, "z": sin(yaw / 2), "w": cos(yaw / 2)},
    }
    covariance = position_covariance(spot, yaw)
    return {
        "header": header,
        "results": [_hypothesis(obstacle.component, pose, covariance)],
        "bbox": {"center": pose, "size": {"x": depth, "y": width, "z": height}},
        "id": str(obstacle.track_id),
    }


def _hypothesis(component: Component, pose: Fields, covariance: list[float]) -> Fields:
    return {
        "hypothesis": {"class_id": UNKNOWN_OBSTACLE, "score": score_of(component)},
        "pose": {"pose": pose, "covariance": covariance},
    }


def _box_2d(component: Component) -> Fields:
    region = component.region
    middle = {"x": float(region.x + region.width / 2), "y": float(region.y + region.height / 2)}
    return {
        "center": {"position": middle, "theta": 0.0},
        "size_x": float(region.width),
        "size_y": float(region.height),
    }


def _header(stamp_ns: int, frame_id: str) -> Fields:
    return {"stamp": time_fields(stamp_ns), "frame_id": frame_id}
