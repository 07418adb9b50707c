"""Anomaly scores of a segmentation network's logits: one formula a function, higher = stranger.

Each takes logits (C, ...) of float32 or float64, classes first, and returns an array of the
remaining shape and the same dtype. A NaN among a pixel's logits makes that pixel's score NaN, which
no threshold catches: whoever feeds logits has to check that they are finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.floating]


def normalized_entropy(logits: FloatArray) -> FloatArray:
    """Softmax entropy in [0, 1] (the method's specification, section 6).

    H = -sum_c p_c ln p_c / ln C with p = softmax(logits), from the logarithm of the softmax, which
    stays finite where a probability rounds to zero; clamped, because rounding can leave [0, 1].
    """
    _check_classes_first(logits)
    shifted = logits - logits.max(axis=0)
    exponentials = np.exp(shifted)
    total = exponentials.sum(axis=0)
    # sum_c p_c ln p_c = sum_c p_c (shifted_c - ln total)
    entropy = np.log(total) - (exponentials * shifted).sum(axis=0) / total
    return np.clip(entropy / math.log(len(logits)), 0.0, 1.0)


def normalized_entropy_of_probabilities(probabilities: FloatArray) -> FloatArray:
    """The same of probabilities (C, ...) that are not negative; they need not sum exactly to one.

    Renormalises first and takes 0 ln 0 = 0 (the method's specification, section 6, mask form).
    Where all probabilities are zero the result is NaN.
    """
    _check_classes_first(probabilities)
    total = probabilities.sum(axis=0)
    normalized = np.divide(
        probabilities, total, out=np.full_like(probabilities, np.nan), where=total > 0
    )
    logarithm = np.log(normalized, out=np.zeros_like(normalized), where=normalized != 0)
    entropy = -(normalized * logarithm).sum(axis=0)
    return np.clip(entropy / math.log(len(probabilities)), 0.0, 1.0)


def max_softmax(logits: FloatArray) -> FloatArray:
    """1 - max_c p_c with p = softmax(logits), in [0, 1 - 1/C]: how unsure the best class is."""
    _check_classes_first(logits)
    return 1.0 - 1.0 / np.exp(logits - logits.max(axis=0)).sum(axis=0)


def max_logit(logits: FloatArray) -> FloatArray:
    """-max_c z_c, without bounds: how little evidence even the best class has."""
    _check_classes_first(logits)
    return -logits.max(axis=0)


def energy(logits: FloatArray) -> FloatArray:
    """-ln sum_c exp(z_c), without bounds: the free energy of the logits at temperature one."""
    _check_classes_first(logits)
    largest = logits.max(axis=0)
    return -(largest + np.log(np.exp(logits - largest).sum(axis=0)))


def max_min_logit(logits: FloatArray) -> FloatArray:
    """min_c z_c - max_c z_c, at most 0: how little the best class stands out from the worst."""
    _check_classes_first(logits)
    return logits.min(axis=0) - logits.max(axis=0)


def standardized_max_logit(
    logits: FloatArray, means: Sequence[float], deviations: Sequence[float]
) -> FloatArray:
    """-(z_k - mean_k) / deviation_k with k the best class, without bounds.

    means, deviations: C each, of the largest logit where a class is the best one, measured on
    known pixels of the training set; deviations above 0. So a class whose logits are always low
    does not look strange for that. Raises ValueError for another number of classes.
    """
    _check_classes_first(logits)
    if not len(means) == len(deviations) == len(logits):
        raise ValueError(
            f"{len(logits)} classes, but {len(means)} means and {len(deviations)} deviations"
        )
    best = logits.argmax(axis=0)
    mean, deviation = (np.asarray(v, logits.dtype)[best] for v in (means, deviations))
    return (mean - logits.max(axis=0)) / deviation


def kernel_distance(log_kernels: FloatArray) -> FloatArray:
    """1 - max_c K_c of ln K_c, at most 0 each, in [0, 1]: how far the nearest class centre is."""
    _check_classes_first(log_kernels)
    return np.clip(-np.expm1(log_kernels.max(axis=0)), 0.0, 1.0)


def smoothed(score: FloatArray, deviation_cells: float) -> FloatArray:
    """A score (h, w) weighted with a Gaussian of its neighbourhood; at a border, of what is there.

    deviation_cells: of the Gaussian (``smoothing_weights``); 0 changes nothing.
    """
    if deviation_cells <= 0:
        return score
    weights = smoothing_weights(deviation_cells)

    def blurred(plane: FloatArray) -> FloatArray:
        border = cv2.BORDER_CONSTANT  # zeros, which the second blur takes out again
        return np.asarray(cv2.sepFilter2D(plane, -1, weights, weights, borderType=border))

    return np.asarray(blurred(score) / blurred(np.ones_like(score)), score.dtype)


def smoothing_weights(deviation_cells: float) -> NDArray[np.float64]:
    """Weights (2 r + 1,) of a Gaussian along one axis, r = 3 deviations rounded up; sum 1."""
    radius = max(1, math.ceil(3.0 * deviation_cells))
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation_cells) ** 2)
    return np.asarray(weights / weights.sum())


def to_unit_range(score: FloatArray, center: float, scale: float) -> FloatArray:
    """1 / (1 + exp(-(score - center) / scale)): a score without bounds, brought into [0, 1].

    It rises strictly, so that nothing that depends on the order alone changes; scale > 0.
    """
    # half of one plus tanh is the same without an overflow
    return 0.5 * (1.0 + np.tanh((score - center) * (0.5 / scale)))


def _check_classes_first(values: FloatArray) -> None:
    if values.ndim == 0 or values.shape[0] < 2:
        raise ValueError(
            f"scores need (classes, ...) with at least 2 classes, not shape {values.shape}"
        )
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"scores need floating-point input, not {values.dtype}")
