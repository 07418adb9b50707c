"""Obstacles as messages: the component array, the point cloud, and markers for RViz."""

from __future__ import annotations

from typing import Any

import numpy as np
from builtin_interfaces.msg import Duration, Time
from geometry_msgs.msg import Point
from numpy.typing import NDArray
from ood_detection.msg import ObstacleComponentArray
from sensor_msgs.msg import PointCloud2, PointField
from std_msgs.msg import ColorRGBA, Header
from visualization_msgs.msg import Marker, MarkerArray

from ood_perception.ground_plane import Placement
from ood_perception.ros.image_messages import byte_array
from ood_perception.ros.serialised_message import serialised
from ood_perception.scene import Obstacle, Scene

_MIN_MARKER_HEIGHT_M = 0.1
_TEXT_HEIGHT_M = 0.4
# Longer than the slowest camera's interval; who looks must not take silence for an obstacle.
_SHOWN_FOR = Duration(sec=1, nanosec=500_000_000)
_CONFIRMED = ColorRGBA(r=1.0, g=0.2, b=0.2, a=0.8)
_UNCONFIRMED = ColorRGBA(r=1.0, g=0.7, b=0.0, a=0.6)
_IRRELEVANT = ColorRGBA(r=0.3, g=0.75, b=1.0, a=0.4)
_POINT_FIELDS = [
    PointField(name=name, offset=4 * place, datatype=PointField.FLOAT32, count=1)
    for place, name in enumerate("xyz")
]
_WHITE = ColorRGBA(r=1.0, g=1.0, b=1.0, a=1.0)


def component_array(fields: dict[str, Any]) -> bytes:
    """The serialised ObstacleComponentArray of the fields that
    ``obstacle_message_fields.array_fields`` gives."""
    return serialised(ObstacleComponentArray, fields)


def point_cloud(points: NDArray[np.float32], stamp: Time, ground_frame_id: str) -> PointCloud2:
    """points: (n, 3) float32 metres in the ground frame; n may be 0, which means clear."""
    dense = np.ascontiguousarray(points, dtype="<f4")
    return PointCloud2(
        header=Header(stamp=stamp, frame_id=ground_frame_id),
        height=1,
        width=len(dense),
        fields=_POINT_FIELDS,
        is_bigendian=False,
        point_step=12,
        row_step=12 * len(dense),
        data=byte_array(dense),
        is_dense=True,
    )


def marker_array(scene: Scene, stamp: Time, ground_frame_id: str, camera: str) -> MarkerArray:
    """A box and a text for every placed obstacle; what was there before is deleted first, and
    what nothing follows goes by itself.

    Red: confirmed and relevant, amber: not confirmed yet, blue: not relevant to driving.
    """
    header = Header(stamp=stamp, frame_id=ground_frame_id)
    # With a namespace of its own it would delete that one alone, which none of the others is in.
    markers = [Marker(header=header, action=Marker.DELETEALL)]
    for obstacle in scene.obstacles:
        if obstacle.placement is not None:
            markers += [
                _box(obstacle, obstacle.placement, header, camera),
                _text(obstacle, obstacle.placement, header, camera),
            ]
    return MarkerArray(markers=markers)


def _box(obstacle: Obstacle, spot: Placement, header: Header, camera: str) -> Marker:
    near_left, near_right, far_right, far_left = (np.asarray(p) for p in spot.footprint)
    middle = (near_left + near_right + far_right + far_left) / 4
    away = (far_left + far_right - near_left - near_right) / 2
    height_m = max(_MIN_MARKER_HEIGHT_M, float(spot.height_m))
    marker = Marker(
        header=header, ns=f"{camera}/obstacles", id=obstacle.track_id, lifetime=_SHOWN_FOR
    )
    marker.type, marker.action = Marker.CUBE, Marker.ADD
    marker.pose.position = Point(x=float(middle[0]), y=float(middle[1]), z=height_m / 2)
    yaw_rad = float(np.arctan2(away[1], away[0]))
    marker.pose.orientation.z = float(np.sin(yaw_rad / 2))
    marker.pose.orientation.w = float(np.cos(yaw_rad / 2))
    marker.scale.x = max(_MIN_MARKER_HEIGHT_M, float(np.linalg.norm(away)))
    marker.scale.y = max(_MIN_MARKER_HEIGHT_M, float(spot.width_m))
    marker.scale.z = height_m
    marker.color = _colour(obstacle)
    return marker


def _text(obstacle: Obstacle, spot: Placement, header: Header, camera: str) -> Marker:
    x, y, _ = (float(value) for value in spot.position)
    marker = Marker(header=header, ns=f"{camera}/texts", id=obstacle.track_id, lifetime=_SHOWN_FOR)
    marker.type, marker.action = Marker.TEXT_VIEW_FACING, Marker.ADD
    marker.pose.position = Point(x=x, y=y, z=float(spot.height_m) + _TEXT_HEIGHT_M)
    marker.scale.z = _TEXT_HEIGHT_M
    marker.color = _WHITE
    marker.text = (
        f"#{obstacle.track_id} {obstacle.component.obstacle_probability:.0%} "
        f"{'at most ' if spot.truncated else ''}"
        f"{'held at ' if obstacle.held else ''}"
        f"{spot.distance_m:.1f} ± {spot.distance_stddev_m:.1f} m"
    )
    return marker


def _colour(obstacle: Obstacle) -> ColorRGBA:
    if not obstacle.relevant:
        return _IRRELEVANT
    return _CONFIRMED if obstacle.confirmed else _UNCONFIRMED
