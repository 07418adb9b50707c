"""The multi-criteria loss: cross-entropy on known classes, uniform softmax on unknown objects."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

OOD_LABEL = 254
IGNORE_LABEL = 255

Reduction = Literal["legacy", "per_term"]


def entropy_maximization_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    ood_weight: float = 0.9,
    reduction: Reduction = "per_term",
    ood_label: int = OOD_LABEL,
    ignore_label: int = IGNORE_LABEL,
) -> Tensor:
    """Weigh the cross-entropy of known pixels against the uniformity of unknown ones.

    Args:
        logits: (B, C, H, W) float, before the softmax.
        labels: (B, H, W) integer; class ids below C, ``ood_label`` or ``ignore_label``.
        ood_weight: lambda in [0, 1]; known pixels weigh 1 - lambda.
        reduction: "per_term" adds (1 - lambda) * mean over the known pixels and
            lambda * mean over the unknown pixels, and a term without pixels is 0. "legacy" is the
            published code's mean over every pixel and class, ignored pixels included.

    Returns:
        A scalar. An unknown pixel's term is least, ln C, at the uniform distribution.

    Raises:
        ValueError: for an unknown reduction or shapes that do not fit.

    Reference: section 4 of the method's specification.
    """
    if reduction not in ("legacy", "per_term"):
        raise ValueError(f"unknown reduction {reduction!r}: use 'legacy' or 'per_term'")
    if logits.ndim != 4 or labels.shape != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"logits (B,C,H,W) {tuple(logits.shape)} do not fit labels (B,H,W) "
            f"{tuple(labels.shape)}"
        )
    labels = labels.long()
    log_probabilities = torch.log_softmax(logits.float(), dim=1)
    unknown = labels == ood_label
    known = (labels != ignore_label) & ~unknown

    # gather needs a valid index everywhere; the pixels that are no class are masked out after it
    index = torch.where(known, labels, torch.zeros_like(labels)).unsqueeze(1)
    known_terms = -log_probabilities.gather(1, index).squeeze(1) * known
    unknown_terms = -log_probabilities.mean(dim=1) * unknown

    known_sum, unknown_sum = known_terms.sum(), unknown_terms.sum()
    if reduction == "legacy":
        total = (1.0 - ood_weight) * known_sum + ood_weight * unknown_sum
        return total / math.prod(logits.shape)
    known_mean = known_sum / known.sum().clamp(min=1)
    unknown_mean = unknown_sum / unknown.sum().clamp(min=1)
    return (1.0 - ood_weight) * known_mean + ood_weight * unknown_mean
