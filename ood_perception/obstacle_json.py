"""Detections and scenes as plain dicts for JSON files, with keys that stay.

Numbers are rounded to what they mean; what cannot be had is null, never a made-up value.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from ood_perception.detection import Component, Detection
from ood_perception.ground_plane import Placement
from ood_perception.scene import Obstacle, Scene

Json = dict[str, Any]


def detection_to_json(detection: Detection, *, contours: bool = False) -> Json:
    """What was seen in one image.

    Keys: image_size [height, width]; obstacles and rejected, lists of components by the meta
    classifier's decision; stage_ms, milliseconds by stage.

    A component has: region {x, y, width, height} and area_px in pixels of the image;
    obstacle_probability, mean_score, max_score, road_border_share in [0, 1]; reasons, a list of
    {metric, value, contribution}; and with contours its contour as [[x, y], ...].
    """
    return {
        "image_size": list(detection.image_size),
        "obstacles": [_component(component, contours) for component in detection.kept],
        "rejected": [_component(component, contours) for component in detection.rejected],
        "stage_ms": _milliseconds(detection.stage_seconds),
    }


def scene_to_json(scene: Scene, *, contours: bool = False) -> Json:
    """What was seen in one frame of a camera.

    Keys: stamp_ns; status, a name of ``Status``; image_size [height, width]; obstacles; rejected,
    a list of components as in ``detection_to_json``; unplaced; unconfirmable; notes;
    stage_ms.

    An obstacle is a component with id (its track), confirmed, relevant, held (confirmed and not in
    this image: the component is then of an earlier one), and place: null, or
    {x_m, y_m, z_m, distance_m, distance_stddev_m, lateral_stddev_m, width_m, height_m,
    truncated, footprint [[x, y], ...]} in the ground frame (x forward, y left, z up), metres.
    """
    return {
        "stamp_ns": int(scene.stamp_ns),
        "status": scene.status.name,
        "image_size": list(scene.image_size),
        "obstacles": [_obstacle(obstacle, contours) for obstacle in scene.obstacles],
        "rejected": [_component(component, contours) for component in scene.rejected],
        "unplaced": int(scene.unplaced),
        "unconfirmable": int(scene.unconfirmable),
        "notes": list(scene.notes),
        "stage_ms": _milliseconds(scene.stage_seconds),
    }


def _obstacle(obstacle: Obstacle, contours: bool) -> Json:
    return {
        "id": int(obstacle.track_id),
        "confirmed": bool(obstacle.confirmed),
        "relevant": bool(obstacle.relevant),
        "held": bool(obstacle.held),
        **_component(obstacle.component, contours),
        "place": None if obstacle.placement is None else _place(obstacle.placement),
    }


def _component(component: Component, contours: bool) -> Json:
    fields: Json = {
        "region": {
            name: int(value)
            for name, value in zip(component.region._fields, component.region, strict=True)
        },
        "area_px": _number(component.area_px, 1),
        "obstacle_probability": _number(component.obstacle_probability, 4),
        "mean_score": _number(component.mean_score, 4),
        "max_score": _number(component.max_score, 4),
        "road_border_share": _number(component.road_border_share, 4),
        "reasons": [
            {
                "metric": reason.metric,
                "value": _number(reason.value, 6),
                "contribution": _number(reason.contribution, 4),
            }
            for reason in component.reasons
        ],
    }
    if contours:
        fields["contour"] = np.asarray(component.contour).astype(int).tolist()
    return fields


def _place(placement: Placement) -> Json:
    x, y, z = (_number(value, 3) for value in placement.position)
    return {
        "x_m": x,
        "y_m": y,
        "z_m": z,
        "distance_m": _number(placement.distance_m, 3),
        "distance_stddev_m": _number(placement.distance_stddev_m, 3),
        "lateral_stddev_m": _number(placement.lateral_stddev_m, 3),
        "width_m": _number(placement.width_m, 3),
        "height_m": _number(placement.height_m, 3),
        "truncated": bool(placement.truncated),
        "footprint": [[_number(value, 3) for value in point] for point in placement.footprint],
    }


def _milliseconds(seconds: dict[str, float]) -> dict[str, float | None]:
    return {stage: _number(value * 1000, 3) for stage, value in seconds.items()}


def _number(value: float, digits: int) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return round(float(value), digits) if isfinite(value) else None
