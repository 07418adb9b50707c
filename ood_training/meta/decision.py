"""Where the decision lies when a share of the objects must be kept."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

# 0.98 of 50 objects is 49 of them, whatever binary fractions say.
_ROUNDING = 1e-9


def choose_decision(lowest_probability: NDArray[np.float64], keep_objects: float | None) -> float:
    """The smallest decision, in [0.5, 1], that keeps a share of the objects.

    lowest_probability: (k,) for each object that is hit, the lowest P(false positive) of its
    components; the object stays hit while that is at most the decision.
    keep_objects: in (0, 1]; None puts the decision at one half (section 8.3). It is never less: a
    component that is more likely real than not is not dropped because the share would allow it.
    """
    if keep_objects is None or len(lowest_probability) == 0:
        return 0.5
    needed = max(1, math.ceil(keep_objects * len(lowest_probability) - _ROUNDING))
    return float(np.clip(np.sort(lowest_probability)[needed - 1], 0.5, 1.0))
