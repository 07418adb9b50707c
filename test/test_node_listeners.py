"""What is made for people alone is made only while someone listens."""

from __future__ import annotations

import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from ood_detection.msg import ObstacleComponentArray  # noqa: E402
from ros_fixtures import PLACED, stamp_of, stamps  # noqa: E402
from visualization_msgs.msg import MarkerArray  # noqa: E402

from ood_perception.ros import camera_outputs  # noqa: E402

KINDS = {"rejected": ObstacleComponentArray, "obstacle_markers": MarkerArray}


def stop_to_listen(bench, name):
    for subscription in list(bench.client.subscriptions):
        if subscription.topic_name.endswith(f"/{name}"):
            bench.client.destroy_subscription(subscription)


def test_rejected_components_and_markers_cost_nothing_until_someone_listens(
    make_bench, monkeypatch
):
    made = []

    def noting(name, make):
        return lambda *values: (made.append(name), make(*values))[1]

    for name in ("component_array", "marker_array"):
        monkeypatch.setattr(camera_outputs, name, noting(name, getattr(camera_outputs, name)))
    bench = make_bench(**PLACED)
    for name in KINDS:
        stop_to_listen(bench, name)
    bench.activate()
    bench.send_info()
    outputs = bench.node._outputs["camera"]
    publishers = outputs._rejected, outputs._markers
    bench.wait(lambda: not any(p.get_subscription_count() for p in publishers), "silence")
    first = bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.messages("camera/obstacle_points"), "the points")
    bench.wait(lambda: bench.count("processed") == 1, "the end of the image")
    assert made == ["component_array"], "of the obstacles alone"
    for name, kind in KINDS.items():
        bench.listen(f"camera/{name}", kind)
    bench.wait(lambda: all(p.get_subscription_count() for p in publishers), "listeners")
    second = bench.send(bench.image(color_image()))
    bench.wait(lambda: all(bench.messages(f"camera/{name}") for name in KINDS), "both")
    assert stamps(bench.messages("camera/rejected")) == [stamp_of(second)]
    wanted = [stamp_of(first), stamp_of(second)]
    assert stamps(bench.messages("camera/obstacles")) == wanted
