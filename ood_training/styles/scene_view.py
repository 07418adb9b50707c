"""The part of a scene that its style is taken from."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_training.augmentation import PADDING_VALUE

# Colours and low frequencies of a scene need no more of its pixels than these a side; the whole
# of a crop would take longer than all the rest of pasting.
MOST_SIDE_PX = 64


def scene_view(scene: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every n-th pixel of a scene (H, W, 3), at most 64 a side, without the grey around a frame.

    Pixels are left out, not averaged: averages vary less than the pixels of an object do. A scene
    of at most 64 pixels a side without grey rows and columns at its border comes back whole.
    """
    step = -(-max(scene.shape[:2]) // MOST_SIDE_PX)
    view = scene[::step, ::step]
    if not any(
        (edge == PADDING_VALUE).all() for edge in (view[0], view[-1], view[:, 0], view[:, -1])
    ):
        return view
    seen = (view != PADDING_VALUE).reshape(view.shape[0], -1)
    rows = np.flatnonzero(seen.any(axis=1))
    columns = np.flatnonzero(seen.any(axis=0).reshape(-1, 3).any(axis=1))
    if rows.size == 0:
        return view
    return view[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
