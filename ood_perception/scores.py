"""Anomaly scores of a segmentation network's logits: one formula a function, higher = stranger.

Each takes logits (C, ...) of float32 or float64, classes first, and returns an array of the
remaining shape and the same dtype. A NaN among a pixel's logits makes that pixel's score NaN, which
no threshold catches: whoever feeds logits has to check that they are finite.
"""

from __future__ import annotations

import math

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


def _check_classes_first(values: FloatArray) -> None:
    if values.ndim == 0 or values.shape[0] < 2:
        raise ValueError(
            f"scores need (classes, ...) with at least 2 classes, not shape {values.shape}"
        )
    if not np.issubdtype(values.dtype, np.floating):
        raise ValueError(f"scores need floating-point input, not {values.dtype}")
