"""Image messages to BGR pixels: through cv_bridge where it is installed, otherwise by our own code.

Both give the same pixels. What cv_bridge may not be asked is answered by our own conversion: its
releases differ in how they treat padded rows, foreign byte orders and encodings without colours.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.image_decoding import check_image_fields, decode_message
from ood_perception.ros.fault_barrier import FaultBarrier

Decode = Callable[[Any], NDArray[np.uint8]]
"""From a sensor_msgs Image or CompressedImage to (H, W, 3) uint8 BGR; raises ImageError."""

_BITS = {
    **dict.fromkeys(("bgr8", "rgb8", "bgra8", "rgba8", "mono8"), 8),
    **dict.fromkeys(("bgr16", "rgb16", "bgra16", "rgba16", "mono16"), 16),
    **{f"bayer_{name}8": 8 for name in ("rggb", "bggr", "gbrg", "grbg")},
    **{f"bayer_{name}16": 16 for name in ("rggb", "bggr", "gbrg", "grbg")},
    **dict.fromkeys(("yuv422", "yuv422_yuy2"), 8),
}
_CHANNELS = {"bgr": 3, "rgb": 3, "bgra": 4, "rgba": 4, "yuv422": 2, "yuv422_yuy2": 2}
"""Of the encodings with more than one."""


class BridgeDecoder:
    """Lets cv_bridge convert dense images in this machine's byte order, after our own checks."""

    def __init__(self, bridge: Any) -> None:
        self._bridge = bridge

    def __call__(self, message: Any) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR. Raises ImageError as ``decode_message`` does."""
        if not hasattr(message, "encoding"):
            return decode_message(message)
        check_image_fields(
            height=message.height,
            width=message.width,
            encoding=message.encoding,
            step=message.step,
            data=message.data,
        )
        if not _is_plain(message):
            return decode_message(message)
        # The message is sound: what this release of cv_bridge does not know, we do.
        with FaultBarrier(lambda fault: None):
            pixels = np.asarray(self._bridge.imgmsg_to_cv2(message, desired_encoding="bgr8"))
            if pixels.dtype == np.uint8 and pixels.shape == (message.height, message.width, 3):
                return pixels
        return decode_message(message)


def image_decoder(wanted: str) -> tuple[Decode, str]:
    """The conversion and its name, "cv_bridge" or "own".

    wanted: the parameter image_conversion; "auto" takes cv_bridge where it can be loaded.
    """
    if wanted == "own":
        return decode_message, "own"
    # Not installed, or built for another NumPy: it may fail in any way while it is loaded.
    with FaultBarrier(lambda fault: None):
        return BridgeDecoder(import_module("cv_bridge").CvBridge()), "cv_bridge"
    return decode_message, "own"


def _is_plain(message: Any) -> bool:
    """Whether every release of cv_bridge reads such an image alike."""
    bits = _BITS.get(message.encoding)
    if bits is None:
        return False
    channels = _CHANNELS.get(message.encoding.removesuffix(str(bits)), 1)
    is_native = bits == 8 or bool(message.is_bigendian) == (sys.byteorder == "big")
    return is_native and message.step == message.width * channels * bits // 8
