"""The node's transitions: in any order nothing is left running, and every refusal says why."""

from __future__ import annotations

import gc
import importlib.util
import json
import threading
import time
import weakref
from threading import Event

import pytest
from color_bundle import color_image, write_color_bundle

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from lifecycle_msgs.msg import Transition  # noqa: E402
from lifecycle_msgs.srv import ChangeState, GetState  # noqa: E402
from rclpy.lifecycle import TransitionCallbackReturn  # noqa: E402
from rclpy.parameter import Parameter  # noqa: E402
from ros_fixtures import ChangedDetector, benches  # noqa: E402

from ood_perception.detector import Detector  # noqa: E402
from ood_perception.ros.model_loading import load_detector  # noqa: E402

SUCCESS, FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE
ORDERS = [
    ["shutdown"],
    ["configure", "shutdown"],
    ["configure", "activate", "shutdown"],
    ["configure", "activate", "deactivate", "shutdown"],
    [
        *("configure", "cleanup", "configure", "activate", "deactivate", "activate", "deactivate"),
        *("cleanup", "configure", "cleanup", "shutdown"),
    ],
]


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "color"
    write_color_bundle(folder)
    return folder


@pytest.fixture
def make_bench():
    with benches() as make:
        yield lambda factory=load_detector, **parameters: make(factory, **parameters)


def trigger(bench, transition):
    return bench.in_executor(getattr(bench.node, f"trigger_{transition}"))


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "ood_frame_worker"]


def assert_quiet(bench):
    """Nothing subscribes, works or publishes obstacles any more."""
    assert workers() == []
    bench.wait(lambda: bench.publishers["camera"].get_subscription_count() == 0, "no subscription")
    bench.wait(lambda: bench.infos["camera"].get_subscription_count() == 0, "no subscription")


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: "-".join(order))
def test_transitions_in_any_order_leave_nothing_running(make_bench, bundle, order):
    bench = make_bench(bundle=str(bundle))
    for transition in order:
        before = len(bench.messages("camera/obstacles"))
        assert trigger(bench, transition) == SUCCESS, transition
        if transition == "activate":
            bench.wait(lambda: bench.publishers["camera"].get_subscription_count(), "subscription")
            bench.send(bench.image(color_image()))
            bench.wait(lambda n=before: len(bench.messages("camera/obstacles")) > n, "obstacles")
        else:
            assert_quiet(bench)
    topic = "/ood_perception/camera/obstacles"
    bench.wait(lambda: bench.client.count_publishers(topic) == 0, "no publishers")


def discovered_client(bench, service_type, name):
    client = bench.client.create_client(service_type, name)
    assert client.wait_for_service(10), f"no server for {name}"
    return client


def test_a_destroyed_node_leaves_the_graph_at_once(bundle):
    """Else a manager finds the servers of nodes that are gone, and not the one that answers."""
    gc.disable()  # what the garbage collector would tidy up is not to be left behind
    try:
        for _ in range(3):
            with benches() as make:
                bench = make(load_detector, bundle=str(bundle))
                discovered_client(bench, ChangeState, "/ood_perception/change_state")
                bench.wait(
                    lambda b=bench: b.client.get_node_names().count("ood_perception") == 1,
                    "the nodes before to be gone",
                    3.0,
                )
                assert bench.client.count_services("/ood_perception/change_state") == 1
            kept = bench.node  # as something somewhere may hold it
        assert kept.is_finalized
    finally:
        gc.enable()


def test_a_manager_drives_the_node_by_its_services(make_bench, bundle):
    bench = make_bench(bundle=str(bundle))
    change = discovered_client(bench, ChangeState, "/ood_perception/change_state")
    state = discovered_client(bench, GetState, "/ood_perception/get_state")

    def call(client, request):
        done = client.call_async(request)
        bench.wait(done.done, "the service")
        return done.result()

    for transition, wanted in (
        (Transition.TRANSITION_CONFIGURE, "inactive"),
        (Transition.TRANSITION_ACTIVATE, "active"),
        (Transition.TRANSITION_DEACTIVATE, "inactive"),
        (Transition.TRANSITION_CLEANUP, "unconfigured"),
    ):
        request = ChangeState.Request(transition=Transition(id=transition))
        assert call(change, request).success
        assert call(state, GetState.Request()).current_state.label == wanted
        bench.wait(lambda w=wanted: bench.node_status().values[0].value == w, wanted)


def test_deactivating_discards_the_frame_at_hand(make_bench, bundle):
    begun, go_on = Event(), Event()
    blocking = []

    def block(image):
        if blocking:
            begun.set()
            go_on.wait(10)

    loaded = Detector(write_color_bundle(bundle))
    bench = make_bench(lambda *_: ChangedDetector(loaded, block)).activate()
    blocking.append(True)
    bench.send(bench.image(color_image()))
    assert begun.wait(5)
    bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.count("received") == 2, "the second image")
    threading.Timer(0.3, go_on.set).start()
    assert trigger(bench, "deactivate") == SUCCESS
    assert_quiet(bench)
    bench.wait(lambda: bench.count("dropped_stopped") == 2, "the account of both frames")
    assert bench.count("pending") == 0
    assert bench.messages("camera/obstacles") == []


