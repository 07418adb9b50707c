"""Plays a bag to one camera of a running node: what `ood replay --live` does, as a ROS executable.

The launch files start it. Unlike `ood`, it lies where `ros2 run` looks, so that it starts the
interpreter that this package was built for, and needs no command-line packages.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ood_perception.commands.live_replay import LiveReplay
from ood_perception.errors import OodError
from ood_perception.ros import bag_player


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="live_player", description=__doc__)
    parser.add_argument("bag", type=Path, help="bag folder, .mcap or .db3 file")
    parser.add_argument(
        "--image-topic", metavar="TOPIC", help="the images; not needed where the bag has one camera"
    )
    parser.add_argument(
        "--camera-info-topic", metavar="TOPIC", help="beside the images when not given"
    )
    parser.add_argument("--camera", default="camera", help="which camera of the node gets them")
    parser.add_argument("--node", default="/ood_perception", help="full name of the node")
    parser.add_argument("--rate", type=float, default=1.0, help="speed, 1 is as recorded")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Plays to the end and gives the player's exit code; 2 and one line on stderr on bad input."""
    words = list(argv or sys.argv)[1:]
    # ros2 launch ends every command with --ros-args and its own: those are the player's.
    start = words.index("--ros-args") if "--ros-args" in words else len(words)
    asked = _parser().parse_args(words[:start])
    replay = LiveReplay(
        asked.bag,
        asked.image_topic,
        asked.camera,
        asked.node,
        asked.rate,
        info_topic=asked.camera_info_topic,
    )
    try:
        arguments = replay.arguments()
    except OodError as error:
        print(f"live_player: {error}", file=sys.stderr)
        return 2
    return bag_player.main(["bag_player", *arguments, *words[start:]])


if __name__ == "__main__":
    sys.exit(main())
