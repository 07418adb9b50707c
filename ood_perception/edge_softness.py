"""How blurred the lower edge of a component is in the anomaly score.

Where the score falls from "certainly unknown" to "known" within a cell or two, the edge is the
obstacle's own; where it fades over many, the component ends somewhere in a haze of shadow or doubt,
and its foot, hence its distance, is less certain.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MOST_CELLS = 20
"""No side of an edge is followed farther than this."""

_HIGH_SHARE = 0.85


def edge_softness(
    score: NDArray[np.floating], cells: NDArray[np.integer], threshold: float
) -> NDArray[np.float64]:
    """(k,) float64, over how many rows of cells the score falls at each cell of a lower edge.

    score: (h, w) float in [0, 1]. cells: (k, 2) integer (row, column), the component's lowest cell
    in each of its columns. threshold: the component's, in (0, 1).
    Counted are the rows upwards until the score is high (85% of the way from the threshold to 1)
    and those downwards until it is below half the threshold, at most MOST_CELLS each; the grid's
    own edge ends the way down. 1 is the least: a fall between two neighbouring rows.
    """
    rows, columns = cells[:, 0], cells[:, 1]
    steps = np.arange(MOST_CELLS + 1)[:, None]
    above = score[np.maximum(rows - steps, 0), columns]
    below_rows = rows + steps
    below = score[np.minimum(below_rows, len(score) - 1), columns]
    high = above >= threshold + _HIGH_SHARE * (1.0 - threshold)
    low = (below < threshold / 2) | (below_rows >= len(score))
    return np.asarray(_first(high) + _first(low), np.float64)


def _first(reached: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Row of the first True of each column, MOST_CELLS without one."""
    return np.where(reached.any(axis=0), reached.argmax(axis=0), MOST_CELLS)
