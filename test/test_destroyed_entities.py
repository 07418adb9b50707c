"""What a node destroys is forgotten by rclpy too, however often it is configured and activated."""

from __future__ import annotations

import pytest
from color_bundle import write_color_bundle

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from ros_fixtures import benches  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from ood_perception.ros.destroyed_entities import forget_destroyed  # noqa: E402
from ood_perception.ros.model_loading import load_detector  # noqa: E402


@pytest.fixture
def bench(tmp_path):
    bundle = tmp_path / "color"
    write_color_bundle(bundle)
    with benches() as make:
        yield make(load_detector, bundle=str(bundle))


def test_only_what_was_destroyed_is_forgotten(bench):
    node = bench.node

    def work():
        group = node.default_callback_group
        forget_destroyed(group)
        kept = node.create_subscription(Header, "kept", lambda message: None, 1)
        before = len(group.entities)
        for _ in range(20):
            node.destroy_publisher(node.create_publisher(Header, "gone", 1))
            node.destroy_subscription(node.create_subscription(Header, "gone", print, 1))
        assert forget_destroyed(group) >= 40
        assert len(group.entities) == before
        assert group.has_entity(kept)
        node.destroy_subscription(kept)

    bench.in_executor(work)


def test_a_node_that_is_configured_again_and_again_remembers_nothing(bench):
    counts = []
    for _ in range(4):
        assert bench.in_executor(bench.node.trigger_configure)
        assert bench.in_executor(bench.node.trigger_activate)
        assert bench.in_executor(bench.node.trigger_deactivate)
        assert bench.in_executor(bench.node.trigger_cleanup)
        bench.in_executor(bench.node._tick)
        counts.append(len(bench.node.default_callback_group.entities))
    assert len(set(counts)) == 1
