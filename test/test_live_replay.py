"""`ood replay --live`, and what it needs of the player: loops, latched topics, types not there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

rclpy = pytest.importorskip("rclpy", reason="rclpy is not installed: run `make setup-runtime`")

from rclpy.executors import SingleThreadedExecutor  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402
from rosbags.interfaces import (  # noqa: E402  # noqa: E402
    Qos,
    QosDurability,
    QosHistory,
    QosLiveliness,
    QosReliability,
    QosTime,
)
from rosbags.rosbag2 import Writer  # noqa: E402
from rosgraph_msgs.msg import Clock  # noqa: E402
from sensor_msgs.msg import CameraInfo, CompressedImage, Image  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from ood_perception.bags import Intrinsics, make_bag  # noqa: E402
from ood_perception.errors import BagError, OodError  # noqa: E402
from ood_perception.message_stamp import stamp_ns_of  # noqa: E402
from ood_perception.message_types import make_message, message_typestore  # noqa: E402
from ood_perception.ros.bag_player import BagPlayer, PlayerSettings  # noqa: E402
from ood_perception.ros.node_thread import NodeThread  # noqa: E402

START_NS = 1_700_000_000_000_000_000
PERIOD_NS = 50_000_000
COUNT = 6
ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def context():
    made = rclpy.Context()
    rclpy.init(context=made)
    yield made
    made.try_shutdown()


def write_bag(folder: Path, **options) -> Path:
    pixels = np.random.default_rng(3).integers(0, 256, (30, 40, 3), np.uint8)
    frames = [(START_NS + i * PERIOD_NS, np.roll(pixels, i, axis=1)) for i in range(COUNT)]
    make_bag(frames, folder, camera_name="front", camera=Intrinsics(50, 50, 20, 15), **options)
    return folder


class Listener:
    """Keeps what arrives on some topics, in order."""

    def __init__(self, context, **topics):
        self.messages = {topic: [] for topic, _ in topics.values()}
        node = Node("listener", context=context)
        for topic, kind in topics.values():
            node.create_subscription(kind, topic, self.messages[topic].append, 100)
        self._thread = NodeThread(node)

    def wait(self, topic, count, timeout_s=5.0):
        end = time.monotonic() + timeout_s
        while len(self.messages[topic]) < count and time.monotonic() < end:
            time.sleep(0.02)
        return self.messages[topic]


def ood(*arguments):
    command = [sys.executable, "-m", "ood_perception.cli", "replay", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)


@pytest.mark.parametrize("compressed", [False, True])
def test_live_gives_the_node_its_topics_and_the_bags_time(context, tmp_path, compressed):
    bag = write_bag(tmp_path / "in", compressed=compressed)
    suffix, kind = ("/compressed", CompressedImage) if compressed else ("", Image)
    image = f"/ood_perception/left/image{suffix}"
    info = "/ood_perception/left/camera_info"
    heard = Listener(context, image=(image, kind), info=(info, CameraInfo), clock=("/clock", Clock))
    done = ood(bag, "--live", "--camera", "left", "--rate", "2", "--loop", "2")
    assert done.returncode == 0, done.stderr
    assert "the node needs use_sim_time" in done.stderr
    assert json.loads(done.stdout)["published"][image] == 2 * COUNT
    wanted = [START_NS + i * PERIOD_NS for i in range(COUNT)] * 2
    assert [stamp_ns_of(message) for message in heard.wait(image, 2 * COUNT)] == wanted
    assert len(heard.wait(info, 2 * COUNT)) == 2 * COUNT
    times = [m.clock.sec * 10**9 + m.clock.nanosec for m in heard.messages["/clock"]]
    assert min(times) >= START_NS - PERIOD_NS
    assert sum(b < a for a, b in pairwise(times)) == 1, "one jump back a loop"


def live_player(*arguments):
    """The executable of the launch files, with what ros2 launch puts behind its arguments."""
    command = [sys.executable, "-m", "ood_perception.ros.live_player", *map(str, arguments)]
    command += ["--ros-args", "-r", "__node:=player_of_this_test"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=os.environ)


def test_the_live_player_plays_the_camera_info_that_is_named(context, tmp_path):
    bag = write_bag(tmp_path / "in")
    image, info = "/car/seeing/left/image", "/car/seeing/left/camera_info"
    heard = Listener(context, image=(image, Image), info=(info, CameraInfo))
    done = live_player(
        *(bag, "--image-topic", "/front/image", "--camera-info-topic", "/front/camera_info"),
        *("--node", "/car/seeing", "--camera", "left", "--rate", "3"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["published"] == {image: COUNT, info: COUNT}
    assert len(heard.wait(info, COUNT)) == COUNT


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("MISSING",), "does not exist"),
        (("BAG", "--image-topic", "/nothing"), "no image topic /nothing"),
        (("BAG", "--camera-info-topic", "/nothing"), "no topic /nothing"),
    ],
)
def test_the_live_player_says_in_one_line_what_the_bag_lacks(tmp_path, arguments, reason):
    names = {"BAG": write_bag(tmp_path / "in"), "MISSING": tmp_path / "no"}
    done = live_player(*(names.get(argument, argument) for argument in arguments))
    assert done.returncode == 2
    (line,) = done.stderr.strip().splitlines()
    assert reason in line


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("MISSING", "--live"), "does not exist"),
        (("BAG", "--live", "--topic", "/nothing"), "no image topic /nothing"),
        (("BAG", "OUT", "--live"), "--live writes nothing"),
        (("BAG", "--live", "--rate", "0"), "playing rate 0"),
        (("BAG",), "name the folder of the new bag"),
    ],
)
def test_bad_input_is_answered_with_exit_code_2_and_a_reason(tmp_path, arguments, reason):
    names = {"BAG": write_bag(tmp_path / "in"), "MISSING": tmp_path / "no", "OUT": tmp_path / "x"}
    done = ood(*(names.get(argument, argument) for argument in arguments))
    assert done.returncode == 2
    assert reason in done.stderr.strip().splitlines()[-1]
    assert not (tmp_path / "x").exists()


def test_without_rclpy_live_says_what_to_do(tmp_path, monkeypatch):
    from ood_perception.commands import live_replay

    monkeypatch.setattr(live_replay.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OodError, match="needs ROS 2: source a ROS installation"):
        live_replay.play_live(live_replay.LiveReplay(tmp_path))


def write_headers(folder: Path, typename: str, latched: bool) -> Path:
    """A bag with one std_msgs/Header of a type that is called ``typename``."""
    durability = QosDurability.TRANSIENT_LOCAL if latched else QosDurability.VOLATILE
    forever = QosTime(2147483647, 4294967295)
    qos = Qos(
        QosHistory.KEEP_LAST,
        1,
        QosReliability.RELIABLE,
        durability,
        forever,
        forever,
        QosLiveliness.AUTOMATIC,
        forever,
        False,
    )
    stamp = {"sec": 1, "nanosec": 0}
    header = make_message("std_msgs/msg/Header", {"stamp": stamp, "frame_id": "here"})
    with Writer(folder, version=9) as writer:
        connection = writer.add_connection(
            "/latched",
            typename,
            msgdef="builtin_interfaces/Time stamp\nstring frame_id",
            rihs01="RIHS01_" + "0" * 64,
            offered_qos_profiles=[qos],
        )
        serialised = message_typestore().serialize_cdr(header, "std_msgs/msg/Header")
        writer.write(connection, START_NS, serialised)
    return folder


@pytest.mark.parametrize("latched", [True, False])
def test_latched_topics_stay_latched_for_who_comes_late(context, tmp_path, latched):
    bag = write_headers(tmp_path / "in", "std_msgs/msg/Header", latched)
    sending, late = Node("player", context=context), Node("late", context=context)
    volatile = late.create_subscription(Header, "/latched", lambda _: None, 1)
    BagPlayer(sending, bag, PlayerSettings(rate=10)).play()
    late.destroy_subscription(volatile)
    received = []
    qos = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
    late.create_subscription(Header, "/latched", received.append, qos)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(late)
    end = time.monotonic() + (5.0 if latched else 1.0)
    while not received and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.05)
    assert bool(received) is latched


def test_topics_of_types_that_are_not_installed_are_left_out_and_named(context, tmp_path):
    bag = write_headers(tmp_path / "in", "no_such_msgs/msg/Thing", latched=False)
    with pytest.raises(BagError, match=r"nothing to play.*no_such_msgs"):
        BagPlayer(Node("player", context=context), bag).play()
    named = PlayerSettings(topics=("/latched",))
    with pytest.raises(OodError, match="message type no_such_msgs/msg/Thing is not there"):
        BagPlayer(Node("player_2", context=context), bag, named).play()
