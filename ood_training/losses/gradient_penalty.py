"""The two-sided gradient penalty: kernels shall change, in the mean, as fast as the image."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad


def gradient_penalty(
    network: Callable[[Tensor], Tensor], images: Tensor, signs: Tensor
) -> tuple[Tensor, Tensor]:
    """The network's answer to a batch, and the sum of (g_b - 1)^2 over its images b.

    g_b estimates how steep the kernels are at a pixel. Of one pixel p that is
    ||d sum_c K_c(p) / d x||_2^2, over the whole image x that it sees; g is its mean over the
    image's N pixels. With independent random signs s_p, g = ||d sum_p s_p sum_c K_c(p) / d x||_2^2
    / N has exactly this mean as its expectation: what two pixels have in common appears with the
    sign s_p s_q and cancels. So one backward pass is enough, and g does not change with the size of
    the image. Without the signs the slopes of neighbours would add up, and a network that is flat
    at every edge could pass.

    It is a penalty on an image's mean: a part that is flat may hide behind one that is too steep,
    which a penalty at each place (a backward pass each) would see. And as g is squared, the
    variance of the estimate adds to it.

    The penalty's own gradient is that of a slope in one direction, by forward differentiation: with
    v = J^T s the slopes of the image, d (g - 1)^2 = d (s^T J u) for u = 4 (g - 1) v / N held fixed.
    Differentiating the backward pass gives the same numbers, but takes PyTorch several times as
    long on a CPU: it goes through a depthwise convolution channel by channel.

    Args:
        network: from normalised images (B, 3, H', W') to ln K, (B, C, H, W) float, each image by
            itself. Called twice, so it has to answer the same again; and without batch norm in
            train mode, whose forward derivative PyTorch takes for independent of the weights.
        images: (B, 3, H', W').
        signs: (B, H, W) of -1 and 1, from ``random_signs``.

    Returns ln K and the scalar, both differentiable once with respect to the network's weights.

    Source: van Amersfoort et al., ICML 2020, section 3, there for one class vector an image.
    """
    asked = images.detach().requires_grad_()
    (slopes,) = torch.autograd.grad(_signed_sum(network(asked), signs), asked)
    slopes = slopes.to(torch.promote_types(slopes.dtype, torch.float32))
    pixels = signs.shape[1] * signs.shape[2]
    excess = slopes.square().flatten(1).sum(dim=1) / pixels - 1.0
    direction = slopes * (4.0 / pixels * excess).view(-1, 1, 1, 1)
    with forward_ad.dual_level():
        both = network(forward_ad.make_dual(images, direction.to(images.dtype)))
        log_kernels = forward_ad.unpack_dual(both).primal
        change = forward_ad.unpack_dual(_signed_sum(both, signs)).tangent
    assert change is not None
    return log_kernels, excess.square().sum() + (change - change.detach())


def _signed_sum(log_kernels: Tensor, signs: Tensor) -> Tensor:
    kernels = log_kernels.to(torch.promote_types(log_kernels.dtype, torch.float32)).exp()
    return (kernels.sum(dim=1) * signs.to(kernels.dtype)).sum()


def random_signs(
    key: Sequence[int], images: Iterable[int], size: Sequence[int], device: torch.device
) -> Tensor:
    """(B, H, W) float32 of -1 and 1, which depend on the key and on each image's number alone."""
    return torch.stack([_signs((*key, image), size, device) for image in images])


def _signs(key: Sequence[int], size: Sequence[int], device: torch.device) -> Tensor:
    seed = int(np.random.SeedSequence(tuple(key)).generate_state(1, np.uint32)[0])
    generator = torch.Generator(device).manual_seed(seed)
    return torch.randint(0, 2, tuple(size), generator=generator, device=device) * 2.0 - 1.0
