"""What a player published, when, and with which stamps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ood_perception.bag_reading import iterate, open_bag
from ood_perception.ros.serialised_stamp import read_stamp_ns, replace_stamp_ns


@dataclass(frozen=True)
class Timeline:
    """From a time in the bag to a time by the system's clock, both in nanoseconds."""

    first_ns: int
    start_ns: int
    rate: float

    def at(self, time_ns: int) -> int:
        """When a message of that time is due; also its new stamp when messages are restamped."""
        return self.start_ns + round((time_ns - self.first_ns) / self.rate)


@dataclass(frozen=True)
class PlayerReport:
    """What was played. published: messages by (remapped) topic. timeline: see ``Timeline``.

    late_s: the longest time by which a message went out later than due. all_acknowledged: every
    reliable subscription has received all that was published. skipped: topics of the bag that were
    not played, and why. Of a bag that was played several times the timeline is that of the last.
    """

    published: dict[str, int]
    timeline: Timeline
    restamped: bool
    late_s: float
    all_acknowledged: bool
    skipped: dict[str, str] = field(default_factory=dict)

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> PlayerReport:
        """The report from what ``dataclasses.asdict`` made of it."""
        return cls(**{**fields, "timeline": Timeline(**fields["timeline"])})


@dataclass(frozen=True)
class PublishedMessage:
    """A message as it went out. stamp_ns: of its header."""

    typename: str
    stamp_ns: int
    serialised: bytes


def published_messages(bag: Path, topic: str, report: PlayerReport) -> Iterator[PublishedMessage]:
    """What was published of a topic of the bag, in order. topic: its name in the bag.

    Raises BagError when the bag is damaged and ValueError when the topic's messages have no header.
    """
    with open_bag(bag) as reader:
        connections = [c for c in reader.connections if c.topic == topic]
        for connection, _, raw in iterate(bag, reader, connections):
            serialised = bytes(raw)
            if report.restamped:
                serialised = restamped(serialised, report.timeline)
            yield PublishedMessage(connection.msgtype, read_stamp_ns(serialised), serialised)


def restamped(serialised: bytes, timeline: Timeline) -> bytes:
    """The serialised message with the stamp that it has when played on that timeline."""
    return replace_stamp_ns(serialised, timeline.at(read_stamp_ns(serialised)))
