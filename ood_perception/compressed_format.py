"""What the format of a sensor_msgs/CompressedImage says of the pixels in its JPEG or PNG.

image_transport writes "SOURCE; jpeg compressed TARGET" (or png): SOURCE is the encoding of the raw
image, TARGET what it was turned into before it was compressed. Without a TARGET the raw values were
compressed as they are, so that a Bayer mosaic comes as a grey picture. Cameras that compress by
themselves write "jpeg" alone: the file then says everything.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import ImageError
from ood_perception.pixel_layouts import LAYOUTS, Layout

_BAYER = re.compile(r"bayer_[rgb]{4}(?=8$|16$)")
# Two channels or planes, or numbers that are no brightness: in one grey picture they mean nothing.
_NEVER_GREY = re.compile(r"yuv|uyvy|yuyv|nv\d\d|bayer|\d+[USF]C\d")
_MEASURED = re.compile(r"(8S|16S|32S|32F|64F)C\d")


class CompressedFormat(NamedTuple):
    """text: as the message has it. source, target: encodings as in sensor_msgs/Image; empty where
    the format names none. A format of one word is the source: "jpeg", which is no encoding, or
    "mono8"."""

    text: str
    source: str
    target: str


def parse_format(text: str) -> CompressedFormat:
    """Takes a format apart. Raises ImageError for one that holds no picture."""
    if "compresseddepth" in text.lower():
        raise ImageError(f"compressed image of format {text!r} holds depths, not colours")
    source, _, rest = (part.strip() for part in text.partition(";"))
    if _MEASURED.match(source):
        raise ImageError(f"compressed image of format {text!r} holds measurements, not colours")
    return CompressedFormat(text, source, rest.partition("compressed")[2].strip())


def bgr_of_file(pixels: NDArray[Any], told: CompressedFormat) -> NDArray[np.uint8]:
    """The picture in a decoded file.

    pixels: (H, W), (H, W, 3) BGR or (H, W, 4) BGRA, uint8 or uint16, as OpenCV decodes it
    unchanged. told: the message's format. A target "rgb8" means that red and blue were exchanged
    when the file was written, as ROS' own reader understands it.

    Returns (H, W, 3) uint8 BGR, 16 bit scaled over their whole range. Raises ImageError where
    format and file contradict each other.
    """
    if pixels.ndim == 2:
        return _grey_layout(pixels, told).to_bgr(pixels)
    order = "rgb" if told.target.startswith("rgb") else "bgr"
    return LAYOUTS[f"{order}a8" if pixels.shape[2] == 4 else f"{order}8"].to_bgr(pixels)


def _grey_layout(pixels: NDArray[Any], told: CompressedFormat) -> Layout:
    """How the one channel of a file is to be read."""
    text, source, target = told
    if target.startswith("mono"):  # the sender made it grey, whatever it was
        return LAYOUTS["mono8"]
    known, bits = LAYOUTS.get(source), 8 * pixels.dtype.itemsize
    pattern = _BAYER.match(source) if known is not None else None
    if known is None:
        is_possible = not _NEVER_GREY.match(source)
    else:
        # A mosaic that was made colours has three channels, a mosaic as it came names no target.
        is_possible = known.channels != 2 and (pattern is None or target in ("", source))
    if not is_possible:
        raise ImageError(
            f"compressed image of format {text!r} holds one grey channel, which that cannot be"
        )
    if known is not None and known.channels == 1 and 8 * known.bytes_per_channel > bits:
        raise ImageError(
            f"compressed image of format {text!r} holds {bits} bit: what is brighter was cut off; "
            "let its sender write PNG, or mono8"
        )
    if pattern is None:
        return LAYOUTS["mono8"]
    if min(pixels.shape) < 2:
        raise ImageError(
            f"compressed image of format {text!r} needs 2x2 pixels, not "
            f"{pixels.shape[1]}x{pixels.shape[0]}"
        )
    return LAYOUTS[f"{pattern.group()}{bits}"]
