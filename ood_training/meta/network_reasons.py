"""Why a network says so: integrated gradients that add up exactly.

Integrated gradients (Sundararajan et al. 2017) follow the straight line from the baseline, here the
mean of the training rows, to the component, and give each metric its distance times the mean of the
gradient along the line. A sum over midpoints misses the kinks of the ReLUs: with 32 or 64 of them
about a hundredth of the log-odds is left over. Here the line is cut into segments, and a unit's
derivative on a segment is its mean there, the change of its output over the change of its input.
Then the parts of every segment add up to the change of the log-odds along it, however few segments
there are, but for rounding. A segment with one kink is integrated exactly; where several meet in
one, how the sum is shared among the metrics is an approximation that more segments make finer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ood_training.meta.batched_training import TrainedNetwork

SEGMENTS = 8
"""Of the line in the vehicle's graph: a metric's part is then wrong by some thousandths of the
component's largest one."""

NO_CHANGE = 1e-30
"""Keeps 0 / 0 away where a unit's input stands still. Its derivative is then 0; it never counts,
as nothing that leads to such a unit moves either. Not smaller: ONNX Runtime takes a number that
float32 does not hold for 0, and leaves out its addition."""
_ROWS_AT_A_TIME = 512


def path_contributions(
    network: TrainedNetwork, standardised: NDArray[np.float64], segments: int = SEGMENTS
) -> NDArray[np.float64]:
    """(n, M) float64 part of each metric in the log-odds, relative to the mean of all metrics.

    standardised: (n, M), 0 is the mean. The sum of a row is the log-odds less those at 0.
    """
    parts = [
        _contributions(network, standardised[start : start + _ROWS_AT_A_TIME], segments)
        for start in range(0, len(standardised), _ROWS_AT_A_TIME)
    ]
    return np.concatenate(parts) if parts else np.zeros_like(standardised)


def path_shares(segments: int) -> NDArray[np.float64]:
    """(K + 1, 1, 1): how far along the line each end of a segment lies, 0 to 1."""
    return np.arange(segments + 1)[:, None, None] / segments


def _contributions(
    network: TrainedNetwork, standardised: NDArray[np.float64], segments: int
) -> NDArray[np.float64]:
    if len(network.weights) == 1:
        return standardised * network.weights[0][:, 0]
    # the first layer is linear along the line: it is computed once a row, not once a point
    before = standardised @ network.weights[0] * path_shares(segments) + network.biases[0]
    derivatives = []
    for weight, bias in zip(network.weights[1:], network.biases[1:], strict=True):
        after = np.maximum(before, 0.0)
        derivatives.append(np.diff(after, axis=0) / (np.diff(before, axis=0) + NO_CHANGE))
        before = after @ weight + bias
    gradient = network.weights[-1][:, 0] * derivatives[-1]
    for weight, derivative in zip(network.weights[-2:0:-1], derivatives[-2::-1], strict=True):
        gradient = gradient @ weight.T * derivative
    return gradient.mean(axis=0) @ network.weights[0].T * standardised
