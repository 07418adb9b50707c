"""From the bytes of an image message to BGR pixels, with every defect named.

Works on the fields of sensor_msgs/Image and sensor_msgs/CompressedImage, whoever holds them: the
node's messages and those of a bag look alike.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.compressed_format import bgr_of_file, parse_format
from ood_perception.errors import ImageError
from ood_perception.pixel_layouts import LAYOUTS, Layout

BgrImage = NDArray[np.uint8]


KNOWN_ENCODINGS: tuple[str, ...] = tuple(LAYOUTS)
"""Encodings of sensor_msgs/Image that can be read."""


def decode_image(
    *, height: int, width: int, encoding: str, is_bigendian: int | bool, step: int, data: Any
) -> BgrImage:
    """Pixels of a raw image.

    Takes the fields of a sensor_msgs/Image: height and width in pixels, one of
    ``KNOWN_ENCODINGS``, whether 16-bit values are big-endian, step as the bytes from one row to
    the next (rows may be padded), and data as anything that gives its bytes as a buffer.
    16-bit values are scaled to 8 bit over their whole range.

    Returns (height, width, 3) uint8 BGR. It is a view of data where nothing has to be converted
    (bgr8), read-only when data is. Raises ImageError on fields that contradict each other.
    """
    raw = _bytes_of(data)
    layout = _checked_layout(height, width, encoding, step, raw.size)
    return layout.to_bgr(_pixels(raw, height, width, layout, step, bool(is_bigendian)))


def check_image_fields(*, height: int, width: int, encoding: str, step: int, data: Any) -> None:
    """Raises ImageError as `decode_image` does, without a look at the pixels."""
    _checked_layout(height, width, encoding, step, _bytes_of(data).size)


def _checked_layout(height: int, width: int, encoding: str, step: int, size: int) -> Layout:
    layout = LAYOUTS.get(encoding)
    if layout is None:
        raise ImageError(
            f"unknown image encoding {encoding!r}; known are {', '.join(KNOWN_ENCODINGS)}"
        )
    if height <= 0 or width <= 0:
        raise ImageError(f"image of {width}x{height} pixels holds no pixel; check the camera")
    _check_pairs(encoding, width, height)
    row_bytes = width * layout.channels * layout.bytes_per_channel
    if step < row_bytes:
        raise ImageError(
            f"image step {step} is too small: a row of {width} pixels {encoding} has "
            f"{row_bytes} bytes"
        )
    if size < step * height:
        raise ImageError(
            f"image data is cut off: {size} bytes instead of {step * height} "
            f"(step {step} x height {height})"
        )
    return layout


def decode_compressed(data: Any, format_name: str = "") -> BgrImage:
    """Pixels of a JPEG or PNG.

    Takes the fields of a sensor_msgs/CompressedImage: data as anything that gives its bytes as a
    buffer, and its format ("jpeg", "png", "bgr8; jpeg compressed bgr8", ...), which tells a Bayer
    mosaic from a grey picture. The pixels are not turned by EXIF, because camera_info belongs to
    the unturned ones. 16-bit values are scaled to 8 bit over their whole range.

    Returns (H, W, 3) uint8 BGR. Raises ImageError when data is empty, neither JPEG nor PNG,
    damaged or cut off, or cannot be what format says.
    """
    told = parse_format(format_name)
    raw = _bytes_of(data)
    if raw[:3].tobytes() == b"\xff\xd8\xff":
        kind = "JPEG"
        if not _jpeg_is_complete(raw.tobytes()):
            raise ImageError(f"compressed image is cut off: JPEG of {raw.size} bytes has no end")
    elif raw[:8].tobytes() == b"\x89PNG\r\n\x1a\n":
        kind = "PNG"
        if b"IEND" not in raw[-64:].tobytes():
            raise ImageError(f"compressed image is cut off: PNG of {raw.size} bytes has no end")
    else:
        raise ImageError(
            f"compressed image of format {format_name!r} is neither JPEG nor PNG: "
            f"it starts with bytes {raw[:4].tobytes().hex(' ')}"
        )
    try:
        # Unchanged: with all its channels and bits, and not turned.
        image = cv2.imdecode(raw, cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ImageError(f"compressed image: {kind} cannot be decoded: {error.err}") from error
    if image is None:
        raise ImageError(f"compressed image: {kind} of {raw.size} bytes is damaged")
    return bgr_of_file(np.asarray(image), told)


def decode_message(message: Any) -> BgrImage:
    """Pixels of an object with the fields of a sensor_msgs/Image or a CompressedImage.

    Returns (H, W, 3) uint8 BGR. Raises ImageError.
    """
    if hasattr(message, "encoding"):
        return decode_image(
            height=message.height,
            width=message.width,
            encoding=message.encoding,
            is_bigendian=message.is_bigendian,
            step=message.step,
            data=message.data,
        )
    return decode_compressed(message.data, message.format)


def _check_pairs(encoding: str, width: int, height: int) -> None:
    """YUV shares colours between two columns; a Bayer cell is 2x2."""
    if encoding.startswith(("yuv", "uyvy", "yuyv")) and width % 2:
        raise ImageError(f"image of encoding {encoding} needs an even width, not {width}")
    if encoding.startswith("bayer") and (width < 2 or height < 2):
        raise ImageError(f"image of encoding {encoding} needs 2x2 pixels, not {width}x{height}")


def _bytes_of(data: Any) -> NDArray[np.uint8]:
    view = memoryview(data)
    if view.nbytes == 0:
        raise ImageError("image is empty: its data has no bytes; check the camera")
    return np.frombuffer(view, dtype=np.uint8)


def _pixels(
    raw: NDArray[np.uint8],
    height: int,
    width: int,
    layout: Layout,
    step: int,
    is_bigendian: bool,
) -> NDArray[Any]:
    """A (H, W) or (H, W, channels) view of the rows without their padding."""
    size = layout.bytes_per_channel
    rows = raw[: step * height].reshape(height, step)[:, : width * layout.channels * size]
    if size == 2:
        # A row may start at an odd byte, which a 16-bit view could not; ascontiguousarray aligns.
        order = ">u2" if is_bigendian else "<u2"
        rows = np.ascontiguousarray(rows).view(order).astype(np.uint16, copy=False)
    if layout.channels == 1:
        return rows
    # The last axis of rows is dense, so this splits it without copying.
    return np.lib.stride_tricks.as_strided(
        rows,
        shape=(height, width, layout.channels),
        strides=(rows.strides[0], layout.channels * rows.itemsize, rows.itemsize),
        writeable=rows.flags.writeable,
    )


def _jpeg_is_complete(data: bytes) -> bool:
    """Whether a JPEG's compressed pixels are followed by its end marker.

    Decoders fill what is missing with grey and say nothing. The search starts behind the headers,
    because a thumbnail inside them has an end marker of its own.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        if marker == 0xDA:
            return data.find(b"\xff\xd9", position) >= 0
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return False
