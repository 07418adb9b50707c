"""cv_bridge where it is installed, our own conversion otherwise: the same pixels either way."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from encoding_reference import bgr_of, shape_of

from ood_perception.errors import ImageError
from ood_perception.image_decoding import KNOWN_ENCODINGS, decode_message
from ood_perception.ros.image_conversion import BridgeDecoder, image_decoder

# Of 255: OpenCV's YUV rounds its factors, the reference does not.
TOLERANCES = dict.fromkeys(("yuv422", "uyvy", "yuv422_yuy2", "yuyv"), 1)


def message(encoding: str, padding: int = 0, is_bigendian: int = 0, seed: int = 1):
    """8 x 6 random pixels with the fields of a sensor_msgs/Image."""
    channels, size = shape_of(encoding)
    rng = np.random.default_rng(seed)
    # YUV is defined in studio range alone.
    low, high = (16, 236) if encoding in TOLERANCES else (0, 256**size)
    values = rng.integers(low, high, (6, 8 * channels)).astype(
        f"{'>' if is_bigendian else '<'}u{size}"
    )
    rows = np.pad(values.view(np.uint8).reshape(6, -1), ((0, 0), (0, padding)), constant_values=99)
    return SimpleNamespace(
        height=6,
        width=8,
        encoding=encoding,
        is_bigendian=is_bigendian,
        step=rows.shape[1],
        data=rows.tobytes(),
    )


class OldBridge:
    """Converts dense images alone, as early releases do: looks at neither padding nor order.

    By the definitions, not by our own code: what it is trusted with would otherwise be compared
    with itself.
    """

    def __init__(self) -> None:
        self.asked = []

    def imgmsg_to_cv2(self, image, desired_encoding):
        assert desired_encoding == "bgr8"
        channels, size = shape_of(image.encoding)
        dense = image.width * channels * size
        self.asked.append(image.encoding)
        if image.encoding.startswith("yuv"):
            raise RuntimeError("this release knows no yuv422")
        data = image.data[: dense * image.height]
        return bgr_of(
            SimpleNamespace(**{**vars(image), "step": dense, "data": data, "is_bigendian": 0})
        )


@pytest.mark.parametrize("encoding", KNOWN_ENCODINGS)
@pytest.mark.parametrize(("padding", "is_bigendian"), [(0, 0), (3, 0), (0, 1)])
def test_every_encoding_gives_the_pixels_of_its_definition_either_way(
    encoding, padding, is_bigendian
):
    image = message(encoding, padding, is_bigendian)
    bridge = OldBridge()
    expected = bgr_of(image).astype(int)
    for decode in (decode_message, BridgeDecoder(bridge)):
        pixels = decode(image)
        assert pixels.dtype == np.uint8
        assert np.abs(pixels - expected).max() <= TOLERANCES.get(encoding, 0)
    is_colour = not encoding.startswith(("8UC", "16UC")) and encoding not in ("uyvy", "yuyv")
    is_dense = padding == 0 and (is_bigendian == 0 or shape_of(encoding)[1] == 1)
    assert bridge.asked == ([encoding] if is_colour and is_dense else [])


def test_what_cv_bridge_says_is_what_comes_out():
    """Were it asked and then not listened to, any two conversions would look the same."""
    image, seen = message("rgb8"), np.full((6, 8, 3), 7, np.uint8)
    bridge = SimpleNamespace(imgmsg_to_cv2=lambda image, desired_encoding: seen)
    assert BridgeDecoder(bridge)(image) is seen


@pytest.mark.parametrize(
    "change", [{"step": 3}, {"data": b""}, {"encoding": "h264"}, {"height": 0}]
)
def test_a_defect_is_named_before_cv_bridge_sees_it(change):
    bridge = OldBridge()
    with pytest.raises(ImageError):
        BridgeDecoder(bridge)(SimpleNamespace(**{**vars(message("bgr8")), **change}))
    assert bridge.asked == []


def test_a_bridge_that_answers_with_another_shape_is_not_believed():
    bridge = SimpleNamespace(
        imgmsg_to_cv2=lambda image, desired_encoding: np.zeros((6, 8), np.uint8)
    )
    image = message("rgb8")
    np.testing.assert_array_equal(BridgeDecoder(bridge)(image), decode_message(image))


def test_cv_bridge_is_taken_where_it_loads_and_only_where_it_is_wanted(monkeypatch):
    module = ModuleType("cv_bridge")
    module.CvBridge = OldBridge
    monkeypatch.setitem(sys.modules, "cv_bridge", module)
    assert image_decoder("auto")[1] == "cv_bridge"
    assert image_decoder("own") == (decode_message, "own")

    def broken():
        raise AttributeError("_ARRAY_API not found")

    module.CvBridge = broken
    assert image_decoder("auto") == (decode_message, "own")


def test_the_installed_cv_bridge_gives_the_same_pixels():
    cv_bridge = pytest.importorskip("cv_bridge", reason="cv_bridge is not installed")
    messages = pytest.importorskip("sensor_msgs.msg", reason="sensor_msgs is not installed")
    for encoding in KNOWN_ENCODINGS:
        fields = vars(message(encoding))
        image = messages.Image(**fields)
        ours = decode_message(SimpleNamespace(**fields))
        np.testing.assert_array_equal(BridgeDecoder(cv_bridge.CvBridge())(image), ours, encoding)
