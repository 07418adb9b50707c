"""Plays the topics of a bag over DDS at the recorded pace, and says what it published.

The serialised messages go out as they stand in the bag; only their stamps may be replaced.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.publisher import Publisher
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Connection, QosDurability
from rosgraph_msgs.msg import Clock

from ood_perception.bag_reading import IMAGE_TYPES, iterate, open_bag
from ood_perception.errors import BagError, OodError
from ood_perception.ros.message_classes import message_class, starts_with_header
from ood_perception.ros.package_files import use_large_image_profile
from ood_perception.ros.playback_report import PlayerReport, Timeline, restamped

_CLOCK_PERIOD_S = 0.005
_SETTLE_S = 0.3
_KEEP_LAST = 40


@dataclass(frozen=True)
class PlayerSettings:
    """How to play.

    rate: speed; 2 is twice as fast as recorded. topics: which to play; when empty, all whose
    message types are installed. loops: how often the bag is played; time jumps back in between.
    remap: other names for topics. restamp: header stamps become the time at which the message
    goes out, with the recorded distances (over the rate), as from a live camera; messages without
    a header stay as they are. clock: publish the bag's time on /clock. subscriber_timeout_s: how
    long to wait until every image topic (every topic, in a bag without images) has a subscription.
    drain_timeout_s: how long to wait at the end until all subscriptions have acknowledged
    everything.
    """

    rate: float = 1.0
    topics: tuple[str, ...] = ()
    loops: int = 1
    remap: Mapping[str, str] = field(default_factory=dict)
    restamp: bool = False
    clock: bool = False
    subscriber_timeout_s: float = 30.0
    drain_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1000:
            raise OodError(f"playing rate {self.rate} is not above 0 and at most 1000")
        if self.loops < 1:
            raise OodError(f"{self.loops} loops: play the bag at least once")
        if self.restamp and self.clock:
            raise OodError("restamp and clock exclude each other: the stamps would leave /clock")


class BagPlayer:
    """Publishes one bag through a node that the caller owns."""

    def __init__(self, node: Node, bag: Path, settings: PlayerSettings | None = None) -> None:
        self._node = node
        self._bag = bag
        self._settings = settings or PlayerSettings()
        self._publishers: dict[str, Publisher] = {}
        self._published: dict[str, int] = {}
        self._restamped_topics: set[str] = set()
        self._skipped: dict[str, str] = {}
        self._late_s = 0.0
        self._clock: Publisher | None = None
        if self._settings.clock:
            self._clock = node.create_publisher(Clock, "/clock", _KEEP_LAST)

    def play(self) -> PlayerReport:
        """Plays from the first to the last message, as often as the settings say.

        Raises BagError (missing, damaged, or a topic that it lacks) and OodError when nobody
        subscribes in time, or a topic asked for by name has a type that is not installed.
        """
        with open_bag(self._bag) as reader:
            connections = [c for c in self._chosen(reader.connections) if self._advertise(c)]
            if not connections:
                raise BagError(f"bag {self._bag} has nothing to play: {self._skipped or 'empty'}")
            self._wait_for_subscribers(connections)
            for _ in range(self._settings.loops):
                timeline = Timeline(reader.start_time, time.time_ns(), self._settings.rate)
                for connection, time_ns, serialised in iterate(self._bag, reader, connections):
                    self._publish(connection.topic, time_ns, bytes(serialised), timeline)
        return PlayerReport(
            dict(self._published),
            timeline,
            self._settings.restamp,
            self._late_s,
            self._drain(),
            self._skipped,
        )

    def _chosen(self, connections: Sequence[Connection]) -> list[Connection]:
        wanted = self._settings.topics
        missing = set(wanted) - {connection.topic for connection in connections}
        if missing:
            present = ", ".join(sorted({connection.topic for connection in connections}))
            raise BagError(
                f"bag {self._bag} has no topic {', '.join(sorted(missing))}; it has {present}"
            )
        return [c for c in connections if not wanted or c.topic in wanted]

    def _name(self, topic: str) -> str:
        return self._settings.remap.get(topic, topic)

    def _advertise(self, connection: Connection) -> bool:
        """Makes the publisher; False where the type is not installed and nobody named the topic."""
        if connection.topic in self._publishers:
            return True
        try:
            kind = message_class(connection.msgtype)
        except OodError as error:
            if connection.topic in self._settings.topics:
                raise
            self._skipped[connection.topic] = str(error)
            return False
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=_KEEP_LAST,
            reliability=ReliabilityPolicy.RELIABLE,
            durability=_durability(connection),
        )
        name = self._name(connection.topic)
        publisher = self._node.create_publisher(kind, name, profile)
        self._publishers[connection.topic] = publisher
        self._published[name] = 0
        if self._settings.restamp and starts_with_header(connection.msgtype):
            self._restamped_topics.add(connection.topic)
        return True

    def _wait_for_subscribers(self, connections: Sequence[Connection]) -> None:
        images = {c.topic for c in connections if c.msgtype in IMAGE_TYPES}
        awaited = images or set(self._publishers)
        deadline = time.monotonic() + self._settings.subscriber_timeout_s
        while missing := [t for t in awaited if not self._publishers[t].get_subscription_count()]:
            if time.monotonic() > deadline:
                names = ", ".join(sorted(self._name(topic) for topic in missing))
                raise OodError(
                    f"nobody subscribes to {names} within "
                    f"{self._settings.subscriber_timeout_s:g} s: is the node active?"
                )
            time.sleep(0.02)
        # The subscriber's side may still be matching, also the topics that are not waited for.
        time.sleep(_SETTLE_S)

    def _publish(self, topic: str, time_ns: int, serialised: bytes, timeline: Timeline) -> None:
        if topic in self._restamped_topics:
            serialised = restamped(serialised, timeline)
        due_ns = timeline.at(time_ns)
        self._wait_until(due_ns, time_ns)
        self._publishers[topic].publish(serialised)
        self._published[self._name(topic)] += 1
        self._late_s = max(self._late_s, (time.time_ns() - due_ns) / 1e9)

    def _wait_until(self, due_ns: int, bag_time_ns: int) -> None:
        while (remaining_s := (due_ns - time.time_ns()) / 1e9) > 0:
            if self._clock is None:
                time.sleep(remaining_s)
            else:
                self._publish_clock(bag_time_ns - round(remaining_s * 1e9 * self._settings.rate))
                time.sleep(min(remaining_s, _CLOCK_PERIOD_S))
        if self._clock is not None:
            self._publish_clock(bag_time_ns)

    def _publish_clock(self, time_ns: int) -> None:
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(time_ns, 1_000_000_000)
        if self._clock is not None:
            self._clock.publish(message)

    def _drain(self) -> bool:
        timeout = Duration(seconds=self._settings.drain_timeout_s)
        publishers = [*self._publishers.values(), *([self._clock] if self._clock else [])]
        return all(publisher.wait_for_all_acked(timeout) for publisher in publishers)


def _durability(connection: Connection) -> DurabilityPolicy:
    """Latched topics (/tf_static, robot descriptions) stay latched: who comes late needs them."""
    recorded = getattr(connection.ext, "offered_qos_profiles", None) or []
    latched = any(profile.durability == QosDurability.TRANSIENT_LOCAL for profile in recorded)
    return DurabilityPolicy.TRANSIENT_LOCAL if latched else DurabilityPolicy.VOLATILE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bag_player", description=__doc__)
    parser.add_argument("bag", type=Path, help="bag folder, .mcap or .db3 file")
    parser.add_argument("--rate", type=float, default=1.0, help="speed, 1 is as recorded")
    parser.add_argument("--topics", nargs="+", default=[], metavar="TOPIC", help="only these")
    parser.add_argument(
        "--remap", nargs="+", default=[], metavar="FROM:=TO", help="other names for topics"
    )
    parser.add_argument("--loop", type=int, default=1, metavar="N", help="play it N times")
    parser.add_argument("--restamp", action="store_true", help="stamp as if recorded now")
    parser.add_argument("--clock", action="store_true", help="publish the bag's time on /clock")
    parser.add_argument("--subscriber-timeout", type=float, default=30.0, metavar="SECONDS")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there, too")
    return parser


def _settings(arguments: Any) -> PlayerSettings:
    pairs = [text.partition(":=") for text in arguments.remap]
    wrong = [
        text
        for text, (old, _, new) in zip(arguments.remap, pairs, strict=True)
        if not (old and new)
    ]
    if wrong:
        raise OodError(f"cannot remap {wrong[0]!r}: write it as FROM:=TO")
    return PlayerSettings(
        rate=arguments.rate,
        topics=tuple(arguments.topics),
        loops=arguments.loop,
        remap={old: new for old, _, new in pairs},
        restamp=arguments.restamp,
        clock=arguments.clock,
        subscriber_timeout_s=arguments.subscriber_timeout,
    )


def _split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Our arguments and those for ROS, which follow --ros-args.

    rclpy would take our FROM:=TO for a remapping of its own, which has been written so, too.
    """
    start = arguments.index("--ros-args") if "--ros-args" in arguments else len(arguments)
    return arguments[:start], arguments[start:]


def main(argv: Sequence[str] | None = None) -> int:
    """Plays a bag and prints the report as JSON; 2 and one line on stderr on bad input."""
    own, ros = _split(list(argv or sys.argv)[1:])
    arguments = _parser().parse_args(own)
    context = Context()
    use_large_image_profile()
    rclpy.init(args=ros, context=context)
    try:
        node = Node("bag_player", context=context)
        player = BagPlayer(node, arguments.bag, _settings(arguments))
        text = json.dumps(asdict(player.play()))
    except OodError as error:
        print(f"bag_player: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    finally:
        context.try_shutdown()
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
