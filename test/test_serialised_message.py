"""Messages written as bytes are those that ROS itself would write."""

from __future__ import annotations

import random
import string
import struct
from math import nan

import pytest

pytestmark = pytest.mark.ros

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from geometry_msgs.msg import PolygonStamped, PoseArray, PoseWithCovariance  # noqa: E402
from ood_detection.msg import ObstacleComponentArray  # noqa: E402
from rclpy.serialization import deserialize_message, serialize_message  # noqa: E402

from ood_perception.ros.message_classes import filled, message_class  # noqa: E402
from ood_perception.ros.serialised_message import serialised  # noqa: E402

INTEGERS = {"uint8": 255, "uint32": 2**32 - 1, "int32": 2**31 - 1, "uint64": 2**64 - 1}


def random_fields(message_type, rng):
    """A value for every field; strings of any length move all that follows them."""
    return {
        name: random_value(kind, rng)
        for name, kind in message_type.get_fields_and_field_types().items()
    }


def random_value(kind, rng):
    if kind.startswith("sequence<"):
        element = kind.removeprefix("sequence<").rstrip(">")
        return [random_value(element, rng) for _ in range(rng.choice((0, 1, 2, 7)))]
    if kind == "string":
        return "".join(rng.choices(string.ascii_letters + "äß", k=rng.randrange(9)))
    if kind in ("float", "double"):
        return rng.choice((nan, 0.0, -1.5, rng.uniform(-1e6, 1e6)))
    if kind == "boolean":
        return rng.random() < 0.5
    if "/" in kind:
        return random_fields(message_class(kind.replace("/", "/msg/")), rng)
    return rng.choice((0, 1, INTEGERS[kind], -1 if kind == "int32" else 2))


@pytest.mark.parametrize("message_type", [ObstacleComponentArray, PolygonStamped, PoseArray])
def test_ros_reads_what_it_would_have_written(message_type):
    rng = random.Random(7)
    for _ in range(60):
        fields = random_fields(message_type, rng)
        ours = serialised(message_type, fields)
        theirs = serialize_message(filled(message_type(), fields))
        assert len(ours) == len(theirs), "what lies between the fields may differ, not the places"
        read = [repr(deserialize_message(raw, message_type)) for raw in (ours, theirs)]
        assert read[0] == read[1]


def test_a_missing_or_unknown_field_is_named():
    fields = random_fields(ObstacleComponentArray, random.Random(1))
    with pytest.raises(ValueError, match=r"ObstacleComponentArray.*: colour$"):
        serialised(ObstacleComponentArray, {**fields, "colour": 1})
    del fields["header"]["stamp"]["sec"]
    with pytest.raises(ValueError, match=r"Time: .*: sec$"):
        serialised(ObstacleComponentArray, fields)


@pytest.mark.parametrize("wrong", [2**32, -1, 1.5, "1", None])
def test_a_number_that_does_not_fit_is_no_message(wrong):
    fields = random_fields(ObstacleComponentArray, random.Random(1))
    with pytest.raises(struct.error):
        serialised(ObstacleComponentArray, {**fields, "image_width": wrong})


def test_a_type_that_cannot_be_written_is_refused_before_any_byte():
    with pytest.raises(ValueError, match=r"double\[36\]"):
        serialised(PoseWithCovariance, {"pose": {}, "covariance": []})
