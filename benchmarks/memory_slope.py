"""Does a process's memory grow? The slope of its resident size with a confidence interval.

Resident memory comes and goes in steps: an allocator keeps what it was given and hands it back when
asked. What leaks is never handed back, so it is the floor that rises. A straight line through all
samples would take one step for a trend and call itself certain. Here the frames are cut into
blocks; the growth from one block's least to the next's is the sample, the slope is their mean, and
the interval is Student's. One step among many still blocks is then noise, and a steady leak, the
same in every block, is not. Where the floor swings around a level the interval is wider than it
need be: it errs towards finding nothing to say, and tells how far.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

_STUDENT_975 = (12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14,
                2.13, 2.12, 2.11, 2.10, 2.09, 2.09)  # fmt: skip
"""97.5% quantiles of Student's distribution with 1, 2, ... degrees of freedom."""
BLOCKS = 21


class MemorySlope(NamedTuple):
    """Bytes a frame, and its 95% confidence interval."""

    bytes_per_frame: float
    low: float
    high: float

    @property
    def is_growth(self) -> bool:
        """Whether zero lies below the interval."""
        return self.low > 0


def block_floors(resident: Sequence[int]) -> list[int]:
    """The least of each of BLOCKS blocks of one process's resident bytes, in their order."""
    return [int(block.min()) for block in np.array_split(np.asarray(resident), BLOCKS)]


def memory_slope(resident: Sequence[int]) -> MemorySlope:
    """The slope of one process's resident bytes, one sample a frame, the warm-up left out.

    Raises ValueError for fewer than 3 samples a block.
    """
    if len(resident) < 3 * BLOCKS:
        raise ValueError(f"{len(resident)} frames: a slope needs at least {3 * BLOCKS}")
    growth = np.diff(np.asarray(block_floors(resident), np.float64))
    frames = len(resident) / BLOCKS
    slope = growth.mean() / frames
    margin = _STUDENT_975[len(growth) - 2] * growth.std(ddof=1) / np.sqrt(len(growth)) / frames
    return MemorySlope(float(slope), float(slope - margin), float(slope + margin))
