"""The encodings of sensor_msgs/Image that hold a picture: how a pixel lies in memory, and its BGR.

A file in a sensor_msgs/CompressedImage may hold the same pixels: it is turned by the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray


class Layout(NamedTuple):
    """How one pixel lies in memory, and what turns such pixels into BGR.

    to_bgr: from (H, W) or (H, W, channels) uint8 or uint16 to (H, W, 3) uint8.
    """

    channels: int
    bytes_per_channel: int
    to_bgr: Callable[[NDArray[Any]], NDArray[np.uint8]]


def _to_8_bit(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    return np.asarray(cv2.convertScaleAbs(pixels, alpha=255 / 65535), dtype=np.uint8)


def _convert(code: int) -> Callable[[NDArray[Any]], NDArray[np.uint8]]:
    # Colours first, then depth: the order of cv_bridge, and so its pixels.
    return lambda pixels: _to_8_bit(cv2.cvtColor(pixels, code))


# OpenCV names a Bayer pattern by its first two rows here, as ROS does.
_BAYER = {
    "rggb": cv2.COLOR_BayerRGGB2BGR,
    "bggr": cv2.COLOR_BayerBGGR2BGR,
    "gbrg": cv2.COLOR_BayerGBRG2BGR,
    "grbg": cv2.COLOR_BayerGRBG2BGR,
}

LAYOUTS: dict[str, Layout] = {
    "bgr8": Layout(3, 1, _to_8_bit),
    "8UC3": Layout(3, 1, _to_8_bit),
    "rgb8": Layout(3, 1, _convert(cv2.COLOR_RGB2BGR)),
    "bgra8": Layout(4, 1, _convert(cv2.COLOR_BGRA2BGR)),
    "8UC4": Layout(4, 1, _convert(cv2.COLOR_BGRA2BGR)),
    "rgba8": Layout(4, 1, _convert(cv2.COLOR_RGBA2BGR)),
    "bgr16": Layout(3, 2, _to_8_bit),
    "rgb16": Layout(3, 2, _convert(cv2.COLOR_RGB2BGR)),
    "bgra16": Layout(4, 2, _convert(cv2.COLOR_BGRA2BGR)),
    "rgba16": Layout(4, 2, _convert(cv2.COLOR_RGBA2BGR)),
    "mono8": Layout(1, 1, _convert(cv2.COLOR_GRAY2BGR)),
    "8UC1": Layout(1, 1, _convert(cv2.COLOR_GRAY2BGR)),
    "mono16": Layout(1, 2, _convert(cv2.COLOR_GRAY2BGR)),
    "16UC1": Layout(1, 2, _convert(cv2.COLOR_GRAY2BGR)),
    "yuv422": Layout(2, 1, _convert(cv2.COLOR_YUV2BGR_UYVY)),
    "uyvy": Layout(2, 1, _convert(cv2.COLOR_YUV2BGR_UYVY)),
    "yuv422_yuy2": Layout(2, 1, _convert(cv2.COLOR_YUV2BGR_YUY2)),
    "yuyv": Layout(2, 1, _convert(cv2.COLOR_YUV2BGR_YUY2)),
    **{f"bayer_{name}8": Layout(1, 1, _convert(code)) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": Layout(1, 2, _convert(code)) for name, code in _BAYER.items()},
}
"""Every encoding that can be read, by its name."""
