"""The two sums of the multi-criteria loss."""

from __future__ import annotations

import torch
from torch import Tensor

from ood_training.losses.fused_sum import fused_sum
from ood_training.losses.labels import OOD_LABEL


def weighted_terms(
    logits: Tensor, labels: Tensor, known_weight: float, unknown_weight: float
) -> Tensor:
    """known_weight * sum over known pixels of -ln p_y, plus unknown_weight * sum over unknown
    pixels of the mean over c of -ln p_c.

    Args:
        logits: (B, C, H, W) float, before the softmax. Half precision is worked out in float32.
        labels: (B, H, W) int64; class ids below C, 254 (unknown) or 255 (ignored).

    Returns a scalar as ``fused_sum``. Reference: the method's specification, section 4.
    """

    def terms(part: Tensor, label: Tensor, wanted: bool) -> tuple[Tensor, Tensor | None]:
        log_p = torch.log_softmax(part, dim=0)
        of_known = (label < OOD_LABEL).to(part.dtype) * known_weight
        of_unknown = (label == OOD_LABEL).to(part.dtype) * unknown_weight
        # any class will do where the weight is zero
        index = label.clamp(max=len(part) - 1).unsqueeze(0)
        total = -(log_p.gather(0, index).squeeze(0) * of_known).sum()
        if unknown_weight:
            total -= (log_p.mean(dim=0) * of_unknown).sum()
        if not wanted:
            return total, None
        _to_gradient(log_p, index, of_known, of_unknown)
        return total, log_p

    return fused_sum(logits, labels, terms)


def _to_gradient(log_p: Tensor, index: Tensor, of_known: Tensor, of_unknown: Tensor) -> None:
    """Turn (C, h, w) log-probabilities into the gradient for the logits, in place.

    Each pixel's gradient is its weight times the softmax minus what its term aims at: one at its
    class, or 1 / C everywhere.
    """
    log_p.exp_().mul_(of_known + of_unknown)
    log_p.scatter_add_(0, index, -of_known.unsqueeze(0))
    log_p.sub_(of_unknown / len(log_p))
