"""What the node's own status says while it is active."""

import pytest

pytest.importorskip("diagnostic_msgs", reason="the ROS message packages are not installed")

from ood_perception.backends.fallback import FallbackBackend
from ood_perception.ros.diagnostics import OK, WARN, active_health


class Processor:
    device = "onnxruntime 1.20 CPUExecutionProvider"
    inputs = outputs = ()


def test_a_backend_that_stands_in_is_a_warning_that_names_both_and_the_reason():
    device = FallbackBackend(Processor(), ["no engine for this GPU"]).device
    health = active_health(device)
    assert health.level == WARN
    assert health.state == "active"
    assert "onnxruntime" in health.message
    assert "no engine for this GPU" in health.message
    assert active_health(Processor.device).level == OK
