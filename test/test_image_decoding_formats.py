"""A compressed image's format decides what its file holds: right pixels, or one line why not.

A mosaic that is taken for a grey picture, or red that is taken for blue, looks like a picture and
deceives the model without a word.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ood_perception.errors import ImageError
from ood_perception.image_decoding import KNOWN_ENCODINGS, decode_compressed, decode_image

PATTERNS = ("rggb", "bggr", "gbrg", "grbg")
BGR = {"b": 200, "g": 100, "r": 30}


def mosaic(pattern: str, bits: int) -> np.ndarray:
    """(8, 10) one colour, BGR (200, 100, 30), as a sensor behind this pattern sees it."""
    cell = np.array([BGR[letter] for letter in pattern]).reshape(2, 2)
    return (np.tile(cell, (4, 5)) * (257 if bits == 16 else 1)).astype(f"u{bits // 8}")


def file_of(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    quality = [cv2.IMWRITE_JPEG_QUALITY, 100] if suffix == ".jpg" else []
    return cv2.imencode(suffix, pixels, quality)[1].tobytes()


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_mosaic_that_was_compressed_as_it_is_becomes_colours(pattern, bits):
    name, pixels = f"bayer_{pattern}{bits}", mosaic(pattern, bits)
    image = decode_compressed(file_of(pixels), f"{name}; png compressed ")
    np.testing.assert_array_equal(image[2:-2, 2:-2], np.broadcast_to([200, 100, 30], (4, 6, 3)))
    raw = decode_image(
        height=8,
        width=10,
        encoding=name,
        is_bigendian=0,
        step=10 * bits // 8,
        data=pixels.tobytes(),
    )
    np.testing.assert_array_equal(image, raw, "the same as the raw image")


def test_a_mosaic_in_a_jpeg_becomes_colours():
    data = file_of(np.tile(mosaic("rggb", 8), (4, 4)), ".jpg")
    image = decode_compressed(data, "bayer_rggb8; jpeg compressed ")
    np.testing.assert_allclose(image.mean((0, 1)), [200, 100, 30], atol=12)


@pytest.mark.parametrize("source", ["bayer_rggb8", "bayer_grbg16", "mono16", "yuv422", "nv12"])
def test_what_the_sender_made_grey_is_a_grey_picture(source):
    """Newer image_transport turns whatever is no colour into mono8 before it writes a JPEG."""
    grey = np.full((16, 16), 90, np.uint8)
    image = decode_compressed(file_of(grey, ".jpg"), f"{source}; jpeg compressed mono8")
    np.testing.assert_array_equal(image, np.full((16, 16, 3), 90))


@pytest.mark.parametrize(
    "name", ["", "png", "jpeg", "mono8; png compressed ", "8UC1; png compressed ", "rgb8; png"]
)
def test_other_grey_files_are_grey_pictures(name):
    grey = np.arange(0, 240, 10, np.uint8).reshape(4, 6)
    np.testing.assert_array_equal(
        decode_compressed(file_of(grey), name), np.repeat(grey[..., None], 3, axis=2)
    )


@pytest.mark.parametrize("name", ["mono16; png compressed ", "16UC1; png compressed ", "png"])
def test_16_bit_grey_is_scaled_as_in_a_raw_image(name):
    values = np.array([[0, 257, 65535], [25700, 128, 129]], np.uint16)
    image = decode_compressed(file_of(values), name)
    np.testing.assert_array_equal(image[..., 1], [[0, 1, 255], [100, 0, 1]])


@pytest.mark.parametrize(
    ("name", "order"),
    [
        ("png", [0, 1, 2]),
        ("bgr8; png compressed bgr8", [0, 1, 2]),
        ("rgb8; png compressed bgr8", [0, 1, 2]),
        ("rgba8; png compressed bgr8", [0, 1, 2]),
        ("bgr16; png compressed bgr16", [0, 1, 2]),
        ("yuv422; png compressed bgr8", [0, 1, 2]),
        ("bayer_rggb8; png compressed bgr8", [0, 1, 2]),
        # The values of an RGB image, written as if they were BGR: so does ROS' reader take it.
        ("rgb8; png compressed rgb8", [2, 1, 0]),
    ],
)
@pytest.mark.parametrize("kind", ["u1", "u2", "alpha"])
def test_colours_keep_their_order(name, order, kind):
    colours = np.array([[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [250, 0, 5]]], np.uint8)
    pixels = colours[..., order]
    if kind == "u2":
        pixels = pixels.astype(np.uint16) * 257
    if kind == "alpha":
        pixels = np.dstack([pixels, np.full((2, 2), 9, np.uint8)])
    np.testing.assert_array_equal(decode_compressed(file_of(pixels), name), colours)


@pytest.mark.parametrize(
    ("name", "suffix", "words"),
    [
        ("yuv422; png compressed ", ".png", "cannot be"),
        ("yuv422_yuy2; jpeg compressed ", ".jpg", "cannot be"),
        ("nv12; jpeg compressed ", ".jpg", "cannot be"),
        ("8UC2; png compressed ", ".png", "cannot be"),
        ("bayer_rggb8; jpeg compressed bgr8", ".jpg", "cannot be"),
        ("bayer_rgbw8; png compressed ", ".png", "cannot be"),
        ("bayer_rggb12; png compressed ", ".png", "cannot be"),
        ("mono16; jpeg compressed ", ".jpg", "cut off"),
        ("16UC1; jpeg compressed ", ".jpg", "cut off"),
        ("bayer_rggb16; jpeg compressed ", ".jpg", "cut off"),
        ("32FC1; png compressed ", ".png", "measurements"),
        ("16UC1; compressedDepth png", ".png", "depths"),
        ("32FC1; compressedDepth rvl", ".png", "depths"),
    ],
)
def test_a_format_that_cannot_be_right_is_refused_in_one_line(name, suffix, words):
    with pytest.raises(ImageError, match=words) as caught:
        decode_compressed(file_of(np.full((16, 16), 90, np.uint8), suffix), name)
    assert name.strip() in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_mosaic_without_a_whole_cell_is_refused():
    with pytest.raises(ImageError, match="2x2"):
        decode_compressed(file_of(np.zeros((1, 4), np.uint8)), "bayer_rggb8; png compressed ")


@pytest.mark.parametrize("encoding", KNOWN_ENCODINGS)
def test_every_source_of_a_colour_file_gives_its_colours(encoding):
    colours = np.array([[[10, 20, 30], [40, 50, 60]]], np.uint8)
    image = decode_compressed(file_of(colours), f"{encoding}; png compressed bgr8")
    np.testing.assert_array_equal(image, colours)
