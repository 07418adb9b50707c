"""Measured distances over DDS place obstacles; without them the plane does, and that is said."""

from __future__ import annotations

from array import array
from copy import copy

import numpy as np
import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.serialization import serialize_message  # noqa: E402
from ros_fixtures import PLACED  # noqa: E402
from sensor_msgs.msg import Image, PointCloud2, PointField  # noqa: E402

from ood_perception.message_stamp import stamp_ns_of  # noqa: E402

ON_THE_PLANE_M = 1.4 * 100 / 16  # of the grey block, as test_node_frames has it
MEASURED_M = 7.0


def depth_image(header):
    """The same distance along the axis everywhere, in millimetres."""
    values = np.full((32, 64), MEASURED_M * 1000, "<u2")
    return Image(
        header=header,
        height=32,
        width=64,
        encoding="16UC1",
        step=128,
        data=array("B", values.tobytes()),
    )


def wall(header, frame_id):
    """Points of an upright wall across the view, in the optical or in the ground frame."""
    across, up = (v.ravel() for v in np.meshgrid(np.linspace(-5, 5, 120), np.linspace(-1, 1, 60)))
    away = np.full(across.size, MEASURED_M)
    is_ground = frame_id == "base_link"
    points = np.column_stack([away, across, 1.4 + up] if is_ground else [across, up, away])
    message = PointCloud2(header=header, height=1, width=len(points), point_step=12)
    message.header.frame_id = frame_id
    message.fields = [
        PointField(name=name, offset=4 * k, datatype=PointField.FLOAT32, count=1)
        for k, name in enumerate("xyz")
    ]
    message.row_step = 12 * len(points)
    message.data = array("B", points.astype("<f4").tobytes())
    return message


def publisher_of(bench, kind, topic):
    publisher = bench.client.create_publisher(kind, f"/ood_perception/camera/{topic}", 5)
    bench.wait(lambda: publisher.get_subscription_count() == 1, f"the node to subscribe {topic}")
    return publisher


def seen(bench, measured=None, send=lambda message: None):
    """The obstacle of one image, after a measurement with its stamp arrived."""
    image = bench.image(color_image())
    if measured is not None:
        depth = bench.in_executor(lambda: bench.node._session._depths["camera"])
        send(measured(copy(image.header)))
        bench.wait(lambda: depth._messages.at(stamp_ns_of(image)), "the measurement")
    before = len(bench.messages("camera/obstacles"))
    bench.send(image)
    bench.wait(lambda: len(bench.messages("camera/obstacles")) > before, "obstacles")
    (obstacle,) = bench.messages("camera/obstacles")[-1].components
    return obstacle


def test_a_depth_image_places_obstacles(make_bench):
    bench = make_bench(depth="image", **PLACED).activate()
    bench.send_info()
    publisher = publisher_of(bench, Image, "depth")
    obstacle = seen(bench, depth_image, publisher.publish)
    assert obstacle.range_source == obstacle.RANGE_SOURCE_DEPTH
    assert obstacle.distance_m == pytest.approx(MEASURED_M, rel=0.02)


@pytest.mark.parametrize("frame_id", ["camera_optical", "base_link"])
def test_points_place_obstacles_whichever_frame_they_are_in(make_bench, frame_id):
    bench = make_bench(depth="points", **PLACED).activate()
    bench.send_info()
    publisher = publisher_of(bench, PointCloud2, "points")
    obstacle = seen(bench, lambda header: wall(header, frame_id), publisher.publish)
    assert obstacle.range_source == obstacle.RANGE_SOURCE_DEPTH
    assert obstacle.distance_m == pytest.approx(MEASURED_M, rel=0.05)


def test_points_of_an_unknown_frame_are_not_used_and_named(make_bench):
    bench = make_bench(depth="points", **PLACED).activate()
    bench.send_info()
    publisher = publisher_of(bench, PointCloud2, "points")
    obstacle = seen(bench, lambda header: wall(header, "lidar"), publisher.publish)
    assert obstacle.range_source == obstacle.RANGE_SOURCE_GROUND_PLANE
    bench.wait(lambda: "'lidar'" in bench.camera_status().message, "the frame's name")
    assert bench.camera_status().level == b"\x01"


def test_a_damaged_depth_image_costs_the_cameras_image_nothing(make_bench):
    bench = make_bench(depth="image", **PLACED).activate()
    bench.send_info()
    publisher = publisher_of(bench, Image, "depth")

    def cut_off(message):
        publisher.publish(serialize_message(message)[:-100])

    obstacle = seen(bench, depth_image, cut_off)
    assert obstacle.range_source == obstacle.RANGE_SOURCE_GROUND_PLANE
    bench.wait(lambda: "damaged" in bench.camera_status().message, "the warning")


def test_without_a_measurement_the_plane_places_and_the_node_warns(make_bench):
    bench = make_bench(depth="image", **PLACED).activate()
    bench.send_info()
    obstacle = seen(bench)
    assert obstacle.range_source == obstacle.RANGE_SOURCE_GROUND_PLANE
    assert obstacle.distance_m == pytest.approx(ON_THE_PLANE_M, rel=0.1)
    bench.wait(lambda: "nothing was measured" in bench.camera_status().message, "the warning")
    assert bench.camera_status().level == b"\x01"


def test_nothing_is_subscribed_unless_asked_for(make_bench):
    bench = make_bench(**PLACED).activate()
    names = [name for name, _ in bench.client.get_topic_names_and_types()]
    assert not any(name.endswith(("/depth", "/points")) for name in names)


def test_after_deactivate_nothing_is_subscribed_any_more(make_bench):
    bench = make_bench(depth="image", **PLACED).activate()
    publisher = publisher_of(bench, Image, "depth")
    bench.in_executor(bench.node.trigger_deactivate)
    bench.wait(lambda: publisher.get_subscription_count() == 0, "the subscription to end")
