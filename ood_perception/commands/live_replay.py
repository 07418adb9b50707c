"""`ood replay --live`: a bag over DDS, in simulated time, to a node that is running.

For machines without rosbag2; the player lives on the ROS side and is started as a process.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ood_perception.bag_reading import (
    BagTopic,
    camera_info_topic,
    choose_image_topic,
    list_topics,
)
from ood_perception.errors import OodError
from ood_perception.message_types import COMPRESSED_IMAGE_TYPE

_PLAYER = "ood_perception.ros.bag_player"
_TRANSFORMS = ("/tf", "/tf_static")


@dataclass(frozen=True)
class LiveReplay:
    """What to play to which camera of the node.

    topic: the image topic, with or without the ending /compressed; None for the bag's only one.
    camera: the node's name for it. node: full name of the node. rate: speed, 1 as recorded. loops:
    how often. info_topic: its camera_info; None for the one beside the images, if there is one.
    """

    bag: Path
    topic: str | None = None
    camera: str = "camera"
    node: str = "/ood_perception"
    rate: float = 1.0
    loops: int = 1
    info_topic: str | None = None

    def arguments(self) -> list[str]:
        """Of the player: the image topic, its camera_info and the transforms that the bag has.

        Recorded outputs of the node are not played: its own are to be seen. Raises BagError. A
        camera_info asked for by name is among them in any case; the player says when it is missing.
        """
        there = {entry.name for entry in list_topics(self.bag)}
        image = choose_image_topic(self.bag, self._topic_in(there))
        names = self._names(image)
        if self.info_topic is None:
            names = {old: new for old, new in names.items() if old in there}
        topics = [*names, *(name for name in _TRANSFORMS if name in there)]
        return [
            *(str(self.bag), "--clock", "--rate", str(self.rate), "--loop", str(self.loops)),
            *("--topics", *topics),
            *("--remap", *(f"{old}:={new}" for old, new in names.items())),
        ]

    def _topic_in(self, there: set[str]) -> str | None:
        """The topic asked for, or its compressed images where the bag has only those."""
        compressed = f"{self.topic}/compressed"
        return compressed if self.topic not in there and compressed in there else self.topic

    def _names(self, image: BagTopic) -> dict[str, str]:
        camera = f"{self.node}/{self.camera}"
        compressed = "/compressed" if image.typename == COMPRESSED_IMAGE_TYPE else ""
        return {
            image.name: f"{camera}/image{compressed}",
            self.info_topic or camera_info_topic(image.name): f"{camera}/camera_info",
        }


def play_live(replay: LiveReplay) -> int:
    """Plays until the end and returns the player's exit code.

    The player says on stdout what it published, and on stderr in one line why it could not. Raises
    OodError where rclpy is not installed, and BagError.
    """
    if importlib.util.find_spec("rclpy") is None:
        raise OodError(
            "--live plays over DDS and needs ROS 2: source a ROS installation, or run "
            "`make setup-runtime` and `source scripts/ros_environment.sh`"
        )
    arguments = replay.arguments()
    print(
        f"playing {replay.bag} to {replay.node}/{replay.camera} at rate {replay.rate:g} with its "
        "time on /clock: the node needs use_sim_time",
        file=sys.stderr,
    )
    try:
        return subprocess.run([sys.executable, "-m", _PLAYER, *arguments], check=False).returncode
    except KeyboardInterrupt:
        return 130
