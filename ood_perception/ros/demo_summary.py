"""What a demo's numbers say, and which of the node's promises they break."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

MAX_LOST_SHARE = 0.02
"""Share of the published images that may be lost on their way to the node."""

_DROPPED = "dropped_"
_NEEDED_COUNTERS = ("received", "processed", "refused", "pending")


@dataclass(frozen=True)
class DemoRecord:
    """What was seen of one run from outside the node.

    frames_in: images in the input bag. published: images that the player published, with the
    stamps input_stamps_ns. counters: the node's own account of them, from /diagnostics.
    obstacle_stamps_ns: of every ``obstacles`` message. output_stamps_ns: of every message, by
    topic. latencies_s: from the ``obstacles`` messages. obstacles_per_frame: components in each.
    distinct_obstacles: different ids (tracks) among them. node_exit_code: after SIGINT.
    """

    frames_in: int
    published: int
    input_stamps_ns: frozenset[int]
    counters: Mapping[str, int]
    obstacle_stamps_ns: tuple[int, ...]
    output_stamps_ns: Mapping[str, tuple[int, ...]]
    latencies_s: tuple[float, ...]
    obstacles_per_frame: tuple[int, ...]
    distinct_obstacles: int
    node_exit_code: int


@dataclass(frozen=True)
class DemoSummary:
    """The result in numbers. Latencies: image stamp to publication, milliseconds, None without any.

    dropped: received but not processed, by reason. lost_in_transport: published but never
    received. obstacles: components over all frames. broken_promises: one line each; empty is good.
    """

    frames_in: int
    published: int
    received: int
    processed: int
    dropped: dict[str, int]
    refused: int
    lost_in_transport: int
    obstacles_messages: int
    obstacles: int
    distinct_obstacles: int
    frames_with_obstacles: int
    latency_median_ms: float | None
    latency_p99_ms: float | None
    broken_promises: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """All fields; broken_promises becomes a list."""
        return {**asdict(self), "broken_promises": list(self.broken_promises)}

    def line(self) -> str:
        """One line for a person."""
        dropped = sum(self.dropped.values())
        reasons = ", ".join(
            f"{count} {name.replace('_', ' ')}" for name, count in self.dropped.items() if count
        )
        latency = "no latency"
        if self.latency_median_ms is not None:
            latency = (
                f"latency median {self.latency_median_ms:.0f} ms, "
                f"99th percentile {self.latency_p99_ms:.0f} ms"
            )
        return (
            f"{self.published} frames in, {self.processed} processed, "
            f"{dropped} dropped{f' ({reasons})' if reasons else ''}, {self.refused} refused, "
            f"{self.lost_in_transport} lost in transport, "
            f"{self.obstacles} obstacles ({self.distinct_obstacles} tracks in "
            f"{self.frames_with_obstacles} frames), {latency}"
        )


def summarise(record: DemoRecord) -> DemoSummary:
    """The numbers of a run, checked against everything that the node promises."""
    counters = record.counters
    median_ms, p99_ms = _percentiles_ms(record.latencies_s)
    return DemoSummary(
        frames_in=record.frames_in,
        published=record.published,
        received=counters.get("received", 0),
        processed=counters.get("processed", 0),
        dropped=_dropped(counters),
        refused=counters.get("refused", 0),
        lost_in_transport=record.published - counters.get("received", 0),
        obstacles_messages=len(record.obstacle_stamps_ns),
        obstacles=sum(record.obstacles_per_frame),
        distinct_obstacles=record.distinct_obstacles,
        frames_with_obstacles=sum(count > 0 for count in record.obstacles_per_frame),
        latency_median_ms=median_ms,
        latency_p99_ms=p99_ms,
        broken_promises=(
            *_broken_transport(record),
            *_broken_account(record),
            *_broken_outputs(record),
        ),
    )


def _dropped(counters: Mapping[str, int]) -> dict[str, int]:
    return {
        name.removeprefix(_DROPPED): count
        for name, count in counters.items()
        if name.startswith(_DROPPED)
    }


def _percentiles_ms(latencies_s: tuple[float, ...]) -> tuple[float | None, float | None]:
    if not latencies_s:
        return None, None
    median, p99 = np.percentile(np.array(latencies_s) * 1e3, [50, 99])
    return round(float(median), 3), round(float(p99), 3)


def _broken_transport(record: DemoRecord) -> list[str]:
    broken = []
    received = record.counters.get("received", 0)
    if record.published != record.frames_in:
        broken.append(
            f"the player published {record.published} of {record.frames_in} frames of the input"
        )
    lost = record.published - received
    if lost < 0:
        broken.append(f"the node received {received} images, more than the {record.published} sent")
    if lost > MAX_LOST_SHARE * record.published:
        broken.append(
            f"{lost} of {record.published} images were lost between player and node, "
            f"more than {MAX_LOST_SHARE:.0%}"
        )
    return broken


def _broken_account(record: DemoRecord) -> list[str]:
    counters = record.counters
    missing = [name for name in _NEEDED_COUNTERS if name not in counters]
    if missing:
        return [f"/diagnostics does not say {', '.join(missing)}"]
    broken = []
    if counters["pending"]:
        broken.append(f"{counters['pending']} images were still waiting when the demo ended")
    dropped = sum(_dropped(counters).values())
    ends = counters["processed"] + counters["refused"] + dropped + counters["pending"]
    if ends != counters["received"]:
        broken.append(
            f"the node's account does not balance: {counters['received']} received, but "
            f"{ends} processed, refused, dropped or waiting"
        )
    if not counters["processed"]:
        broken.append("no frame was processed")
    if record.node_exit_code != 0:
        broken.append(f"the node ended with exit code {record.node_exit_code} after SIGINT")
    return broken


def _broken_outputs(record: DemoRecord) -> list[str]:
    broken = []
    processed, messages = record.counters.get("processed", 0), len(record.obstacle_stamps_ns)
    if processed != messages:
        broken.append(f"{processed} frames were processed, but {messages} obstacles messages came")
    repeated = [stamp for stamp, n in Counter(record.obstacle_stamps_ns).items() if n > 1]
    if repeated:
        broken.append(f"obstacles came more than once for {len(repeated)} stamps")
    for topic, stamps in record.output_stamps_ns.items():
        foreign = sum(stamp not in record.input_stamps_ns for stamp in stamps)
        if foreign:
            broken.append(f"{foreign} messages of {topic} carry a stamp that no input image has")
    unusable = sum(not 0 <= latency < float("inf") for latency in record.latencies_s)
    if unusable:
        broken.append(f"{unusable} obstacles messages tell an impossible latency")
    return broken
