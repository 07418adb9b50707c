"""Records topics into a bag as they arrive, without decoding and without losing any.

Every topic is subscribed with the reliability that its publishers offer, as soon as there is one.
A second thread writes, so that a slow disk never holds up the subscriptions.
"""

from __future__ import annotations

import argparse
import json
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.utilities import remove_ros_args

from ood_perception.bag_writing import STORAGES, BagWriter
from ood_perception.errors import BagError, OodError
from ood_perception.ros.message_classes import message_class
from ood_perception.ros.node_thread import NodeThread

_DISCOVERY_PERIOD_S = 0.1
_KEEP_LAST = 1000

Sink = Callable[[bytes], None]
"""Takes a serialised message instead of the bag; called in the writing thread."""


class _Arrival(NamedTuple):
    topic: str
    typename: str
    time_ns: int
    serialised: bytes


class BagRecorder:
    """Records while its ``with`` block runs; writes into a writer that the caller owns.

    node: a node that nothing else spins. topics: what goes into the bag. sinks: topics whose
    messages go to a function instead. latest: topics whose last message is kept at hand.

    On leaving the block, what arrived is written to the end. An error of the writing thread is
    raised by ``check`` and on leaving.
    """

    def __init__(
        self,
        node: Node,
        writer: BagWriter,
        topics: Sequence[str],
        sinks: Mapping[str, Sink] | None = None,
    ) -> None:
        self._node = node
        self._writer = writer
        self._sinks = dict(sinks or {})
        self._awaited = dict.fromkeys([*topics, *self._sinks])
        self._subscriptions: dict[str, Subscription] = {}
        self._counts = dict.fromkeys(self._awaited, 0)
        self._latest: dict[str, bytes] = {}
        self._arrivals: queue.SimpleQueue[_Arrival | None] = queue.SimpleQueue()
        self._error: OodError | None = None
        self._wrote_all = False
        self._timer = node.create_timer(_DISCOVERY_PERIOD_S, self._discover)
        self._serving: NodeThread | None = None
        self._writing = threading.Thread(target=self._write, name="recorder-write", daemon=True)

    def __enter__(self) -> BagRecorder:
        self._writing.start()
        self._serving = NodeThread(self._node)
        return self

    def __exit__(
        self,
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._serving is not None:
            self._serving.stop()
        self._arrivals.put(None)
        self._writing.join()
        if error is None:
            self.check()

    @property
    def missing(self) -> tuple[str, ...]:
        """Topics that have had no publisher yet."""
        return tuple(topic for topic in self._awaited if topic not in self._subscriptions)

    @property
    def counts(self) -> dict[str, int]:
        """Messages that have arrived, by topic."""
        return dict(self._counts)

    def latest(self, topic: str) -> bytes | None:
        """The last serialised message of a topic."""
        return self._latest.get(topic)

    def check(self) -> None:
        """Raises what went wrong while writing."""
        if self._error is not None:
            raise self._error
        if not self._writing.is_alive() and not self._wrote_all:
            raise BagError("the recorder's writing thread broke off: see its traceback")

    def _discover(self) -> None:
        for topic in self.missing:
            offers = self._node.get_publishers_info_by_topic(topic)
            if offers:
                self._subscribe(topic, offers)

    def _subscribe(self, topic: str, offers: list[Any]) -> None:
        reliable = all(o.qos_profile.reliability == ReliabilityPolicy.RELIABLE for o in offers)
        lasting = all(o.qos_profile.durability == DurabilityPolicy.TRANSIENT_LOCAL for o in offers)
        profile = QoSProfile(
            history=HistoryPolicy.KEEP_LAST,
            depth=_KEEP_LAST,
            reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
            durability=DurabilityPolicy.TRANSIENT_LOCAL if lasting else DurabilityPolicy.VOLATILE,
        )
        typename = offers[0].topic_type

        def take(serialised: bytes) -> None:
            self._counts[topic] += 1
            self._latest[topic] = serialised
            self._arrivals.put(_Arrival(topic, typename, time.time_ns(), serialised))

        try:
            self._subscriptions[topic] = self._node.create_subscription(
                message_class(typename), topic, take, profile, raw=True
            )
        except OodError as error:
            self._error = error

    def _write(self) -> None:
        while (arrival := self._arrivals.get()) is not None:
            if self._error is None:
                self._write_one(arrival)
        self._wrote_all = True

    def _write_one(self, arrival: _Arrival) -> None:
        sink = self._sinks.get(arrival.topic)
        try:
            if sink is not None:
                sink(arrival.serialised)
            else:
                self._writer.add_topic(arrival.topic, arrival.typename)
                self._writer.write_serialised(*arrival)
        except OodError as error:
            self._error = error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="bag_recorder", description=__doc__)
    parser.add_argument("bag", type=Path, help="folder of the new bag")
    parser.add_argument("topics", nargs="+", metavar="TOPIC", help="full names of the topics")
    parser.add_argument("--storage", choices=sorted(STORAGES), default="mcap")
    parser.add_argument("--overwrite", action="store_true", help="replace a bag that stands there")
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="stop after this time")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Records until interrupted, then prints messages by topic as JSON; 2 on bad input."""
    arguments = _parser().parse_args(remove_ros_args(list(argv or sys.argv))[1:])
    stop = threading.Event()
    context = Context()
    rclpy.init(args=list(argv or sys.argv), context=context)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        writer = BagWriter(arguments.bag, storage=arguments.storage, overwrite=arguments.overwrite)
        node = Node("bag_recorder", context=context)
        with writer, BagRecorder(node, writer, arguments.topics) as recorder:
            end = time.monotonic() + (arguments.duration or float("inf"))
            while not stop.wait(0.1) and time.monotonic() < end:
                recorder.check()
        print(json.dumps({"bag": str(arguments.bag), "messages": recorder.counts}))
    except OodError as error:
        print(f"bag_recorder: {error}", file=sys.stderr)
        return 2
    finally:
        context.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
