"""What a replay did, in numbers."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ood_perception.scene import Scene

_NUMBER = re.compile(r"\d+(\.\d+)?")


@dataclass(frozen=True)
class ReplaySummary:
    """frames: images in the bag = processed + refused. refused_reasons: how often each reason,
    with the numbers of its first case.
    obstacles: kept components over all frames; tracks: different obstacles among them;
    rejected: dropped components. latency: from the message in memory to the messages to write,
    milliseconds. duration_s: of the images in the bag; real_time_factor: that by the time taken.
    topics: messages in the new bag. notes: how often the pipeline noted what.
    """

    bag: Path
    model_id: str
    topic: str
    frames: int
    processed: int
    refused: int
    refused_reasons: dict[str, int]
    obstacles: int
    tracks: int
    rejected: int
    latency_median_ms: float | None
    latency_p99_ms: float | None
    duration_s: float
    wall_s: float
    frames_per_second: float
    real_time_factor: float
    topics: dict[str, int]
    notes: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """A dict for JSON with the same names."""
        return {**self.__dict__, "bag": str(self.bag)}

    def line(self) -> str:
        """One line for a person."""
        latency = "no latency"
        if self.latency_median_ms is not None and self.latency_p99_ms is not None:
            latency = f"latency {self.latency_median_ms:.1f} ms, p99 {self.latency_p99_ms:.1f} ms"
        return (
            f"{self.frames} frames in, {self.processed} processed, {self.refused} refused, "
            f"{self.obstacles} obstacles ({self.tracks} different), {self.rejected} rejected, "
            f"{latency}, {self.frames_per_second:.1f} frames/s, "
            f"{self.real_time_factor:.2f} x real time"
        )


@dataclass
class ReplayCounts:
    """Counts while a replay runs."""

    stamps_ns: list[int] = field(default_factory=list)
    latencies_s: list[float] = field(default_factory=list)
    refused_reasons: dict[str, int] = field(default_factory=dict)
    notes: Counter[str] = field(default_factory=Counter)
    tracks: set[int] = field(default_factory=set)
    obstacles: int = 0
    rejected: int = 0

    @property
    def refused(self) -> int:
        """Images that could not be processed so far."""
        return sum(self.refused_reasons.values())

    def refuse(self, reason: str) -> None:
        """Counts one refused frame; reasons that differ in numbers alone count as the first."""
        kind = _NUMBER.sub("#", reason)
        known = next((r for r in self.refused_reasons if _NUMBER.sub("#", r) == kind), reason)
        self.refused_reasons[known] = self.refused_reasons.get(known, 0) + 1

    def add(self, scene: Scene, latency_s: float) -> None:
        """Counts one processed frame."""
        self.latencies_s.append(latency_s)
        self.obstacles += len(scene.obstacles)
        self.rejected += len(scene.rejected)
        self.tracks.update(obstacle.track_id for obstacle in scene.obstacles)
        self.notes.update(scene.notes)

    def summary(
        self, bag: Path, model_id: str, topic: str, wall_s: float, topics: dict[str, int]
    ) -> ReplaySummary:
        """The counts, once the bag is written."""
        median, p99 = None, None
        if self.latencies_s:
            values = np.percentile(self.latencies_s, (50, 99)) * 1000
            median, p99 = round(float(values[0]), 3), round(float(values[1]), 3)
        duration_s = self._duration_s()
        return ReplaySummary(
            bag=bag,
            model_id=model_id,
            topic=topic,
            frames=len(self.stamps_ns),
            processed=len(self.latencies_s),
            refused=self.refused,
            refused_reasons=dict(self.refused_reasons),
            obstacles=self.obstacles,
            tracks=len(self.tracks),
            rejected=self.rejected,
            latency_median_ms=median,
            latency_p99_ms=p99,
            duration_s=round(duration_s, 6),
            wall_s=round(wall_s, 6),
            frames_per_second=round(len(self.stamps_ns) / wall_s, 3),
            real_time_factor=round(duration_s / wall_s, 3),
            topics=topics,
            notes=dict(self.notes),
        )

    def _duration_s(self) -> float:
        """From the first to the last stamp and one period more: n frames last n periods."""
        count = len(self.stamps_ns)
        if count < 2:
            return 0.0
        return (max(self.stamps_ns) - min(self.stamps_ns)) / 1e9 * count / (count - 1)
