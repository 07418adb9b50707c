"""Images of messages become BGR pixels, or an error that says what is wrong with them."""

import array

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ood_perception.errors import ImageError
from ood_perception.image_decoding import (
    KNOWN_ENCODINGS,
    decode_compressed,
    decode_image,
    decode_message,
)

BGR = np.array([[[10, 20, 30], [40, 50, 60]], [[70, 80, 90], [250, 0, 5]]], dtype=np.uint8)


def raw(pixels: np.ndarray, encoding: str, padding: int = 0, is_bigendian: int = 0) -> dict:
    """The fields of a sensor_msgs/Image of (H, W) or (H, W, channels) pixels."""
    height, width = pixels.shape[:2]
    rows = np.ascontiguousarray(pixels).view(np.uint8).reshape(height, -1)
    rows = np.pad(rows, ((0, 0), (0, padding)), constant_values=177)
    return {
        "height": height,
        "width": width,
        "encoding": encoding,
        "is_bigendian": is_bigendian,
        "step": rows.shape[1],
        "data": rows.tobytes(),
    }


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("bgr8", [0, 1, 2]), ("8UC3", [0, 1, 2]), ("rgb8", [2, 1, 0])],
)
@pytest.mark.parametrize("padding", [0, 1, 5])
def test_three_channels_keep_their_values_and_lose_their_padding(encoding, order, padding):
    image = decode_image(**raw(BGR[..., order], encoding, padding))
    np.testing.assert_array_equal(image, BGR)


@pytest.mark.parametrize(("encoding", "order"), [("bgra8", [0, 1, 2]), ("rgba8", [2, 1, 0])])
def test_alpha_is_dropped(encoding, order):
    pixels = np.dstack([BGR[..., order], np.full((2, 2), 9, np.uint8)])
    np.testing.assert_array_equal(decode_image(**raw(pixels, encoding, 3)), BGR)


@pytest.mark.parametrize("encoding", ["mono8", "8UC1"])
def test_grey_becomes_equal_channels(encoding):
    image = decode_image(**raw(BGR[..., 0], encoding, 2))
    np.testing.assert_array_equal(image, np.repeat(BGR[..., :1], 3, axis=2))


@pytest.mark.parametrize("encoding", ["mono16", "16UC1"])
@pytest.mark.parametrize(("order", "is_bigendian"), [("<u2", 0), (">u2", 1)])
@pytest.mark.parametrize("padding", [0, 1, 2])
def test_16_bit_is_scaled_over_its_whole_range(encoding, order, is_bigendian, padding):
    values = np.array([[0, 257, 65535], [25700, 128, 129]], dtype=order)
    image = decode_image(**raw(values, encoding, padding, is_bigendian))
    np.testing.assert_array_equal(image[..., 1], [[0, 1, 255], [100, 0, 1]])


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
def test_bayer_patterns_start_with_the_colours_in_their_name(pattern, bits):
    colour = {"b": 200, "g": 100, "r": 30}
    cell = np.array([colour[letter] for letter in pattern], dtype=np.uint8).reshape(2, 2)
    mosaic = np.tile(cell, (4, 5))
    if bits == 16:
        mosaic = mosaic.astype(np.uint16) * 257
    image = decode_image(**raw(mosaic, f"bayer_{pattern}{bits}", 2))
    assert image.shape == (8, 10, 3)
    np.testing.assert_array_equal(image[2:-2, 2:-2], np.broadcast_to([200, 100, 30], (4, 6, 3)))


@pytest.mark.parametrize(
    ("encoding", "order"),
    [("yuv422", "uyvy"), ("uyvy", "uyvy"), ("yuv422_yuy2", "yuyv"), ("yuyv", "yuyv")],
)
def test_yuv_pairs_share_their_colour(encoding, order):
    luma, u, v = iter([150, 150]), 90, 200
    pair = [{"u": u, "v": v}.get(c) or next(luma) for c in order]
    pixels = np.tile(np.array(pair, np.uint8).reshape(1, 2, 2), (3, 2, 1))
    image = decode_image(**raw(pixels, encoding, 4))
    assert image.shape == (3, 4, 3)
    # ITU-R BT.601, studio range
    y = 1.164 * (150 - 16)
    red, green = y + 1.596 * (v - 128), y - 0.813 * (v - 128) - 0.391 * (u - 128)
    expected = [y + 2.018 * (u - 128), green, min(red, 255)]
    np.testing.assert_allclose(image, np.broadcast_to(expected, image.shape), atol=2)


@given(
    height=st.integers(1, 6),
    width=st.integers(1, 6),
    padding=st.integers(0, 7),
    seed=st.integers(0, 2**32 - 1),
    encoding=st.sampled_from(["bgr8", "rgb8", "bgra8", "rgba8"]),
)
def test_any_size_and_step_give_back_the_pixels(height, width, padding, seed, encoding):
    channels = len(encoding) - 1
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, channels), np.uint8)
    image = decode_image(**raw(pixels, encoding, padding))
    order = [0, 1, 2] if encoding.startswith("b") else [2, 1, 0]
    np.testing.assert_array_equal(image, pixels[..., order])


