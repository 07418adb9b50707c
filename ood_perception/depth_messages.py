"""From the fields of a depth image or a point cloud message to metres, with every defect named."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.depth_placement import DepthError

# REP 118: millimetres as whole numbers, or metres.
_DEPTHS = {"16UC1": ("u2", 1e-3), "mono16": ("u2", 1e-3), "32FC1": ("f4", 1.0)}
# sensor_msgs/PointField
_KINDS = {7: "f4", 8: "f8"}


def depth_metres(message: Any) -> NDArray[np.float32]:
    """Depths of an object with the fields of a sensor_msgs/Image (REP 118).

    message: 16UC1 or mono16 (millimetres) or 32FC1 (metres).
    Returns (height, width) float32 metres; holes stay 0, not-a-number or infinite, as they came.
    Raises DepthError for another encoding and for fields that contradict each other.
    """
    kind, metres = _DEPTHS.get(message.encoding, ("", 0.0))
    if not kind:
        raise DepthError(
            f"depth image of encoding {message.encoding!r}: give one of {', '.join(_DEPTHS)}"
        )
    height, width, step = int(message.height), int(message.width), int(message.step)
    values = np.dtype(kind).newbyteorder(">" if message.is_bigendian else "<")
    raw = np.frombuffer(memoryview(message.data), dtype=np.uint8)
    if not height or not width or step < width * values.itemsize or raw.size < step * height:
        raise DepthError(
            f"depth image of {width}x{height} {message.encoding} with step {step} cannot have "
            f"{raw.size} bytes; check its publisher"
        )
    rows = raw[: step * height].reshape(height, step)[:, : width * values.itemsize]
    return np.ascontiguousarray(rows).view(values).astype(np.float32) * np.float32(metres)


def cloud_points(message: Any) -> NDArray[np.float64]:
    """Points of an object with the fields of a sensor_msgs/PointCloud2.

    Returns (n, 3) float64: x, y, z in metres in the message's frame, those that are not finite
    left out. Raises DepthError when x, y or z is missing or no floating-point number, and for
    fields that contradict each other.
    """
    order = ">" if message.is_bigendian else "<"
    count = int(message.height) * int(message.width)
    step, row_step = int(message.point_step), int(message.row_step)
    fields = {field.name: field for field in message.fields}
    for name in "xyz":
        field = fields.get(name)
        if field is None or field.datatype not in _KINDS or field.count > 1:
            raise DepthError(f"point cloud: needs a field {name} of type FLOAT32 or FLOAT64")
    kinds = [_KINDS[fields[name].datatype] for name in "xyz"]
    offsets = [int(fields[name].offset) for name in "xyz"]
    raw = np.frombuffer(memoryview(message.data), dtype=np.uint8)
    ends = [at + np.dtype(kind).itemsize for at, kind in zip(offsets, kinds, strict=True)]
    if (
        max(ends) > step
        or row_step < step * int(message.width)
        or raw.size < row_step * message.height
    ):
        raise DepthError(
            f"point cloud of {message.width}x{message.height} points of {step} bytes, "
            f"{row_step} a row, cannot have {raw.size} bytes; check its publisher"
        )
    if count == 0:
        return np.zeros((0, 3))
    kind = np.dtype(
        {
            "names": list("xyz"),
            "formats": [order + kind for kind in kinds],
            "offsets": offsets,
            "itemsize": step,
        }
    )
    rows = raw[: row_step * message.height].reshape(message.height, row_step)
    rows = np.ascontiguousarray(rows[:, : step * int(message.width)])
    values = rows.reshape(-1).view(kind)
    points = np.column_stack([values[name].astype(np.float64) for name in "xyz"])
    return points[np.isfinite(points).all(axis=1)]
