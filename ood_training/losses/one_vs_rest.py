"""The one-vs-rest loss: each class is decided by itself, and unknown objects are none of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ood_training.losses.entropy_maximization import term_weights
from ood_training.losses.fused_sum import fused_sum
from ood_training.losses.labels import OOD_LABEL, count_pixels


def one_vs_rest_loss(
    logits: Tensor, labels: Tensor, *, ood_weight: float = 0.9, top_k: int = 5, scale: float = 1.0
) -> Tensor:
    """Weigh the one-vs-rest loss of known pixels against the top-k loss of unknown ones.

    Args:
        logits: (B, C, H, W) float, before the sigmoids.
        labels: (B, H, W) integer; class ids below C, 254 (unknown) or 255 (ignored).
        ood_weight: lambda in [0, 1]; known pixels weigh 1 - lambda.
        top_k: K, at least 1; more than C is C.
        scale: s, above 0; the sigmoids are those of s * logits.

    Returns:
        A scalar: (1 - lambda) * mean over the known pixels + lambda * mean over the unknown pixels
        of the terms of ``one_vs_rest_terms``; a term without pixels is 0. Least is 0.

    Raises:
        ValueError: for settings outside these ranges, or shapes that do not fit.
        OodError: for a label that is neither a class nor 254 nor 255.

    Reference: the poster's top-k one-vs-rest loss, which is this one at lambda = 1.
    """
    if logits.ndim != 4 or labels.shape != logits.shape[:1] + logits.shape[2:]:
        raise ValueError(
            f"logits (B,C,H,W) {tuple(logits.shape)} do not fit labels (B,H,W) "
            f"{tuple(labels.shape)}"
        )
    if not 0 <= ood_weight <= 1:
        raise ValueError(f"ood_weight is {ood_weight}: it must be within 0 and 1")
    labels = labels.long()
    counts = count_pixels(labels, logits.shape[1])
    weights = term_weights(counts, logits.shape[1], ood_weight=ood_weight, reduction="per_term")
    return one_vs_rest_terms(logits, labels, *weights, top_k=top_k, scale=scale)


def one_vs_rest_terms(
    logits: Tensor,
    labels: Tensor,
    known_weight: float,
    unknown_weight: float,
    *,
    top_k: int,
    scale: float,
) -> Tensor:
    """known_weight * sum over known pixels of (-ln sigmoid(s z_y) - sum over k != y of
    ln sigmoid(-s z_k)), plus unknown_weight * sum over unknown pixels of the mean over the K
    largest z_k of -ln sigmoid(-s z_k).

    Args:
        logits: z, (B, C, H, W) float, before the sigmoids. Half precision is worked out in float32.
        labels: (B, H, W) int64; class ids below C, 254 (unknown) or 255 (ignored).
        top_k: K, at least 1; more than C is C. Of equal logits, the lower class ids are taken.
        scale: s, above 0.

    Returns a scalar as ``fused_sum``, summable over parts of a batch as ``weighted_terms`` is.
    Raises ValueError for a K or s out of range.

    With unknown_weight = 1 / |N_ood|, the second part is the poster's L_ood: a mean over the K
    classes. The poster gives no formula for known pixels. The first part is the usual one: the
    negative log-likelihood of C independent decisions, which is a sum over the classes. So the
    pixel's own class pulls as hard as in cross-entropy, however many others there are; a mean would
    be the same with known_weight / C.
    """
    if top_k < 1:
        raise ValueError(f"top_k is {top_k}: it must be at least 1")
    if not 0 < scale < math.inf:
        raise ValueError(f"the scale of the logits is {scale}: it must be above 0 and finite")

    def terms(part: Tensor, label: Tensor, wanted: bool) -> tuple[Tensor, Tensor | None]:
        scaled = part * scale
        unknown = label == OOD_LABEL
        columns = scaled[:, unknown]
        of_known = (label < OOD_LABEL).to(part.dtype) * known_weight
        # any class will do where the weight is zero
        index = label.clamp(max=len(part) - 1).unsqueeze(0)
        total = _known_sum(scaled, index, of_known)
        unknown_sum, slopes = _strongest_mean(columns, top_k)
        total += unknown_sum * unknown_weight
        if not wanted:
            return total, None
        _to_gradient(scaled, index, of_known * scale)
        scaled[:, unknown] = slopes * (unknown_weight * scale)
        return total, scaled

    return fused_sum(logits, labels, terms)


def _softplus(values: Tensor) -> Tensor:
    """-ln sigmoid(-x) = ln(1 + e^x), of any x: exact to the last digits, and vectorised."""
    return torch.logaddexp(values, values.new_zeros(()))


def _known_sum(scaled: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """The weighted sum of the known pixels' terms.

    scaled: (C, h, w) s z; each pixel's own class in index (1, h, w) is negated in place, because
    then every class's term is the same function of it.
    """
    scaled.scatter_(0, index, -scaled.gather(0, index))
    return (_softplus(scaled).sum(dim=0) * weight).sum()


def _to_gradient(negated: Tensor, index: Tensor, weight: Tensor) -> None:
    """Turn what ``_known_sum`` left, (C, h, w), into the known pixels' gradient, in place."""
    negated.sigmoid_().mul_(weight)
    negated.scatter_(0, index, -negated.gather(0, index))


def _strongest_mean(columns: Tensor, top_k: int) -> tuple[Tensor, Tensor]:
    """The sum over unknown pixels of the mean of their top_k terms, and its slope for each value.

    columns: (C, n) s z of n pixels; used up. The largest one is taken K times: on a CPU this is
    several times faster than sorting, and the first of equals is taken on every device.
    """
    count = min(top_k, len(columns))
    total = columns.new_zeros(())
    slopes = torch.zeros_like(columns)
    for _ in range(count):
        largest, index = columns.max(dim=0, keepdim=True)
        total += _softplus(largest).sum()
        # added, because a logit of -inf may be met twice: its slope of 0 must not replace another
        slopes.scatter_add_(0, index, largest.sigmoid())
        columns.scatter_(0, index, -math.inf)
    return total / count, slopes.div_(count)
