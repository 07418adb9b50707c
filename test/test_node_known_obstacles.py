"""The parameter known_obstacle_classes: what it adds to the cloud, and how it is refused."""

from __future__ import annotations

import numpy as np
import pytest
from color_bundle import BLUE, RED

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from ros_fixtures import PLACED  # noqa: E402


def car_on_the_road():
    """A red block, which the model knows as a car, down to row 48 of 64."""
    image = np.empty((64, 128, 3), np.uint8)
    # Of unlike brightness: an image without contrast is refused.
    image[:32], image[32:] = (5, 130, 5), BLUE
    image[32:48, 64:96] = RED
    return image


def clouds_of_three_images(bench):
    bench.activate()
    bench.send_info()
    for number in range(3):
        bench.send(bench.image(car_on_the_road()))
        bench.wait(lambda n=number: len(bench.messages("camera/obstacle_points")) > n, "a cloud")
    clouds = bench.messages("camera/obstacle_points")
    return [np.frombuffer(cloud.data, "<f4").reshape(-1, 3) for cloud in clouds]


def test_a_named_class_stands_in_the_cloud_at_its_place_and_in_no_list(make_bench):
    bench = make_bench(**PLACED, known_obstacle_classes=["car"])
    first, *_, last = clouds_of_three_images(bench)
    assert len(first) == 0, "not confirmed yet"
    # 16 pixels below the horizon, 1.4 m high, f = 100 pixels; columns 64 to 96 are right of x.
    assert last[:, 0].min() == pytest.approx(1.4 * 100 / 16, rel=0.15)
    near = last[last[:, 0] < last[:, 0].min() + 0.3]
    assert near[:, 1].min() == pytest.approx(-0.32 * last[:, 0].min(), rel=0.2)
    assert all(not array.components for array in bench.messages("camera/obstacles"))


def test_without_the_parameter_known_classes_are_others_business(make_bench):
    assert [len(cloud) for cloud in clouds_of_three_images(make_bench(**PLACED))] == [0, 0, 0]


def test_a_class_that_the_model_lacks_is_refused_in_configure_with_its_classes(make_bench):
    bench = make_bench(**PLACED, known_obstacle_classes=["car", "bicycle"])
    assert bench.in_executor(bench.node.trigger_configure) == TransitionCallbackReturn.FAILURE
    status = bench.wait(
        lambda: bench.node_status().level == b"\x02" and bench.node_status(), "the refusal"
    )
    assert "'bicycle'" in status.message
    assert "road, tree, car" in status.message
    assert "\n" not in status.message
    (result,) = bench.node.set_parameters([Parameter("known_obstacle_classes", value=["car"])])
    assert result.successful
    bench.activate()
