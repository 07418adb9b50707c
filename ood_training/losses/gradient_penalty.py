"""The two-sided gradient penalty: kernels shall change, in the mean, as fast as the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import Tensor


def gradient_penalty(log_kernels: Tensor, images: Tensor, signs: Tensor) -> Tensor:
    """(g_b - 1)^2 of each image b, where g_b estimates how steep the kernels are at a pixel.

    Of one pixel p that is ||d sum_c K_c(p) / d x||_2^2, over the whole image x that it sees; g is
    its mean over the image's N pixels. With independent random signs s_p,
    g = ||d sum_p s_p sum_c K_c(p) / d x||_2^2 / N has exactly this mean as its expectation: what
    two pixels have in common appears with the sign s_p s_q and cancels. So one backward pass is
    enough, and g does not change with the size of the image. Without the signs the slopes of
    neighbours would add up, and a network that is flat at every edge could pass.

    It is a penalty on an image's mean: a part that is flat may hide behind one that is too steep,
    which a penalty at each place (a backward pass each) would see. And as g is squared, the
    variance of the estimate adds to it.

    Args:
        log_kernels: (B, C, H, W) float, ln K, computed from ``images``.
        images: (B, 3, H', W') the network's input, normalised, that requires gradients.
        signs: (B, H, W) of -1 and 1, from ``random_signs``.

    Returns (B,), differentiable with respect to whatever made ``log_kernels``.

    Source: van Amersfoort et al., ICML 2020, section 3, there for one class vector an image.
    """
    kernels = log_kernels.to(torch.promote_types(log_kernels.dtype, torch.float32)).exp()
    signed = (kernels.sum(dim=1) * signs.to(kernels.dtype)).sum()
    (slopes,) = torch.autograd.grad(signed, images, create_graph=True)
    pixels = signs.shape[1] * signs.shape[2]
    squared = slopes.to(kernels.dtype).square().flatten(1).sum(dim=1) / pixels
    return (squared - 1.0).square()


def random_signs(
    key: Sequence[int], images: Iterable[int], size: Sequence[int], device: torch.device
) -> Tensor:
    """(B, H, W) float32 of -1 and 1, which depend on the key and on each image's number alone."""
    return torch.stack([_signs((*key, image), size, device) for image in images])


def _signs(key: Sequence[int], size: Sequence[int], device: torch.device) -> Tensor:
    seed = int(np.random.SeedSequence(tuple(key)).generate_state(1, np.uint32)[0])
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randint(0, 2, tuple(size), generator=generator, device=device) * 2.0 - 1.0
