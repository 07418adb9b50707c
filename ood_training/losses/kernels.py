"""The loss of a kernel head: every kernel says by itself whether a pixel is of its class."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ood_training.losses.labels import OOD_LABEL

# Where a kernel is one, ln(1 - K) and its slope are without bound; here they end, 13.8 and 1e6.
_CLOSEST = -1e-6


def kernel_terms(
    log_kernels: Tensor, labels: Tensor, known_weight: float, unknown_weight: float
) -> Tensor:
    """known_weight * sum over known pixels of -ln K_y - sum over c != y of ln(1 - K_c), plus
    unknown_weight * sum over unknown pixels of the mean over c of -ln(1 - K_c).

    Args:
        log_kernels: (B, C, H, W) float, ln K_c <= 0. Half precision is worked out in float32.
        labels: (B, H, W) int64; class ids below C, 254 (unknown) or 255 (ignored).

    Returns a scalar, float32 (float64 for float64 input), finite for every finite input: a kernel
    nearer to one than exp(-1e-6) counts as that, and is pulled no further. The first term is the
    binary cross-entropy of the kernels with the one-hot label (van Amersfoort et al., ICML 2020,
    equation 3), the second the same with the label "none of the classes".
    """
    log_kernels = log_kernels.to(torch.promote_types(log_kernels.dtype, torch.float32))
    others = _negative_log1mexp(log_kernels)
    of_known = (labels < OOD_LABEL).to(others.dtype) * known_weight
    # any class will do where the weight is zero
    index = labels.clamp(max=log_kernels.shape[1] - 1).unsqueeze(1)
    own = (log_kernels + others).gather(1, index).squeeze(1)
    everything = others.sum(dim=1)
    total = ((everything - own) * of_known).sum()
    if unknown_weight:
        of_unknown = (labels == OOD_LABEL).to(others.dtype) * unknown_weight
        total = total + (everything * of_unknown).sum() / log_kernels.shape[1]
    return total


def _negative_log1mexp(logarithms: Tensor) -> Tensor:
    """-ln(1 - exp(x)) for x <= 0, exact to rounding at both ends."""
    logarithms = logarithms.clamp(max=_CLOSEST)
    near = torch.log(-torch.expm1(logarithms))
    far = torch.log1p(-torch.exp(logarithms))
    return -torch.where(logarithms > -math.log(2.0), near, far)
