"""Images read in place hold what ROS's own code reads, whatever they hold."""

from __future__ import annotations

from array import array

import numpy as np
import pytest

pytestmark = pytest.mark.ros
pytest.importorskip("rclpy", reason="rclpy is not installed")

from builtin_interfaces.msg import Time  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from ood_perception.errors import ImageError  # noqa: E402
from ood_perception.ros import serialised_image  # noqa: E402
from ood_perception.ros.serialised_image import read_image  # noqa: E402


def header(frame_id: str) -> Header:
    return Header(stamp=Time(sec=-5, nanosec=999_999_999), frame_id=frame_id)


def raw(frame_id: str = "optical", encoding: str = "bgr8", size: int = 60) -> Image:
    data = np.random.default_rng(size).integers(0, 256, size, np.uint8).tobytes()
    return Image(
        header=header(frame_id),
        height=4,
        width=5,
        encoding=encoding,
        is_bigendian=1,
        step=15,
        data=array("B", data),
    )


@pytest.fixture
def no_other_way(monkeypatch):
    def fail(*_):
        raise AssertionError("was not read in place")

    monkeypatch.setattr(serialised_image, "deserialize_message", fail)


@pytest.mark.parametrize("frame_id", ["", "a", "ab", "abc", "kämera/optisch", "x" * 300])
@pytest.mark.parametrize("encoding", ["", "bgr8", "mono8", "bayer_rggb16"])
@pytest.mark.parametrize("size", [0, 1, 60])
def test_a_raw_image_is_the_same_read_in_place(no_other_way, frame_id, encoding, size):
    message = raw(frame_id, encoding, size)
    image = read_image(serialize_message(message), Image)
    for name in ("header", "height", "width", "encoding", "is_bigendian", "step"):
        assert getattr(image, name) == getattr(message, name), name
    assert bytes(image.data) == message.data.tobytes()


@pytest.mark.parametrize("format_name", ["", "jpeg", "bgr8; jpeg compressed bgr8"])
def test_a_compressed_image_is_the_same_read_in_place(no_other_way, format_name):
    message = CompressedImage(
        header=header("optical"), format=format_name, data=array("B", b"\xff\xd8\xff\x00\x01")
    )
    image = read_image(serialize_message(message), CompressedImage)
    assert (image.header, image.format) == (message.header, message.format)
    assert bytes(image.data) == message.data.tobytes()


def test_big_endian_messages_are_read_in_place(no_other_way):
    def string(text):
        return (len(text) + 1).to_bytes(4, "big") + text + b"\0"

    body = (7).to_bytes(4, "big") + (8).to_bytes(4, "big") + string(b"abc")
    body += (2).to_bytes(4, "big") + (3).to_bytes(4, "big") + string(b"mono8")
    body += b"\0" * (-(len(body) + 1) % 4 + 1)
    body += (3).to_bytes(4, "big") + (6).to_bytes(4, "big") + b"abcdef"
    image = read_image(b"\x00\x00\x00\x00" + body, Image)
    assert (image.header.stamp.sec, image.header.stamp.nanosec) == (7, 8)
    assert (image.height, image.width, image.encoding, image.step) == (2, 3, "mono8", 3)
    assert bytes(image.data) == b"abcdef"


def test_other_encodings_than_plain_cdr_are_left_to_ros(monkeypatch):
    monkeypatch.setattr(serialised_image, "deserialize_message", lambda *given: given)
    spoilt = b"\x00\x07" + bytes(serialize_message(raw()))[2:]
    assert read_image(spoilt, Image) == (spoilt, Image)


@pytest.mark.parametrize("kept", [2, 4, 11, 13, 20, 40, -1])
def test_a_damaged_message_is_named_and_not_guessed_at(no_other_way, kept):
    with pytest.raises(ImageError, match="damaged"):
        read_image(bytes(serialize_message(raw()))[:kept], Image)


def test_random_bytes_are_an_image_or_an_error_of_one_line(no_other_way):
    rng, whole = np.random.default_rng(7), bytes(serialize_message(raw()))
    told, sizes = [], []
    for _ in range(300):
        spoilt = bytearray(whole)
        for place in rng.integers(4, len(whole), 6):
            spoilt[place] = rng.integers(256)
        try:
            sizes.append(len(read_image(bytes(spoilt), Image).data))
        except ImageError as error:
            told.append(str(error))
    assert sizes
    assert max(sizes) <= len(whole)
    assert told
    assert not any("\n" in text for text in told)
