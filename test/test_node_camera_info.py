"""camera_info reaches the node however it is published: again and again, or once and latched."""

from __future__ import annotations

import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy  # noqa: E402
from ros_fixtures import PLACED, camera_info  # noqa: E402
from sensor_msgs.msg import CameraInfo  # noqa: E402

from ood_perception.ros.info_subscription import choose_info_profile  # noqa: E402

TOPIC = "/ood_perception/camera/camera_info"
RELIABLE, BEST_EFFORT = ReliabilityPolicy.RELIABLE, ReliabilityPolicy.BEST_EFFORT
VOLATILE, LATCHED = DurabilityPolicy.VOLATILE, DurabilityPolicy.TRANSIENT_LOCAL


def profile(reliability=RELIABLE, durability=LATCHED):
    return QoSProfile(depth=1, reliability=reliability, durability=durability)


def publish_anew(bench, qos):
    """Takes the camera_info publisher at hand off the graph and makes one with this profile."""
    bench.client.destroy_publisher(bench.infos["camera"])
    bench.infos["camera"] = bench.client.create_publisher(CameraInfo, TOPIC, qos)


def focal_px(bench):
    model = bench.node._session._processors["camera"]._model
    return None if model is None else model.matrix[0, 0]


def test_one_that_was_latched_before_activation_gives_places(make_bench):
    bench = make_bench(**PLACED)
    publish_anew(bench, profile())
    bench.infos["camera"].publish(camera_info(focal_px=100.0))
    bench.activate()
    bench.wait(lambda: focal_px(bench) == 100.0, "the latched camera_info")
    bench.send(bench.image(color_image()))
    (array,) = bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
    assert array.status == array.STATUS_OK
    assert [c.has_position for c in array.components] == [True]


def test_one_that_was_latched_is_had_again_in_the_next_activation(make_bench):
    bench = make_bench(**PLACED)
    publish_anew(bench, profile())
    bench.infos["camera"].publish(camera_info(focal_px=100.0))
    bench.activate()
    bench.wait(lambda: focal_px(bench) == 100.0, "the latched camera_info")
    bench.in_executor(bench.node.trigger_deactivate)
    bench.in_executor(bench.node.trigger_activate)
    bench.wait(lambda: focal_px(bench) == 100.0, "the latched camera_info again")


def test_the_subscription_follows_publishers_that_are_latched_and_that_are_not(make_bench):
    bench = make_bench(**PLACED).activate()
    offers = [profile(), profile(BEST_EFFORT, VOLATILE), profile(RELIABLE, VOLATILE), profile()]
    for number, qos in enumerate(offers, start=1):
        publish_anew(bench, qos)
        if qos.durability == LATCHED:
            bench.infos["camera"].publish(camera_info(focal_px=float(number)))

        def arrives(wanted=float(number), latched=qos.durability == LATCHED):
            if not latched:
                bench.infos["camera"].publish(camera_info(focal_px=wanted))
            return focal_px(bench) == wanted

        bench.wait(arrives, f"camera_info of publisher {number}")


@pytest.mark.parametrize(
    ("offers", "current", "wanted"),
    [
        ([], None, (BEST_EFFORT, VOLATILE)),
        ([profile()], None, (RELIABLE, LATCHED)),
        ([profile(), profile()], None, (RELIABLE, LATCHED)),
        ([profile(RELIABLE, VOLATILE)], profile(), (BEST_EFFORT, VOLATILE)),
        ([profile(), profile(BEST_EFFORT, VOLATILE)], profile(), (BEST_EFFORT, VOLATILE)),
        ([profile(BEST_EFFORT, LATCHED)], None, (BEST_EFFORT, VOLATILE)),
        ([], profile(), (RELIABLE, LATCHED)),
    ],
)
def test_no_publisher_is_asked_for_more_than_it_offers(offers, current, wanted):
    chosen = choose_info_profile(offers, current)
    assert (chosen.reliability, chosen.durability) == wanted
