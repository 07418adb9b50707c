"""The node's topics can be connected to a driver's by remapping, as the launch files do."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.parameter import Parameter  # noqa: E402

from ood_perception.ros.lifecycle_node import OodPerceptionNode  # noqa: E402


@pytest.mark.parametrize(("compressed", "ending"), [(False, ""), (True, "/compressed")])
def test_remapped_images_and_camera_info_are_subscribed_where_the_driver_publishes(
    color_detector, compressed, ending
):
    rules = ("image:=/f/image_raw", "image/compressed:=/f/image_raw/compressed")
    rules += ("camera_info:=/f/camera_info",)
    context = rclpy.Context()
    rclpy.init(context=context)
    node = OodPerceptionNode(
        detector_factory=lambda *_: color_detector,
        context=context,
        cli_args=["--ros-args", *(word for rule in rules for word in ("-r", f"~/front/{rule}"))],
        parameter_overrides=[
            Parameter("cameras", value=["front"]),
            Parameter("compressed", value=compressed),
        ],
    )
    try:
        assert node.autostart()
        assert node.count_subscribers(f"/f/image_raw{ending}") == 1
        assert node.count_subscribers("/f/camera_info") == 1
        assert node.count_publishers("/ood_perception/front/obstacle_points") == 1
    finally:
        node.end()
        node.destroy_node()
        rclpy.shutdown(context=context)
