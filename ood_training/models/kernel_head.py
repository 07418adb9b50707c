"""A head of one radial basis kernel a class (deterministic uncertainty quantification)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from ood_perception.errors import OodError
from ood_training.evidence import Evidence
from ood_training.models.network import SegmentationNetwork

# Below this a class that no batch shows stops to fade: its centroid, a quotient, would become 0/0.
_LEAST_COUNT = 1e-6
_FIRST_DEVIATION = 0.05


@dataclass(frozen=True)
class KernelSettings:
    """Of a kernel head.

    kernel_features: m, the numbers that a class makes of a place's features.
    length_scale: sigma of the kernels.
    momentum: gamma in [0, 1) of the centroids' moving average.

    Raises OodError for values outside of these.
    """

    kernel_features: int = 32
    length_scale: float = 0.3
    momentum: float = 0.99

    def __post_init__(self) -> None:
        if self.kernel_features < 1:
            raise OodError(f"kernel_features is {self.kernel_features}: at least 1 is needed")
        if not self.length_scale > 0:
            raise OodError(f"length_scale is {self.length_scale}: it must be above 0")
        if not 0 <= self.momentum < 1:
            raise OodError(f"momentum is {self.momentum}: it must be from 0 to less than 1")


class KernelHead(nn.Module):
    """ln K_c of each place, K_c = exp(-mean((W_c f - e_c)^2) / (2 sigma^2)), e_c = m_c / n_c.

    Args:
        num_classes: C.
        in_channels: D, of the features f.
        settings: m, sigma and gamma.

    The parameter ``weights`` (C, m, D) holds W. The buffers ``counts`` (C,), n, and ``sums``
    (C, m), m_c, change by ``update_centroids`` alone; no gradient reaches them. They begin as one
    pixel a class at random places near 0.

    Shape: (B, D, h, w) -> (B, C, h, w), at most 0, of the parameter's type under any autocast.

    Source: van Amersfoort et al., Uncertainty Estimation Using a Single Deep Deterministic Neural
    Network, ICML 2020, section 3, for each place of a feature map.
    """

    counts: Tensor
    sums: Tensor

    def __init__(self, num_classes: int, in_channels: int, settings: KernelSettings) -> None:
        super().__init__()
        self.length_scale, self.momentum = settings.length_scale, settings.momentum
        classes, features = num_classes, settings.kernel_features
        deviation = math.sqrt(2.0 / in_channels)
        self.weights = nn.Parameter(torch.randn(classes, features, in_channels) * deviation)
        self.register_buffer("counts", torch.ones(classes))
        self.register_buffer("sums", torch.randn(classes, features) * _FIRST_DEVIATION)

    @property
    def centroids(self) -> Tensor:
        """e (C, m)."""
        return self.sums / self.counts.unsqueeze(1)

    def forward(self, features: Tensor) -> Tensor:
        with torch.autocast(features.device.type, enabled=False):
            kernels = self.weights.reshape(-1, self.weights.shape[2], 1, 1)
            if features.dtype != kernels.dtype:
                features = features.to(kernels.dtype)
            away = functional.conv2d(features, kernels, -self.centroids.reshape(-1))
            # class by class and not by a reshape, whose sizes an exported graph would work out
            # for every batch anew
            parts = (away * away).split(self.weights.shape[1], dim=1)
            means = torch.cat([part.mean(dim=1, keepdim=True) for part in parts], dim=1)
            return means * (-0.5 / self.length_scale**2)

    @torch.no_grad()
    def update_centroids(self, counts: Tensor, feature_sums: Tensor) -> None:
        """n_c <- gamma n_c + (1 - gamma) count_c, m_c <- gamma m_c + (1 - gamma) W_c sum_c f.

        Args:
            counts (C,), feature_sums (C, D): of a batch, from ``class_sums``. W_c of the sum is the
                sum of W_c f, so that parts of a batch may be added before.

        A class without pixels keeps its centroid.
        """
        counts, feature_sums = counts.to(self.counts), feature_sums.to(self.sums)
        sums = torch.einsum("cmd,cd->cm", self.weights, feature_sums)
        changes = (counts > 0) | (self.counts > _LEAST_COUNT)
        kept = torch.where(changes, self.momentum, 1.0)
        self.counts.mul_(kept).add_(counts, alpha=1 - self.momentum)
        self.sums.mul_(kept.unsqueeze(1)).add_(sums, alpha=1 - self.momentum)


@torch.no_grad()
def class_sums(features: Tensor, labels: Tensor, num_classes: int) -> tuple[Tensor, Tensor]:
    """Pixels and sum of features of every class, (C,) and (C, D) float32.

    Args:
        features: (B, D, h, w) float.
        labels: (B, H, W) integer class ids, 254 or 255; a place has the label of the pixel nearest
            to it when the corners are aligned, and the two values that are no class are left out.
    """
    height, width = features.shape[-2:]
    rows, columns = (
        torch.linspace(0, long - 1, short, device=labels.device).round().long()
        for long, short in zip(labels.shape[-2:], (height, width), strict=True)
    )
    small = labels[:, rows][:, :, columns].long().reshape(-1)
    one_hot = functional.one_hot(small.clamp(max=num_classes), num_classes + 1)[:, :num_classes]
    member = one_hot.float()
    flat = features.detach().float().permute(0, 2, 3, 1).reshape(len(small), -1)
    return member.sum(dim=0), member.T @ flat


def install_kernel_head(network: SegmentationNetwork, settings: KernelSettings) -> None:
    """Put a kernel head in the place of a network's one linear head; its logits are then ln K."""
    (name,) = network.head_modules
    linear = network.get_submodule(name)
    if not isinstance(linear, nn.Conv2d):
        raise OodError(f"the head {name!r} is no linear one: it cannot become kernels")
    parent, _, last = name.rpartition(".")
    head = KernelHead(network.num_classes, linear.in_channels, settings)
    setattr(network.get_submodule(parent), last, head)
    network.evidence = Evidence("kernels")


def kernel_head(network: SegmentationNetwork) -> KernelHead | None:
    """The kernel head of a network, None where its head is linear."""
    heads = [module for module in network.modules() if isinstance(module, KernelHead)]
    return heads[0] if heads else None
