"""What the encodings of sensor_msgs/Image mean, in NumPy: a second opinion on our own decoding.

Written from the definitions (REP 118, ITU-R BT.601, bilinear demosaicing), slowly and plainly; it
shares no line with ``ood_perception.pixel_layouts`` and calls no OpenCV.
"""

from __future__ import annotations

import numpy as np

# Which of the values of a pixel are blue, green and red.
COLOUR_ORDERS = {"bgr": (0, 1, 2), "8UC": (0, 1, 2), "rgb": (2, 1, 0)}


def shape_of(encoding: str) -> tuple[int, int]:
    """(channels, bytes a channel) of an encoding."""
    if encoding.startswith(("yuv", "uyvy", "yuyv")):
        return 2, 1
    if encoding in ("16UC1", "mono16") or encoding.startswith("bayer"):
        return 1, 2 if "16" in encoding else 1
    channels = {"mono8": 1, "8UC1": 1, "8UC3": 3, "8UC4": 4}
    bits = 16 if encoding.endswith("16") else 8
    return channels.get(encoding, len(encoding.removesuffix(str(bits)))), bits // 8


def values_of(image) -> np.ndarray:
    """(H, W, channels) of the bytes of a message, by its step and its byte order."""
    channels, size = shape_of(image.encoding)
    order = ">" if image.is_bigendian else "<"
    rows = [
        np.frombuffer(image.data, f"{order}u{size}", image.width * channels, row * image.step)
        for row in range(image.height)
    ]
    return np.array(rows).astype(int).reshape(image.height, image.width, channels)


def bgr_of(image) -> np.ndarray:
    """(H, W, 3) uint8 BGR of an object with the fields of a sensor_msgs/Image."""
    values, encoding = values_of(image), image.encoding
    if encoding.startswith("bayer"):
        colours = demosaiced(values[..., 0], encoding[6:10])
    elif encoding.startswith(("yuv", "uyvy", "yuyv")):
        is_luma_first = encoding in ("yuv422_yuy2", "yuyv")
        colours = colours_of_pairs(values, 0 if is_luma_first else 1)
    elif values.shape[2] == 1:
        colours = np.repeat(values, 3, axis=2)
    else:
        colours = values[..., COLOUR_ORDERS[encoding[:3]]]
    if shape_of(encoding)[1] == 2:
        colours = (colours + 128) // 257  # 65535 becomes 255, to the nearest
    return colours.astype(np.uint8)


def demosaiced(mosaic: np.ndarray, pattern: str) -> np.ndarray:
    """(H, W, 3): what a pixel lacks is the mean of the nearest that have it, halves upwards.

    pattern: the colours of the first two pixels of the first row, then of the second. The outermost
    pixels, whose neighbours are not all there, take the colours of the next ones inside.
    """
    height, width = mosaic.shape
    colours = np.zeros((height, width, 3), int)
    for row in range(1, height - 1):
        for column in range(1, width - 1):
            for channel, letter in enumerate("bgr"):
                near = [
                    (abs(down) + abs(right), mosaic[row + down, column + right])
                    for down in (-1, 0, 1)
                    for right in (-1, 0, 1)
                    if pattern[2 * ((row + down) % 2) + (column + right) % 2] == letter
                ]
                least = min(distance for distance, _ in near)
                nearest = [value for distance, value in near if distance == least]
                colours[row, column, channel] = (2 * sum(nearest) + len(nearest)) // (
                    2 * len(nearest)
                )
    inner_rows = np.clip(np.arange(height), 1, height - 2)
    inner_columns = np.clip(np.arange(width), 1, width - 2)
    return colours[inner_rows[:, None], inner_columns]


def colours_of_pairs(values: np.ndarray, luma_at: int) -> np.ndarray:
    """(H, W, 3) of two bytes a pixel, one of them its luma; two neighbours share U, then V.

    BT.601 in studio range: luma 16 to 235, U and V 16 to 240 about 128.
    """
    luma = (values[..., luma_at] - 16) / 219
    chroma = (values[..., 1 - luma_at] - 128) / 112
    u, v = (np.repeat(chroma[:, start::2], 2, axis=1) for start in (0, 1))
    red, blue = luma + (1 - 0.299) * v, luma + (1 - 0.114) * u
    green = (luma - 0.299 * red - 0.114 * blue) / 0.587
    return np.rint(np.clip(np.stack([blue, green, red], axis=2), 0, 1) * 255).astype(int)
