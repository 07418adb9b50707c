"""Images between messages and arrays."""

from __future__ import annotations

from array import array
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ood_perception.camera import CameraModel
from ood_perception.camera_pipeline import Scene
from ood_perception.drawing import colour_labels, draw_overlay

_ENCODINGS = {
    ("uint8", 1): "mono8",
    ("uint8", 3): "bgr8",
    ("float32", 1): "32FC1",
}


def image_message(pixels: NDArray[Any], header: Header) -> Image:
    """An image message whose encoding and step follow from the array.

    pixels: (H, W) uint8 becomes mono8, (H, W, 3) uint8 becomes bgr8, (H, W) float32 becomes 32FC1.
    """
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    encoding = _ENCODINGS[(pixels.dtype.name, channels)]
    # Little-endian, as the message says below, whatever the machine.
    dense = np.ascontiguousarray(pixels, dtype=pixels.dtype.newbyteorder("<"))
    return Image(
        header=header,
        height=pixels.shape[0],
        width=pixels.shape[1],
        encoding=encoding,
        is_bigendian=0,
        step=pixels.shape[1] * channels * pixels.itemsize,
        data=byte_array(dense),
    )


def byte_array(values: NDArray[Any]) -> array[int]:
    """The bytes of a dense array as what a message's uint8[] takes without looking at each."""
    data = array("B")
    data.frombytes(memoryview(values.reshape(-1).view(np.uint8)))
    return data


def segmentation(scene: Scene) -> NDArray[np.uint8]:
    """(H, W) uint8 class ids, of the camera image's size."""
    return _full_size(scene.detection.labels, scene, cv2.INTER_NEAREST)


def anomaly_score(scene: Scene) -> NDArray[np.float32]:
    """(H, W) float32 anomaly score in [0, 1], of the camera image's size."""
    return _full_size(scene.detection.score, scene, cv2.INTER_LINEAR)


def segmentation_color(scene: Scene, colours: ArrayLike) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR. colours: (C, 3) uint8 BGR."""
    return colour_labels(scene.detection.labels, colours, scene.image_size)


def overlay(image: NDArray[np.uint8], scene: Scene, colours: ArrayLike) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR: the image with what was seen and decided. colours: (C, 3) uint8 BGR."""
    return draw_overlay(image, scene, colours)


def camera_model(info: CameraInfo) -> CameraModel:
    """The intrinsics of a camera_info. Raises CameraError when it is not calibrated."""
    return CameraModel.from_camera_info(
        info.width, info.height, info.k, info.d, info.distortion_model
    )


def _full_size(grid: NDArray[Any], scene: Scene, how: int) -> NDArray[Any]:
    height, width = scene.image_size
    if grid.shape == (height, width):
        return grid
    return np.asarray(cv2.resize(grid, (width, height), interpolation=how))
