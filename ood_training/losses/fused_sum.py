"""A loss that is a sum over pixels, its gradient written while the logits are at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_CACHE_PIXELS = 1 << 16
"""Pixels that a CPU works on at once: few enough for its cache, enough to share among threads."""

PartTerms = Callable[[Tensor, Tensor, bool], tuple[Tensor, Tensor | None]]
"""Of (C, h, w) logits of a part of an image, at least float32 and not to be written into, and its
(h, w) labels: the sum of its terms and, where the flag asks for it, their gradient (C, h, w)."""


def fused_sum(logits: Tensor, labels: Tensor, terms: PartTerms) -> Tensor:
    """The sum of ``terms`` over all parts of a batch.

    Args:
        logits: (B, C, H, W) float. Half precision is worked out in float32.
        labels: (B, H, W) int64.
        terms: of one part; called for each.

    Returns a scalar, float32 (float64 for float64 logits), differentiable once. The gradient is the
    only array of the logits' size: no target and no softmax is kept.
    """
    result: Tensor = _FusedSum.apply(logits, labels, terms)
    return result


class _FusedSum(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, logits: Tensor, labels: Tensor, terms: PartTerms) -> Tensor:
        precise = torch.promote_types(logits.dtype, torch.float32)
        total = torch.zeros((), dtype=torch.float64, device=logits.device)
        gradient = torch.empty_like(logits) if context.needs_input_grad[0] else None
        for part in _parts(logits):
            found, slopes = terms(
                logits[part].to(precise), labels[part[0], part[2]], gradient is not None
            )
            total += found
            if gradient is not None:
                assert slopes is not None
                gradient[part] = slopes
        context.gradient = gradient
        return total.to(precise)

    @staticmethod
    @once_differentiable
    def backward(context: Any, scale: Tensor) -> tuple[Tensor, None, None]:
        gradient, context.gradient = context.gradient, None
        if gradient is None:
            raise RuntimeError("the loss was differentiated before; its gradient is gone")
        return gradient.mul_(scale), None, None


def _parts(logits: Tensor) -> Iterator[tuple[int, slice, slice]]:
    """Indices (image, classes, rows) that cover (B, C, H, W)."""
    images, _, height, width = logits.shape
    rows = height if logits.is_cuda else max(1, _CACHE_PIXELS // max(1, width))
    for image in range(images):
        for row in range(0, height, rows):
            yield image, slice(None), slice(row, row + rows)
