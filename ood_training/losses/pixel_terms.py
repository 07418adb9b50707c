"""The two sums of the multi-criteria loss and their gradient in one pass over the logits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from ood_training.losses.labels import OOD_LABEL

_CACHE_PIXELS = 1 << 16
"""Pixels that a CPU works on at once: few enough for its cache, enough to share among threads."""


def weighted_terms(
    logits: Tensor, labels: Tensor, known_weight: float, unknown_weight: float
) -> Tensor:
    """known_weight * sum over known pixels of -ln p_y, plus unknown_weight * sum over unknown
    pixels of the mean over c of -ln p_c.

    Args:
        logits: (B, C, H, W) float, before the softmax. Half precision is worked out in float32.
        labels: (B, H, W) int64; class ids below C, 254 (unknown) or 255 (ignored).

    Returns a scalar, float32 (float64 for float64 logits). No target tensor is built and no
    log-softmax is kept: the gradient is written while the logits are at hand, so that it is the
    only array of their size. Differentiable once. Reference: the method's specification, section 4.
    """
    result: Tensor = _WeightedTerms.apply(logits, labels, known_weight, unknown_weight)
    return result


class _WeightedTerms(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any, logits: Tensor, labels: Tensor, known_weight: float, unknown_weight: float
    ) -> Tensor:
        wants_gradient = context.needs_input_grad[0]
        precise = torch.promote_types(logits.dtype, torch.float32)
        total = torch.zeros((), dtype=torch.float64, device=logits.device)
        gradient = torch.empty_like(logits) if wants_gradient else None
        for part in _parts(logits):
            log_p = torch.log_softmax(logits[part], dim=0, dtype=precise)
            label = labels[part[0], part[2]]
            of_known = (label < OOD_LABEL).to(precise) * known_weight
            of_unknown = (label == OOD_LABEL).to(precise) * unknown_weight
            # any class will do where the weight is zero
            index = label.clamp(max=logits.shape[1] - 1).unsqueeze(0)
            total -= (log_p.gather(0, index).squeeze(0) * of_known).sum()
            if unknown_weight:
                total -= (log_p.mean(dim=0) * of_unknown).sum()
            if gradient is not None:
                _to_gradient(log_p, index, of_known, of_unknown)
                gradient[part] = log_p
        context.gradient = gradient
        return total.to(precise)

    @staticmethod
    @once_differentiable
    def backward(context: Any, scale: Tensor) -> tuple[Tensor, None, None, None]:
        gradient, context.gradient = context.gradient, None
        if gradient is None:
            raise RuntimeError("the loss was differentiated before; its gradient is gone")
        return gradient.mul_(scale), None, None, None


def _parts(logits: Tensor) -> Iterator[tuple[int, slice, slice]]:
    """Indices (image, classes, rows) that cover (B, C, H, W)."""
    images, _, height, width = logits.shape
    rows = height if logits.is_cuda else max(1, _CACHE_PIXELS // max(1, width))
    for image in range(images):
        for row in range(0, height, rows):
            yield image, slice(None), slice(row, row + rows)


def _to_gradient(log_p: Tensor, index: Tensor, of_known: Tensor, of_unknown: Tensor) -> None:
    """Turn (C, h, w) log-probabilities into the gradient for the logits, in place.

    Each pixel's gradient is its weight times the softmax minus what its term aims at: one at its
    class, or 1 / C everywhere.
    """
    log_p.exp_().mul_(of_known + of_unknown)
    log_p.scatter_add_(0, index, -of_known.unsqueeze(0))
    log_p.sub_(of_unknown / len(log_p))
