"""replay.launch.py plays to the node what it takes of a bag, and shows it."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pytest
import yaml
from launch_stand_in import (
    ROOT,
    default_arguments,
    found_in,
    load_launch_file,
    stand_in_for_launch,
)

LAUNCH_FILE = ROOT / "launch" / "replay.launch.py"
VIEW = ROOT / "config" / "ood_perception.rviz"


@pytest.fixture
def replay(monkeypatch, tmp_path):
    """A function: the player and, unless it is not wished, RViz for these arguments."""
    stand_in_for_launch(monkeypatch)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    module = load_launch_file(LAUNCH_FILE)
    description = module.generate_launch_description()
    return lambda **given: module.set_up(default_arguments(description, bag="/the/bag", **given))


def bag_play(action):
    """How `ros2 bag play` takes the command of this action."""
    command = action.named["cmd"]
    assert command[:3] == ["ros2", "bag", "play"]
    parser = argparse.ArgumentParser(exit_on_error=False)
    parser.add_argument("bag", nargs="?")
    parser.add_argument("--clock", nargs="?", type=float)
    parser.add_argument("--rate", type=float)
    parser.add_argument("--delay", type=float)
    parser.add_argument("--topics", nargs="+")
    parser.add_argument("--remap", nargs="+")
    return parser.parse_args(command[3:])


def test_rosbag2_plays_what_the_node_takes_and_no_recorded_output(replay):
    (player,) = replay(image_topic="/front/image_raw", rate="0.5", rviz="false")
    played = bag_play(player)
    assert (played.bag, played.clock, played.rate, played.delay) == ("/the/bag", 100, 0.5, 5)
    node = "/ood_perception/camera"
    assert dict(pair.split(":=") for pair in played.remap) == {
        "/front/image_raw": f"{node}/image",
        "/front/image_raw/compressed": f"{node}/image/compressed",
        "/front/camera_info": f"{node}/camera_info",
    }
    taken = [pair.split(":=")[0] for pair in played.remap]
    assert played.topics == [*taken, "/tf", "/tf_static"]


def test_a_camera_info_that_is_named_is_the_one_that_is_played(replay):
    (player,) = replay(image_topic="/a/image", camera_info_topic="/b/info", rviz="false")
    played = bag_play(player)
    assert "/b/info" in played.topics
    assert "/a/camera_info" not in played.topics
    assert "/b/info:=/ood_perception/camera/camera_info" in played.remap


@pytest.mark.parametrize(("compressed", "ending"), [("true", "/compressed"), ("", "")])
def test_our_own_player_is_an_installed_executable_that_gets_every_topic(
    replay, compressed, ending
):
    """`python3` may lack what the node's own interpreter has (package.xml)."""
    given = {"image_topic": "/a/image", "camera_info_topic": "/b/info", "compressed": compressed}
    (player,) = replay(**given, player="own", rate="2", rviz="false")
    assert (player.named["package"], player.named["executable"]) == (
        "ood_detection",
        "live_player",
    )
    words = player.named["arguments"]
    assert words[0] == "/the/bag"
    assert dict(zip(words[1::2], words[2::2], strict=True)) == {
        "--image-topic": f"/a/image{ending}",
        "--camera-info-topic": "/b/info",
        "--rate": "2",
        "--node": "/ood_perception",
        "--camera": "camera",
    }


def test_without_a_name_our_own_player_looks_for_camera_info_itself(replay):
    (player,) = replay(player="own", rviz="false")
    assert "--camera-info-topic" not in player.named["arguments"]


@pytest.mark.parametrize(("compressed", "ending"), [("true", "/compressed"), ("", "")])
def test_rviz_shows_the_images_that_are_played(replay, compressed, ending):
    player, rviz = replay(compressed=compressed)
    view = Path(rviz.named["arguments"][1])
    assert compressed or view == VIEW
    displays = yaml.safe_load(view.read_text(encoding="utf-8"))["Visualization Manager"]["Displays"]
    (image,) = [display for display in displays if display["Name"] == "Image"]
    names = dict(pair.split(":=") for pair in bag_play(player).remap)
    assert image["Topic"]["Value"] == names[f"/camera/image{ending}"]


def test_the_player_comes_after_what_names_its_fast_dds_profile(monkeypatch):
    stand_in_for_launch(monkeypatch)
    description = load_launch_file(LAUNCH_FILE).generate_launch_description()
    order = [action.name for action in description.given[0]]
    assert order.index("IncludeLaunchDescription") < order.index("OpaqueFunction")
    (source,) = found_in(description.given[0], "PythonLaunchDescriptionSource")
    assert source.given[0].given[0][-1] == "ood_perception.launch.py"
