"""The fields of ObstacleComponentArray from a scene, as plain nested dicts named as in the .msg.

The node turns them into rclpy's messages, the replay into those of a bag: what a field says is
decided here alone.
"""

from __future__ import annotations

from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Component
from ood_perception.ground_plane import Placement
from ood_perception.scene import Obstacle, Scene

RANGE_SOURCE_NONE = 0

Fields = dict[str, Any]


def array_fields(
    scene: Scene,
    *,
    stamp_ns: int,
    frame_id: str,
    ground_frame_id: str,
    model_id: str,
    threshold: float,
    latency_ns: int,
    dropped_frames: int,
    rejected: bool = False,
) -> Fields:
    """All fields of one ObstacleComponentArray.

    stamp_ns, frame_id: of the image, unchanged. ground_frame_id: where positions are given; left
    empty in the message when no component has one. latency_ns: from the stamp to publication.
    rejected: the components that the meta classifier dropped instead of the kept ones.

    Returns nested dicts, lists, and scalars; stamp and duration as {"sec", "nanosec"}, points as
    {"x", "y", "z"}.
    """
    if rejected:
        components = [rejected_fields(component) for component in scene.rejected]
    else:
        components = [obstacle_fields(obstacle) for obstacle in scene.obstacles]
    height, width = scene.image_size
    placed = any(component["has_position"] for component in components)
    return {
        "header": {"stamp": time_fields(stamp_ns), "frame_id": frame_id},
        "ground_frame_id": ground_frame_id if placed else "",
        "image_width": int(width),
        "image_height": int(height),
        "model_id": model_id,
        "threshold": float(threshold),
        "status": int(scene.status),
        "latency": time_fields(latency_ns),
        "dropped_frames": int(dropped_frames),
        "components": components,
    }


def obstacle_fields(obstacle: Obstacle) -> Fields:
    """The fields of one ObstacleComponent that the meta classifier keeps."""
    return {
        "id": int(obstacle.track_id),
        **_image_fields(obstacle.component),
        **_place_fields(obstacle.placement),
        "confirmed": bool(obstacle.confirmed),
        "relevant": bool(obstacle.relevant),
        "held": bool(obstacle.held),
        "hidden": bool(obstacle.hidden),
        "unseen_s": float(obstacle.unseen_s),
        "velocity": _velocity_fields(obstacle.velocity),
    }


def rejected_fields(component: Component) -> Fields:
    """The fields of one ObstacleComponent that was dropped: neither followed nor placed."""
    return {
        "id": 0,
        **_image_fields(component),
        **_place_fields(None),
        "confirmed": False,
        "relevant": False,
        "held": False,
        "hidden": False,
        "unseen_s": 0.0,
        "velocity": _velocity_fields(None),
    }


def time_fields(nanoseconds: int) -> Fields:
    """A Time or Duration; nanosec is in [0, 1e9) and sec carries the sign."""
    seconds, rest = divmod(int(nanoseconds), 1_000_000_000)
    return {"sec": seconds, "nanosec": rest}


def _image_fields(component: Component) -> Fields:
    region = component.region
    return {
        "region_of_interest": {
            "x_offset": int(region.x),
            "y_offset": int(region.y),
            "height": int(region.height),
            "width": int(region.width),
            "do_rectify": False,
        },
        "contour": _polygon(component.contour),
        "area_px": float(component.area_px),
        "obstacle_probability": float(component.obstacle_probability),
        "mean_score": float(component.mean_score),
        "max_score": float(component.max_score),
        "road_border_share": float(component.road_border_share),
        "reason_metrics": [reason.metric for reason in component.reasons],
        "reason_values": [float(reason.value) for reason in component.reasons],
        "reason_contributions": [float(reason.contribution) for reason in component.reasons],
    }


def _place_fields(placement: Placement | None) -> Fields:
    """Everything in metres; not a number where there is no place, never a made-up value."""
    if placement is None:
        return {
            "has_position": False,
            "range_source": RANGE_SOURCE_NONE,
            "position": {"x": nan, "y": nan, "z": nan},
            "truncated": False,
            "distance_m": nan,
            "distance_stddev_m": nan,
            "lateral_stddev_m": nan,
            "width_m": nan,
            "height_m": nan,
            "footprint": {"points": []},
        }
    x, y, z = (float(value) for value in placement.position)
    return {
        "has_position": True,
        "range_source": int(placement.source),
        "position": {"x": x, "y": y, "z": z},
        "truncated": bool(placement.truncated),
        "distance_m": float(placement.distance_m),
        "distance_stddev_m": float(placement.distance_stddev_m),
        "lateral_stddev_m": float(placement.lateral_stddev_m),
        "width_m": float(placement.width_m),
        "height_m": float(placement.height_m),
        "footprint": _polygon(placement.footprint),
    }


def _velocity_fields(velocity: NDArray[np.float64] | None) -> Fields:
    """Along the ground, (2,) metres a second; not a number where it is not known."""
    x, y = (nan, nan) if velocity is None else (float(value) for value in velocity)
    return {"x": x, "y": y, "z": nan if velocity is None else 0.0}


def _polygon(points: NDArray[Any]) -> Fields:
    """(k, 2) points (x, y) with z = 0."""
    pairs = np.asarray(points, dtype=np.float64).tolist()
    return {"points": [{"x": x, "y": y, "z": 0.0} for x, y in pairs]}
