"""Reads dense probability planes at the few scattered pixels that matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_perception.component_labels import ComponentInputError


def gather(
    probabilities: NDArray[np.floating], positions: NDArray[np.integer]
) -> NDArray[np.floating]:
    """(C, k) values of (C, H, W) at k positions row * W + column inside the image."""
    num_classes, _, width = probabilities.shape
    if probabilities.flags.c_contiguous:
        return np.take(probabilities.reshape(num_classes, -1), positions, axis=1)
    # Reshaping would copy the whole array, for example that of a transposed (H, W, C).
    rows, columns = np.divmod(positions, width)
    return probabilities[:, rows, columns]


def most_probable(probabilities: NDArray[np.floating]) -> NDArray[np.intp]:
    """(k,) intp, argmax over the classes of (C, k) next to components; of equals the lowest class.

    Raises ComponentInputError where the largest is not finite.
    """
    largest = probabilities.max(axis=0)
    if not np.isfinite(largest).all():
        raise ComponentInputError(
            "probabilities next to a component are not finite; check the network's output"
        )
    # NumPy's argmax over a short first axis is many times slower than whole planes from the last.
    winner = np.zeros(largest.size, np.intp)
    for class_id in range(len(probabilities) - 1, -1, -1):
        np.copyto(winner, class_id, where=probabilities[class_id] == largest)
    return winner