def test_bgr_is_not_copied():
    fields = raw(BGR, "bgr8", 4)
    fields["data"] = np.frombuffer(fields["data"], np.uint8)
    assert np.shares_memory(decode_image(**fields), fields["data"])


def test_a_buffer_that_cannot_be_written_stays_so():
    assert not decode_image(**raw(BGR, "bgr8")).flags.writeable


def test_the_array_of_a_ros_message_is_read():
    fields = raw(BGR, "bgr8")
    fields["data"] = array.array("B", fields["data"])
    np.testing.assert_array_equal(decode_image(**fields), BGR)


def test_one_pixel_is_an_image():
    assert decode_image(**raw(BGR[:1, :1], "bgr8")).shape == (1, 1, 3)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": b""}, "empty"),
        ({"height": 0}, "2x0"),
        ({"width": 0}, "0x2"),
        ({"step": 5}, "step 5 is too small"),
        ({"data": bytes(11)}, "11 bytes instead of 12"),
        ({"encoding": "64FC7"}, "unknown image encoding '64FC7'"),
        ({"encoding": ""}, "unknown image encoding"),
        ({"encoding": "yuv422", "width": 1}, "even width"),
        ({"encoding": "bayer_rggb8", "width": 1}, "2x2"),
    ],
)
def test_a_defect_is_named_in_one_line(changes, words):
    with pytest.raises(ImageError) as caught:
        decode_image(**{**raw(BGR, "bgr8"), **changes})
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_unknown_encoding_is_answered_with_the_known_ones():
    with pytest.raises(ImageError) as caught:
        decode_image(**{**raw(BGR, "bgr8"), "encoding": "h264"})
    assert all(name in str(caught.value) for name in KNOWN_ENCODINGS)


def smooth_image() -> np.ndarray:
    rows, columns = np.mgrid[0:60, 0:80]
    return np.dstack([rows * 4, columns * 3, rows + columns]).astype(np.uint8)


def encode(suffix: str, *options: int) -> bytes:
    return cv2.imencode(suffix, smooth_image(), options)[1].tobytes()


def test_png_is_exact_and_jpeg_is_close():
    np.testing.assert_array_equal(decode_compressed(encode(".png"), "png"), smooth_image())
    jpeg = decode_compressed(encode(".jpg"), "bgr8; jpeg compressed bgr8")
    assert np.abs(jpeg.astype(int) - smooth_image()).mean() < 3


@pytest.mark.parametrize("progressive", [0, 1])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.5, 0.9, 0.99])
def test_a_truncated_jpeg_is_refused(share, progressive):
    data = encode(".jpg", cv2.IMWRITE_JPEG_PROGRESSIVE, progressive)
    with pytest.raises(ImageError, match="cut off"):
        decode_compressed(data[: int(len(data) * share)])


def test_the_end_of_an_embedded_thumbnail_does_not_hide_a_truncated_jpeg():
    thumbnail = encode(".jpg")
    data = encode(".jpg")
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = data[:2] + segment + data[2:]
    np.testing.assert_array_equal(decode_compressed(whole), decode_compressed(data))
    with pytest.raises(ImageError, match="cut off"):
        decode_compressed(whole[:-200])


def test_bytes_behind_a_jpeg_are_padding():
    data = encode(".jpg")
    np.testing.assert_array_equal(decode_compressed(data + bytes(64)), decode_compressed(data))


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_truncated_png_is_refused(share):
    data = encode(".png")
    with pytest.raises(ImageError, match="cut off"):
        decode_compressed(data[: int(len(data) * share)])


@pytest.mark.parametrize(
    ("data", "format_name", "words"),
    [
        (b"", "jpeg", "empty"),
        (b"hello, this is no image", "jpeg", "neither JPEG nor PNG"),
        (b"\xff", "jpeg", "neither JPEG nor PNG"),
        (b"\xff\xd8\xff\xda\x00\x00\xff\xd9", "jpeg", "damaged"),
        (b"\x00" * 40, "16UC1; compressedDepth", "depths"),
    ],
)
def test_bytes_that_are_no_image_are_refused(data, format_name, words):
    with pytest.raises(ImageError, match=words):
        decode_compressed(data, format_name)


def test_a_jpeg_is_not_turned_by_its_exif():
    # TIFF header with one entry: orientation (0x0112) = 6, a quarter turn.
    tiff = (
        b"II*\x00\x08\x00\x00\x00\x01\x00\x12\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00"
        + bytes(4)
    )
    body = b"Exif\x00\x00" + tiff
    data = encode(".jpg")
    turned = data[:2] + b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body + data[2:]
    assert cv2.imdecode(np.frombuffer(turned, np.uint8), cv2.IMREAD_COLOR).shape == (80, 60, 3)
    assert decode_compressed(turned).shape == (60, 80, 3)


def test_a_message_is_read_by_its_fields():
    class Raw:
        pass

    class Compressed:
        format = "png"
        data = encode(".png")

    message = Raw()
    message.__dict__.update(raw(BGR, "bgr8"))
    np.testing.assert_array_equal(decode_message(message), BGR)
    np.testing.assert_array_equal(decode_message(Compressed()), smooth_image())
