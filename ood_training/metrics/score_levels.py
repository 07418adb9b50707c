"""Scores counted by level: what a data set of any size leaves behind of its pixels.

A level holds the scores whose leading 24 bits as float32 agree: sign, exponent and 15 bits of the
fraction. Levels keep the scores' order, and every score with 16 significant bits has a level of its
own: float16, bfloat16, and 16-bit integers, divided by 65535 or 65536 or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DROPPED_BITS = 8
_SIGN = np.uint32(1 << 31)


@dataclass(frozen=True, eq=False)
class LevelCounts:
    """How many pixels scored on each level; only levels that occur, rising.

    levels: (n,) uint32, 0 to 2^24 - 1.
    lowest, highest: (n,) float64, the scores at the ends of the level's pixels.
    counts: (2, n) int64 pixels; row 0 known, row 1 unknown.
    """

    levels: NDArray[np.uint32]
    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]
    counts: NDArray[np.int64]

    @classmethod
    def of(cls, known: NDArray[np.number], unknown: NDArray[np.number]) -> LevelCounts:
        """Count the scores of known and of unknown pixels, both of any shape and without NaN."""
        return _count(known, 0).merged(_count(unknown, 1))

    def merged(self, other: LevelCounts) -> LevelCounts:
        """The counts of both together."""
        if not (self.levels.size and other.levels.size):
            return self if self.levels.size else other
        levels = np.concatenate([self.levels, other.levels])
        order = np.argsort(levels, kind="stable")  # two rising runs: merged, not sorted
        levels = levels[order]
        starts = _starts(levels)
        counts = np.concatenate([self.counts, other.counts], axis=1)[:, order]
        return LevelCounts(
            levels[starts],
            np.minimum.reduceat(np.concatenate([self.lowest, other.lowest])[order], starts),
            np.maximum.reduceat(np.concatenate([self.highest, other.highest])[order], starts),
            np.add.reduceat(counts, starts, axis=1),
        )


def no_counts() -> LevelCounts:
    """Nothing counted yet."""
    return LevelCounts(np.zeros(0, np.uint32), np.zeros(0), np.zeros(0), np.zeros((2, 0), np.int64))


def score_levels(scores: NDArray[np.number]) -> NDArray[np.uint32]:
    """Levels (uint32, the shape of the scores) that rise with the scores; NaN has none.

    What lies beyond the range of float32 shares the level of infinity.
    """
    with np.errstate(over="ignore"):
        # Adding zero turns -0 into 0, so that the two are one level.
        bits = (scores.astype(np.float32) + np.float32(0)).view(np.uint32)
    # The bits of positive floats rise with them, those of negative ones fall.
    return np.where(bits & _SIGN, ~bits, bits | _SIGN) >> np.uint32(_DROPPED_BITS)


def _count(scores: NDArray[np.number], row: int) -> LevelCounts:
    """The counts of one kind of pixel."""
    if scores.size == 0:
        return no_counts()
    flat = scores.ravel()
    # NumPy sorts halves slowly, and float32 holds them all.
    rising = np.sort(flat.astype(np.float32) if flat.dtype == np.float16 else flat)
    levels = score_levels(rising)
    starts = _starts(levels)
    ends = np.append(starts[1:], rising.size)
    counts = np.zeros((2, starts.size), np.int64)
    counts[row] = ends - starts
    return LevelCounts(
        levels[starts],
        rising[starts].astype(np.float64),
        rising[ends - 1].astype(np.float64),
        counts,
    )


def _starts(rising: NDArray[np.uint32]) -> NDArray[np.intp]:
    """Where runs of equal values begin."""
    return np.flatnonzero(np.append(True, rising[1:] != rising[:-1]))
