"""Reads what a demo recorded: stamps, latencies and obstacles, as programs want them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from ood_perception.bag_reading import iterate, open_bag
from ood_perception.message_stamp import stamp_ns_of
from ood_perception.message_types import OBSTACLES_TYPE, message_typestore
from ood_perception.scene import Status

DIAGNOSTICS_TYPE = "diagnostic_msgs/msg/DiagnosticArray"

_MARKERS_TYPE = "visualization_msgs/msg/MarkerArray"
_STAMPED_TYPES = (OBSTACLES_TYPE, "sensor_msgs/msg/PointCloud2", "sensor_msgs/msg/Image")
_COUNTER_PREFIX = "dropped_"
_ERROR_LEVEL = 2
_COUNTERS = ("received", "processed", "refused", "pending")

Json = dict[str, Any]


@dataclass
class RecordedOutputs:
    """The node's messages of one run. frames: one entry for each ``obstacles`` message."""

    output_stamps_ns: dict[str, tuple[int, ...]] = field(default_factory=dict)
    latencies_s: tuple[float, ...] = ()
    frames: tuple[Json, ...] = ()


def read_outputs(bag: Path, obstacles_topic: str, topics: tuple[str, ...]) -> RecordedOutputs:
    """Reads the recorded messages of these topics. Raises BagError when the bag is damaged."""
    stamps: dict[str, list[int]] = {topic: [] for topic in topics}
    latencies: list[float] = []
    frames: list[Json] = []
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic in topics]
        for connection, _, serialised in iterate(bag, reader, connections):
            message: Any = message_typestore().deserialize_cdr(serialised, connection.msgtype)
            stamps[connection.topic].extend(_stamps(message, connection.msgtype))
            if connection.topic == obstacles_topic:
                latencies.append(_seconds(message.latency))
                frames.append(frame_to_json(message))
    return RecordedOutputs(
        {topic: tuple(values) for topic, values in stamps.items()}, tuple(latencies), tuple(frames)
    )


def read_counters(serialised: bytes, camera: str) -> dict[str, int] | None:
    """The node's account of one camera's frames in a serialised DiagnosticArray.

    Keys: received, processed, refused, pending and one dropped_REASON for each reason. None when
    the message says nothing of that camera.
    """
    message: Any = message_typestore().deserialize_cdr(serialised, DIAGNOSTICS_TYPE)
    for status in message.status:
        values = {entry.key: entry.value for entry in status.values}
        if status.hardware_id == camera and "received" in values:
            return {
                key: int(value)
                for key, value in values.items()
                if (key in _COUNTERS or key.startswith(_COUNTER_PREFIX)) and value.isdigit()
            }
    return None


def read_node_fault(serialised: bytes) -> str:
    """What the node says is wrong with itself (not with a camera), or an empty text."""
    message: Any = message_typestore().deserialize_cdr(serialised, DIAGNOSTICS_TYPE)
    for status in message.status:
        if status.name == status.hardware_id and int(status.level) >= _ERROR_LEVEL:
            return str(status.message)
    return ""


def frame_to_json(message: Any) -> Json:
    """An ObstacleComponentArray as a plain dict, with the keys of ``obstacle_json``.

    Keys: stamp_ns; status, a name of ``Status``; image_size [height, width]; ground_frame_id;
    model_id; threshold; latency_ms; dropped_frames; obstacles. What cannot be had is null.
    """
    return {
        "stamp_ns": stamp_ns_of(message),
        "status": Status(message.status).name,
        "image_size": [int(message.image_height), int(message.image_width)],
        "ground_frame_id": message.ground_frame_id,
        "model_id": message.model_id,
        "threshold": _number(message.threshold, 6),
        "latency_ms": _number(_seconds(message.latency) * 1e3, 3),
        "dropped_frames": int(message.dropped_frames),
        "obstacles": [_obstacle(component) for component in message.components],
    }


def _obstacle(component: Any) -> Json:
    region = component.region_of_interest
    reasons = zip(
        component.reason_metrics,
        component.reason_values,
        component.reason_contributions,
        strict=True,
    )
    return {
        "id": int(component.id),
        "confirmed": bool(component.confirmed),
        "relevant": bool(component.relevant),
        "held": bool(component.held),
        "region": {
            "x": int(region.x_offset),
            "y": int(region.y_offset),
            "width": int(region.width),
            "height": int(region.height),
        },
        "area_px": _number(component.area_px, 1),
        "obstacle_probability": _number(component.obstacle_probability, 4),
        "mean_score": _number(component.mean_score, 4),
        "max_score": _number(component.max_score, 4),
        "road_border_share": _number(component.road_border_share, 4),
        "reasons": [
            {
                "metric": metric,
                "value": _number(value, 6),
                "contribution": _number(contribution, 4),
            }
            for metric, value, contribution in reasons
        ],
        "place": _place(component),
    }


def _place(component: Any) -> Json | None:
    if not component.has_position:
        return None
    fields = ("distance_m", "distance_stddev_m", "lateral_stddev_m", "width_m", "height_m")
    return {
        "x_m": _number(component.position.x, 3),
        "y_m": _number(component.position.y, 3),
        "z_m": _number(component.position.z, 3),
        **{name: _number(getattr(component, name), 3) for name in fields},
        "truncated": bool(component.truncated),
        "footprint": [[_number(p.x, 3), _number(p.y, 3)] for p in component.footprint.points],
    }


def _stamps(message: Any, typename: str) -> Iterator[int]:
    """The header stamps of a message; a MarkerArray has one for each marker."""
    if typename in _STAMPED_TYPES:
        yield stamp_ns_of(message)
    elif typename == _MARKERS_TYPE:
        yield from (stamp_ns_of(marker) for marker in message.markers)


def _seconds(duration: Any) -> float:
    return float(duration.sec) + float(duration.nanosec) * 1e-9


def _number(value: float, digits: int) -> float | None:
    """JSON knows neither NaN nor infinity."""
    return round(float(value), digits) if isfinite(value) else None