def test_cleaning_up_lets_go_of_the_model_at_once(make_bench, bundle):
    """Not when Python next looks for circles: the device's memory may hold no second model."""
    loaded = []

    def factory(*given):
        detector = load_detector(*given)
        loaded.append(weakref.ref(detector))
        return detector

    bench = make_bench(factory, bundle=str(bundle)).activate()
    bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
    assert trigger(bench, "deactivate") == trigger(bench, "cleanup") == SUCCESS
    assert [reference() for reference in loaded] == [None]


def _change_byte(folder):
    path = folder / "network.onnx"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    return "network.onnx"


def _remove_file(folder):
    (folder / "meta_classifier.onnx").unlink()
    return "meta_classifier.onnx"


def _newer_schema(folder):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**manifest, "schema_version": 99}), encoding="utf-8")
    return "schema 99"


@pytest.mark.parametrize("damage", [_change_byte, _remove_file, _newer_schema])
def test_a_damaged_bundle_is_refused_in_configure_with_one_line(make_bench, bundle, damage):
    word = damage(bundle)
    bench = make_bench(bundle=str(bundle))
    assert trigger(bench, "configure") == FAILURE
    status = bench.wait(
        lambda: (
            bench.node_status() and bench.node_status().level == b"\x02" and bench.node_status()
        ),
        "the refusal",
        1.0,
    )
    assert word in status.message
    assert "\n" not in status.message
    assert bench.node.current_state_label == "unconfigured"
    write_color_bundle(bundle)
    bench.activate()
    bench.wait(lambda: bench.node_status().level == b"\x00", "the fault to be gone")


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"bundle": "no_such_model"}, "no_such_model"),
        ({"backend": "abacus"}, "abacus"),
        ({"cameras": ("no good",)}, "no good"),
    ],
)
def test_settings_that_cannot_work_are_refused_in_configure(make_bench, bundle, parameters, word):
    cameras = parameters.pop("cameras", None)
    bench = make_bench(**{"bundle": str(bundle), **parameters})
    if cameras:
        bench.node.set_parameters([Parameter("cameras", value=list(cameras))])
    assert trigger(bench, "configure") == FAILURE
    bench.wait(lambda: word in bench.node_status().message, "the reason")


def test_tf_without_tf2_ros_is_refused_in_configure(make_bench, bundle):
    if importlib.util.find_spec("tf2_ros") is not None:
        pytest.skip("tf2_ros is installed here")
    bench = make_bench(bundle=str(bundle), mounting_source="tf")
    assert trigger(bench, "configure") == FAILURE
    bench.wait(lambda: "tf2_ros is not installed" in bench.node_status().message, "the reason")


def test_a_defect_in_configure_is_reported_and_leaves_the_node_usable(make_bench, bundle):
    faults = [KeyError("oops")]

    def factory(path, backend):
        if faults:
            raise faults.pop()
        return load_detector(path, backend)

    bench = make_bench(factory, bundle=str(bundle))
    assert trigger(bench, "configure") == FAILURE
    bench.wait(lambda: "KeyError: 'oops'" in bench.node_status().message, "the report")
    bench.activate()


def test_parameters_change_only_while_unconfigured(make_bench, bundle):
    bench = make_bench(bundle="somewhere")
    (result,) = bench.node.set_parameters([Parameter("bundle", value=str(bundle))])
    assert result.successful
    (result,) = bench.node.set_parameters([Parameter("autostart", value=False)])
    assert not result.successful
    bench.activate()
    (result,) = bench.node.set_parameters([Parameter("max_frame_age_s", value=1.0)])
    assert not result.successful
    assert "while active" in result.reason


def test_diagnostics_name_the_model_its_data_and_its_terms(make_bench, bundle):
    bench = make_bench(bundle=str(bundle)).activate()
    bench.wait(lambda: bench.node_status().message == "active", "active")
    values = {v.key: v.value for v in bench.node_status().values}
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    assert values["model_id"].startswith(manifest["name"])
    assert values["trained_on"] == manifest["provenance"]["trained_on"]
    assert values["terms"] == manifest["provenance"]["terms"]
    assert "onnxruntime" in values["backend"]
    count = len(bench.messages("/diagnostics"))
    time.sleep(1.5)
    assert len(bench.messages("/diagnostics")) - count >= 2, "at least 2 Hz"


def test_a_publisher_that_cannot_be_made_leaves_none_of_its_camera_behind(
    make_bench, bundle, monkeypatch
):
    bench = make_bench(bundle=str(bundle))
    create, made = bench.node.create_lifecycle_publisher, []

    def failing_at_the_last(kind, topic, qos):
        if topic.endswith("overlay"):
            raise RuntimeError("no memory for a publisher")
        made.append(topic)
        return create(kind, topic, qos)

    monkeypatch.setattr(bench.node, "create_lifecycle_publisher", failing_at_the_last)
    assert trigger(bench, "configure") == FAILURE
    assert len(made) >= 4
    published = {publisher.topic_name for publisher in bench.node.publishers}
    assert not [name for name in published if "/camera/" in name]
    monkeypatch.undo()
    assert trigger(bench, "configure") == SUCCESS
