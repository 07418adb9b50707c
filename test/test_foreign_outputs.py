"""vision_msgs and Autoware topics of the real node, where their packages are installed."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from color_bundle import BLUE, GREY

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from ros_fixtures import PLACED, stamps  # noqa: E402

from ood_perception.ros.foreign_outputs import TOPICS  # noqa: E402
from ood_perception.ros.message_classes import filled, message_class  # noqa: E402

FRAMES = 6  # more than the defaults ask for to confirm an obstacle
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


def missing(package):
    return importlib.util.find_spec(package) is None


def unknown_block():
    """A grey block, which the model does not know, on the road below the horizon."""
    image = np.empty((64, 128, 3), np.uint8)
    image[:32], image[32:] = (5, 130, 5), BLUE
    image[32:48, 56:72] = GREY
    return image


def run(bench, frames=FRAMES):
    bench.activate()
    bench.send_info()
    for number in range(frames):
        bench.send(bench.image(unknown_block()))
        bench.wait(lambda n=number: bench.count("processed") > n, "a processed image")
    bench.wait(lambda: len(bench.messages("camera/obstacle_points")) == frames, "the clouds")


def test_a_topic_exists_exactly_where_its_package_does(make_bench):
    bench = make_bench(**PLACED)
    bench.activate()
    names = {name for name, _ in bench.node.get_topic_names_and_types()}
    for name, typename in TOPICS.items():
        there = f"/ood_perception/camera/{name}" in names
        assert there is not missing(typename.partition("/")[0]), name


def test_without_these_packages_the_node_publishes_all_the_rest(make_bench):
    if not (missing("vision_msgs") and missing("autoware_perception_msgs")):
        pytest.skip("vision_msgs or autoware_perception_msgs is installed")
    bench = make_bench(**PLACED)
    run(bench)
    assert bench.messages("camera/obstacles")[-1].components[0].confirmed


@pytest.mark.skipif(missing("vision_msgs"), reason="vision_msgs is not installed (not on PyPI)")
def test_vision_msgs_detections_and_latched_label_info(make_bench):
    bench = make_bench(**PLACED)
    for name in ("detections", "detections_3d"):
        bench.listen(f"camera/{name}", message_class(TOPICS[name]))
    run(bench)
    flat = bench.wait(
        lambda: (
            len(bench.messages("camera/detections")) == FRAMES
            and bench.messages("camera/detections")
        ),
        "detections",
    )
    assert stamps(flat) == stamps(bench.messages("camera/obstacles"))
    assert [len(message.detections) for message in flat] == [1] * FRAMES
    assert flat[0].detections[0].bbox.center.position.x == pytest.approx(64, abs=2)
    placed = bench.messages("camera/detections_3d")
    counts = [len(message.detections) for message in placed]
    assert (counts[0], counts[-1]) == (0, 1), "only what is confirmed"
    assert placed[-1].header.frame_id == "base_link"
    # Who comes late is told the classes all the same.
    bench.listen("camera/label_info", message_class(TOPICS["label_info"]), LATCHED)
    (info,) = bench.wait(lambda: bench.messages("camera/label_info"), "the latched label_info")
    assert info.class_map[0].class_name == "road"


@pytest.mark.skipif(
    missing("autoware_perception_msgs"),
    reason="autoware_perception_msgs is not installed (not on PyPI)",
)
def test_autoware_objects(make_bench):
    bench = make_bench(**PLACED)
    bench.listen("camera/objects", message_class(TOPICS["objects"]))
    run(bench)
    messages = bench.wait(
        lambda: (
            len(bench.messages("camera/objects")) == FRAMES and bench.messages("camera/objects")
        ),
        "objects",
    )
    (found,) = messages[-1].objects
    assert found.kinematics.pose_with_covariance.pose.position.x > 1.0
    assert len(found.shape.footprint.points) == 4


def test_a_message_is_filled_from_dicts_lists_and_arrays():
    message = message_class("geometry_msgs/msg/PolygonStamped")()
    fields = {
        "header": {"stamp": {"sec": 3, "nanosec": 4}, "frame_id": "map"},
        "polygon": {"points": [{"x": 1.0, "y": 2.0, "z": 0.0}]},
    }
    assert filled(message, fields).polygon.points[0].y == 2.0
    covered = message_class("geometry_msgs/msg/PoseWithCovariance")()
    assert filled(covered, {"covariance": [0.5] * 36}).covariance[35] == 0.5
    with pytest.raises(AttributeError, match="no_such_field"):
        filled(message_class("std_msgs/msg/Header")(), {"no_such_field": 1})
