"""The player publishes what the bag holds and the recorder loses none of it, over real DDS."""

import json
import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup-runtime`")

from rclpy.context import Context  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import QoSProfile, ReliabilityPolicy  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from ood_perception.bag_reading import iterate, list_topics, open_bag, read_images  # noqa: E402
from ood_perception.bag_writing import BagWriter  # noqa: E402
from ood_perception.bags import Intrinsics, make_bag  # noqa: E402
from ood_perception.errors import BagError, OodError  # noqa: E402
from ood_perception.ros import bag_player, bag_recorder  # noqa: E402
from ood_perception.ros.bag_player import BagPlayer, PlayerSettings  # noqa: E402
from ood_perception.ros.bag_recorder import BagRecorder  # noqa: E402
from ood_perception.ros.message_classes import message_class, starts_with_header  # noqa: E402
from ood_perception.ros.playback_report import published_messages  # noqa: E402
from ood_perception.ros.serialised_stamp import read_stamp_ns, replace_stamp_ns  # noqa: E402

pytestmark = pytest.mark.ros

START_NS = 1_700_000_000_123_456_789
PERIOD_NS = 50_000_000
IMAGE, INFO = "/camera/image", "/camera/camera_info"


@pytest.fixture
def context():
    context = Context()
    rclpy.init(context=context, domain_id=random.SystemRandom().randint(1, 99))
    yield context
    context.try_shutdown()


@pytest.fixture
def bag(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(3).integers(0, 256, (30, 40, 3), np.uint8)
    frames = [(START_NS + i * PERIOD_NS, np.roll(pixels, i, axis=1)) for i in range(12)]
    make_bag(frames, tmp_path / "in", camera_name="camera", camera=Intrinsics(50, 50, 20, 15))
    return tmp_path / "in"


def raw_messages(bag: Path, topic: str) -> list[bytes]:
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        return [bytes(raw) for _, _, raw in iterate(bag, reader, connections)]


def play_and_record(context, bag: Path, out: Path, topics: list[str], settings: PlayerSettings):
    """The player's report; what it published stands in the bag `out`."""
    recording = Node("recorder", context=context)
    with BagWriter(out) as writer, BagRecorder(recording, writer, topics) as recorder:
        report = BagPlayer(Node("player", context=context), bag, settings).play()
        deadline = time.monotonic() + 10
        while recorder.counts != report.published and time.monotonic() < deadline:
            time.sleep(0.02)
        assert recorder.counts == report.published
    return report


def test_every_message_arrives_in_order_and_unchanged(context, bag, tmp_path):
    settings = PlayerSettings(rate=4)
    report = play_and_record(context, bag, tmp_path / "out", [IMAGE, INFO], settings)
    assert report.published == {IMAGE: 12, INFO: 12}
    assert report.all_acknowledged
    for topic in (IMAGE, INFO):
        assert raw_messages(tmp_path / "out", topic) == raw_messages(bag, topic)
    kinds = {entry.name: entry.typename for entry in list_topics(tmp_path / "out")}
    assert kinds == {IMAGE: "sensor_msgs/msg/Image", INFO: "sensor_msgs/msg/CameraInfo"}


def test_restamped_messages_keep_their_distances_and_are_of_now(context, bag, tmp_path):
    before_ns = time.time_ns()
    settings = PlayerSettings(rate=2, restamp=True)
    report = play_and_record(context, bag, tmp_path / "out", [IMAGE, INFO], settings)
    stamps = [image.stamp_ns for image in read_images(tmp_path / "out")]
    assert np.diff(stamps).tolist() == [PERIOD_NS // 2] * 11
    assert before_ns <= stamps[0]
    assert stamps[-1] <= time.time_ns()
    sent = [message.serialised for message in published_messages(bag, IMAGE, report)]
    assert raw_messages(tmp_path / "out", IMAGE) == sent
    pixels = [image.decode() for image in read_images(bag)]
    recorded = [image.decode() for image in read_images(tmp_path / "out")]
    assert all((a == b).all() for a, b in zip(pixels, recorded, strict=True))


@pytest.mark.parametrize("rate", [1.0, 4.0])
def test_nothing_goes_out_before_it_is_due(context, bag, tmp_path, rate):
    settings = PlayerSettings(rate=rate, restamp=True)
    play_and_record(context, bag, tmp_path / "out", [IMAGE, INFO], settings)
    early = [i.log_time_ns - i.stamp_ns for i in read_images(tmp_path / "out")]
    assert min(early) >= 0


def test_topics_are_chosen_and_renamed(context, bag, tmp_path):
    settings = PlayerSettings(rate=20, topics=(IMAGE,), remap={IMAGE: "/other/image"})
    report = play_and_record(context, bag, tmp_path / "out", ["/other/image"], settings)
    assert report.published == {"/other/image": 12}
    assert raw_messages(tmp_path / "out", "/other/image") == raw_messages(bag, IMAGE)


def test_the_clock_shows_the_time_of_the_bag(context, bag):
    listener = Node("listener", context=context)
    times: list[int] = []
    listener.create_subscription(
        Clock, "/clock", lambda m: times.append(m.clock.sec * 10**9 + m.clock.nanosec), 1000
    )
    listener.create_subscription(message_class("sensor_msgs/msg/Image"), IMAGE, lambda _: None, 10)
    executor = rclpy.executors.SingleThreadedExecutor(context=context)
    executor.add_node(listener)
    spinning = threading.Thread(target=executor.spin, daemon=True)
    spinning.start()
    BagPlayer(Node("player", context=context), bag, PlayerSettings(clock=True)).play()
    last_ns = START_NS + 11 * PERIOD_NS
    deadline = time.monotonic() + 5
    while times[-1] != last_ns and time.monotonic() < deadline:
        time.sleep(0.02)
    executor.shutdown()
    spinning.join(5)
    assert times == sorted(times)
    assert START_NS - 10**6 <= times[0] <= START_NS + PERIOD_NS
    assert times[-1] == last_ns
    assert len(times) > 30, "the clock must also run between two images"


def test_without_a_subscriber_the_player_says_who_is_missing(context, bag):
    settings = PlayerSettings(subscriber_timeout_s=0.2)
    with pytest.raises(OodError, match=f"nobody subscribes to {IMAGE} within 0.2 s"):
        BagPlayer(Node("player", context=context), bag, settings).play()


def test_a_topic_that_the_bag_lacks_is_named(context, bag):
    settings = PlayerSettings(topics=("/nothing",))
    with pytest.raises(BagError, match=f"no topic /nothing; it has {INFO}, {IMAGE}"):
        BagPlayer(Node("player", context=context), bag, settings).play()


@pytest.mark.parametrize("rate", [0.0, -1.0, float("nan"), float("inf")])
def test_impossible_rates_are_refused(rate):
    with pytest.raises(OodError, match="playing rate"):
        PlayerSettings(rate=rate)


def test_the_recorder_takes_topics_that_are_offered_best_effort(context, tmp_path):
    """A reliable subscription would not be matched, and the bag would stay empty."""
    sending = Node("sender", context=context)
    profile = QoSProfile(depth=10, reliability=ReliabilityPolicy.BEST_EFFORT)
    publisher = sending.create_publisher(Header, "/loose", profile)
    recording = Node("recorder", context=context)
    with BagWriter(tmp_path / "out") as writer, BagRecorder(recording, writer, ["/loose"]) as rec:
        deadline = time.monotonic() + 10
        while not rec.counts["/loose"] and time.monotonic() < deadline:
            publisher.publish(Header(frame_id="x"))
            time.sleep(0.02)
        assert rec.counts["/loose"]
        assert rec.latest("/loose") is not None
    assert raw_messages(tmp_path / "out", "/loose")


def test_an_error_while_writing_is_raised_and_leaves_no_bag(context, bag, tmp_path):
    def refuse(_: bytes) -> None:
        raise OodError("the disk is full")

    recording = Node("recorder", context=context)
    with (
        pytest.raises(OodError, match="the disk is full"),
        BagWriter(tmp_path / "out") as writer,
        BagRecorder(recording, writer, [INFO], {IMAGE: refuse}),
    ):
        BagPlayer(Node("player", context=context), bag, PlayerSettings(rate=20)).play()
    assert not (tmp_path / "out").exists()


def test_topics_without_a_publisher_are_listed_as_missing(context, tmp_path):
    recording = Node("recorder", context=context)
    with BagWriter(tmp_path / "out") as writer, BagRecorder(recording, writer, ["/none"]) as rec:
        time.sleep(0.3)
        assert rec.missing == ("/none",)
        assert rec.counts == {"/none": 0}


@pytest.mark.parametrize("head", [b"\0\1\0\0", b"\0\0\0\0"], ids=["little endian", "big endian"])
def test_the_stamp_of_a_serialised_message_is_replaced_alone(head):
    message = replace_stamp_ns(head + bytes(range(40)), START_NS)
    assert read_stamp_ns(message) == START_NS
    assert message[:4] == head
    assert message[12:] == bytes(range(8, 40))
    order = "little" if head[1] else "big"
    assert int.from_bytes(message[4:8], order) == START_NS // 10**9


def test_a_message_too_short_for_a_stamp_is_refused():
    with pytest.raises(ValueError, match="holds no header stamp"):
        read_stamp_ns(b"\0\1\0\0\0\0\0\0")


def test_only_messages_that_start_with_a_header_are_restamped():
    assert starts_with_header("sensor_msgs/msg/Image")
    assert not starts_with_header("rosgraph_msgs/msg/Clock")
    assert not starts_with_header("sensor_msgs/msg/RegionOfInterest")


def test_an_unknown_message_type_is_named():
    with pytest.raises(OodError, match="message type no_such_msgs/msg/Thing is not there"):
        message_class("no_such_msgs/msg/Thing")


@pytest.mark.parametrize(
    ("tool", "arguments", "reason"),
    [
        (bag_player, ["{missing}"], "does not exist"),
        (bag_player, ["{missing}", "--rate", "0"], "playing rate 0"),
        (bag_player, ["{missing}", "--remap", "/a"], "cannot remap '/a'"),
        (bag_recorder, ["{taken}", "/topic"], "already exists"),
    ],
)
def test_bad_input_is_answered_with_one_line(tool, arguments, reason, tmp_path, capsys):
    (tmp_path / "taken").mkdir()
    names = {"missing": str(tmp_path / "missing"), "taken": str(tmp_path / "taken")}
    assert tool.main(["tool", *(text.format(**names) for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert reason in error
    assert error.count("\n") == 1


def test_the_recorder_command_reports_what_it_recorded(tmp_path, capsys):
    arguments = ["recorder", str(tmp_path / "out"), "/nothing", "--duration", "0.3"]
    assert bag_recorder.main(arguments) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == {"bag": str(tmp_path / "out"), "messages": {"/nothing": 0}}
