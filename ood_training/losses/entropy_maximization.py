"""The multi-criteria loss: cross-entropy on known classes, uniform softmax on unknown objects."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ood_training.losses.labels import PixelCounts, count_pixels
from ood_training.losses.pixel_terms import weighted_terms

Reduction = Literal["legacy", "per_term"]


def term_weights(
    counts: PixelCounts, num_classes: int, *, ood_weight: float, reduction: Reduction
) -> tuple[float, float]:
    """What one known and one unknown pixel weigh in the loss of a batch with these counts.

    The loss of a batch is the sum of its pixels' terms with these weights, so that parts of the
    batch (micro-batches, processes) may be summed apart and still give the whole batch's loss.
    Raises ValueError for an unknown reduction.
    """
    if reduction == "legacy":
        pixels_and_classes = max(1, counts.all * num_classes)
        return (1.0 - ood_weight) / pixels_and_classes, ood_weight / pixels_and_classes
    if reduction == "per_term":
        return (1.0 - ood_weight) / max(1, counts.known), ood_weight / max(1, counts.unknown)
    raise ValueError(f"unknown reduction {reduction!r}: use 'legacy' or 'per_term'")


def entropy_maximization_loss(
    logits: Tensor,
    labels: Tensor,
    *,
    ood_weight: float = 0.9,
    reduction: Reduction = "per_term",
) -> Tensor:
    """Weigh the cross-entropy of known pixels against the uniformity of unknown ones.

    Args:
        logits: (B, C, H, W) float, before the softmax.
        labels: (B, H, W) integer; class ids below C, 254 (unknown) or 255 (ignored).
        ood_weight: lambda in [0, 1]; known pixels weigh 1 - lambda.
        reduction: "per_term" adds (1 - lambda) * mean over the known pixels and
            lambda * mean over the unknown pixels, and a term without pixels is 0. "legacy" is the
            published code's mean over every pixel and class, ignored pixels included.

    Returns:
        A scalar. An unknown pixel's term is least, ln C, at the uniform distribution.

    Raises:
        ValueError: for an unknown reduction or shapes that do not fit.
        OodError: for a label that is neither a class nor 254 nor 255.

    Reference: section 4 of the method's specification.
    """
    if logits.ndim != 4 or labels.shape != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"logits (B,C,H,W) {tuple(logits.shape)} do not fit labels (B,H,W) "
            f"{tuple(labels.shape)}"
        )
    labels = labels.long()
    counts = count_pixels(labels, logits.shape[1])
    weights = term_weights(counts, logits.shape[1], ood_weight=ood_weight, reduction=reduction)
    return weighted_terms(logits, labels, *weights)
