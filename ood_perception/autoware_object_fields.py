"""A scene as autoware_perception_msgs/DetectedObjects, as plain nested dicts named as in its .msg.

For Autoware's object pipeline (tracking, prediction, obstacle stop); its emergency braking takes
the point cloud. An unknown obstacle is a polygon of class UNKNOWN at rest or not: one camera cannot
say, so no speed is given.
"""

from __future__ import annotations

from ood_perception.ground_plane import Placement
from ood_perception.obstacle_message_fields import Fields, time_fields
from ood_perception.obstacle_points import for_planners
from ood_perception.scene import Obstacle, Scene
from ood_perception.vision_message_fields import box_on_ground, position_covariance, score_of

# Constants of ObjectClassification, DetectedObjectKinematics and Shape.
LABEL_UNKNOWN = 0
ORIENTATION_UNAVAILABLE = 0
SHAPE_POLYGON = 2

_MIN_HEIGHT_M = 0.1
_NO_TURN = {"x": 0.0, "y": 0.0, "z": 0.0, "w": 1.0}
_ZERO = {"x": 0.0, "y": 0.0, "z": 0.0}


def detected_objects_fields(scene: Scene, ground_frame_id: str) -> Fields:
    """The fields of DetectedObjects: the confirmed, relevant, placed obstacles.

    Only to be published where ``Scene.has_valid_geometry``.
    """
    return {
        "header": {"stamp": time_fields(scene.stamp_ns), "frame_id": ground_frame_id},
        "objects": [_object(obstacle, spot) for obstacle, spot in for_planners(scene.obstacles)],
    }


def _object(obstacle: Obstacle, spot: Placement) -> Fields:
    x, y, _, _, yaw = box_on_ground(spot)
    score = score_of(obstacle.component)
    height = max(_MIN_HEIGHT_M, float(spot.height_m))
    return {
        "existence_probability": score,
        "classification": [{"label": LABEL_UNKNOWN, "probability": 1.0}],
        "kinematics": {
            "pose_with_covariance": {
                "pose": {"position": {"x": x, "y": y, "z": height / 2}, "orientation": _NO_TURN},
                "covariance": position_covariance(spot, yaw),
            },
            "has_position_covariance": True,
            "orientation_availability": ORIENTATION_UNAVAILABLE,
            "twist_with_covariance": {
                "twist": {"linear": _ZERO, "angular": _ZERO},
                "covariance": [0.0] * 36,
            },
            "has_twist": False,
            "has_twist_covariance": False,
        },
        "shape": _polygon(spot, x, y, height),
    }


def _polygon(spot: Placement, x: float, y: float, height: float) -> Fields:
    """The footprint about the pose, whose axes are those of the ground frame."""
    corners = [(float(px) - x, float(py) - y) for px, py in spot.footprint]
    xs, ys = zip(*corners, strict=True)
    return {
        "type": SHAPE_POLYGON,
        "footprint": {"points": [{"x": cx, "y": cy, "z": 0.0} for cx, cy in corners]},
        "dimensions": {"x": max(xs) - min(xs), "y": max(ys) - min(ys), "z": height},
    }
