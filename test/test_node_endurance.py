"""A hundred transitions in any order, and parameters that cannot be: nothing is left behind."""

from __future__ import annotations

import gc
import random
import threading

import pytest
from color_bundle import color_image, write_color_bundle

from ood_perception.process_memory import resident_bytes

pytestmark = [pytest.mark.ros, pytest.mark.timeout(180)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState  # noqa: E402
from rcl_interfaces.msg import Parameter as ParameterMessage  # noqa: E402
from rcl_interfaces.msg import ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from ros_fixtures import benches  # noqa: E402

from ood_perception.ros.model_loading import load_detector  # noqa: E402

AFTER = {
    ("unconfigured", "configure"): "inactive",
    ("inactive", "activate"): "active",
    ("inactive", "cleanup"): "unconfigured",
    ("active", "deactivate"): "inactive",
}
IDS = {
    "configure": Transition.TRANSITION_CONFIGURE,
    "activate": Transition.TRANSITION_ACTIVATE,
    "deactivate": Transition.TRANSITION_DEACTIVATE,
    "cleanup": Transition.TRANSITION_CLEANUP,
}


@pytest.fixture
def bench(tmp_path):
    bundle = tmp_path / "color"
    write_color_bundle(bundle)
    with benches() as make:
        yield make(load_detector, bundle=str(bundle), max_frame_age_s=0.0)


def call(bench, service_type, name, request):
    client = bench.client.create_client(service_type, f"/ood_perception/{name}")
    assert client.wait_for_service(10)
    done = client.call_async(request)
    bench.wait(done.done, name)
    bench.client.destroy_client(client)
    return done.result()


def test_a_hundred_transitions_in_any_order_by_a_manager_leave_nothing_behind(bench):
    numbers, state, resident = random.Random(4), "unconfigured", []
    client = bench.client.create_client(ChangeState, "/ood_perception/change_state")
    assert client.wait_for_service(10)
    for number in range(100):
        name = numbers.choice(list(IDS))
        done = client.call_async(ChangeState.Request(transition=Transition(id=IDS[name])))
        bench.wait(done.done, name)
        wanted = AFTER.get((state, name))
        assert done.result().success == (wanted is not None), (number, state, name)
        state = wanted or state
        assert bench.node.current_state_label == state
        if state == "active":
            # images at every moment, the first and the last of an activation too
            bench.send(bench.image(color_image()))
        if state == "unconfigured":
            gc.collect()
            resident.append(resident_bytes())
    while state != "unconfigured":
        name = {"active": "deactivate", "inactive": "cleanup"}[state]
        assert bench.in_executor(getattr(bench.node, f"trigger_{name}"))
        state = AFTER[(state, name)]
    assert [t.name for t in threading.enumerate() if t.name == "ood_frame_worker"] == []
    assert bench.client.count_publishers("/ood_perception/camera/obstacles") == 0
    middle = resident[len(resident) // 2]
    assert resident[-1] - middle < 30e6, "a model that is let go of is let go of"
    assert bench.in_executor(bench.node.autostart)
    bench.wait(lambda: bench.publishers["camera"].get_subscription_count(), "subscription")
    before = len(bench.messages("camera/obstacles"))
    bench.send(bench.image(color_image()))
    bench.wait(lambda: len(bench.messages("camera/obstacles")) > before, "obstacles")


BAD_VALUES = [
    ("max_frame_age_s", ParameterType.PARAMETER_DOUBLE, "double_value", -1.0),
    ("max_frame_age_s", ParameterType.PARAMETER_DOUBLE, "double_value", float("nan")),
    ("image_timeout_s", ParameterType.PARAMETER_DOUBLE, "double_value", 1e9),
    ("max_batch", ParameterType.PARAMETER_INTEGER, "integer_value", -3),
    ("tracking.confirm_hits", ParameterType.PARAMETER_INTEGER, "integer_value", 0),
    ("budgets.dropped_share", ParameterType.PARAMETER_DOUBLE, "double_value", 1.5),
    ("mounting_source", ParameterType.PARAMETER_STRING, "string_value", "guess"),
    ("image_conversion", ParameterType.PARAMETER_STRING, "string_value", "magic"),
    ("bundle", ParameterType.PARAMETER_INTEGER, "integer_value", 3),
    ("cameras", ParameterType.PARAMETER_STRING_ARRAY, "string_array_value", []),
]


@pytest.mark.parametrize("state", ["unconfigured", "active"])
def test_values_that_cannot_be_are_refused_at_run_time_and_change_nothing(bench, state):
    if state == "active":
        bench.activate()
    before = {name: bench.node.get_parameter(name).value for name, *_ in BAD_VALUES}
    for name, kind, field, value in BAD_VALUES:
        parameter = ParameterMessage(name=name, value=ParameterValue(type=kind, **{field: value}))
        request = SetParameters.Request(parameters=[parameter])
        (result,) = call(bench, SetParameters, "set_parameters", request).results
        assert not result.successful, (name, value)
        assert result.reason, (name, value)
    assert {name: bench.node.get_parameter(name).value for name in before} == before
    if state == "unconfigured":
        bench.activate()
    bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
