"""The intrinsics that a sensor_msgs/CameraInfo gives for the images that come with it.

K, D and P of the message belong to the whole, unbinned image; the images themselves may be a region
of it, and binned. A rectified image has no distortion left, whatever D says: P is its camera.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np

from ood_perception.camera import CameraModel
from ood_perception.errors import CameraError

_RECTIFIED_TOPIC = re.compile(r"(^|[/_])rect(ified)?([/_]|$)")


def camera_of_info(info: Any, rectified: bool = False) -> CameraModel:
    """The camera of the images that a camera_info belongs to.

    info: a sensor_msgs/CameraInfo of any library (width, height, k, d, p, distortion_model,
    binning_x, binning_y, roi). rectified: the images are rectified already.

    A region of interest and binning are taken off when the images have their size; images of the
    whole size are taken as whole. Raises CameraError when no camera can be so.
    """
    if rectified:
        model = _rectified(info)
    else:
        model = CameraModel.from_camera_info(
            info.width, info.height, info.k, info.d, info.distortion_model
        )
    roi, part = info.roi, model
    if roi.width or roi.height:
        part = part.cut_to(roi.x_offset, roi.y_offset, roi.width, roi.height)
    columns, rows = max(1, int(info.binning_x)), max(1, int(info.binning_y))
    if (columns, rows) != (1, 1):
        part = part.binned(columns, rows)
    return part if part is model else replace(part, whole=model)


def is_rectified_topic(topic: str) -> bool:
    """Whether an image topic's name says that its images are rectified, as image_proc's
    ``image_rect`` and ``image_rect_color`` do."""
    return _RECTIFIED_TOPIC.search(topic) is not None


def _rectified(info: Any) -> CameraModel:
    projection = np.array(info.p, dtype=np.float64)
    if projection.size != 12:
        raise CameraError(f"camera intrinsics: p has {projection.size} values instead of 12")
    # Without a calibration for rectification drivers leave P at zero.
    matrix = projection.reshape(3, 4)[:, :3].ravel().tolist() if projection.any() else info.k
    return CameraModel.from_camera_info(info.width, info.height, matrix, [], "none")
