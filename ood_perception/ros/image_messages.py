"""Images between messages and arrays."""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from ood_perception.camera import CameraModel
from ood_perception.camera_info import camera_of_info

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
    data.frombytes(values.reshape(-1).view(np.uint8).data)
    return data


def camera_model(info: CameraInfo, rectified: bool = False) -> CameraModel:
    """The intrinsics of a camera_info for images that are rectified already or not.

    Raises CameraError when it is not calibrated.
    """
    return camera_of_info(info, rectified)
