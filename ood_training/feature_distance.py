"""How far features lie from the classes of the training set: the Mahalanobis distance."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from ood_perception.errors import OodError

_RIDGE = 1e-3
"""Of the channels' mean variance."""


@dataclass(frozen=True, eq=False)
class FeatureStatistics:
    """Of the features of known pixels.

    centers: (K, D) float64, one a class that occurred. precision: (D, D) float64, the inverse of
    the covariance that the classes share, with a thousandth of its mean variance added to each
    channel's.
    """

    centers: Tensor
    precision: Tensor

    @classmethod
    def fit(cls, features: Tensor, classes: Tensor) -> FeatureStatistics:
        """Of (n, D) features and their (n,) classes, with the library pytorch-ood.

        Raises OodError for fewer pixels than features have dimensions.
        """
        from pytorch_ood.detector import Mahalanobis

        if len(features) <= features.shape[1]:
            raise OodError(
                f"{len(features)} pixels are too few for features of {features.shape[1]} channels"
            )
        # the library wants classes without gaps
        _, consecutive = classes.unique(return_inverse=True)
        torch_default = torch.get_default_dtype()
        torch.set_default_dtype(torch.float64)
        try:
            found = Mahalanobis(None).fit_features(features.double(), consecutive)
        finally:
            torch.set_default_dtype(torch_default)
        covariance = found.cov / len(features)
        # the library's own ridge is next to nothing: a channel that was still in training would
        # decide alone in the vehicle
        ridge = _RIDGE * covariance.diagonal().mean().clamp_min(1e-12)
        covariance += ridge * torch.eye(len(covariance), dtype=covariance.dtype)
        return cls(found.mu, torch.linalg.inv(covariance))

    def distances(self, features: Tensor) -> Tensor:
        """(n,) least squared distances to a class of (n, D) features, both float64."""
        differences = features[:, None] - self.centers[None]
        squared = torch.einsum("nkd,de,nke->nk", differences, self.precision, differences)
        return squared.amin(dim=1)

    def as_module(self) -> nn.Module:
        """(N, D, h, w) features -> (N, h, w): the least squared distance to a class."""
        return _NearestCenter(self.centers, self.precision)


class _NearestCenter(nn.Module):
    """min_k (f - mu_k)^T P (f - mu_k), as the length of whitened differences: with P = L L^T it is
    |L^T f - L^T mu_k|^2, one 1x1 convolution and one product with the centres."""

    def __init__(self, centers: Tensor, precision: Tensor) -> None:
        super().__init__()
        self.whitening: Tensor
        self.centers: Tensor
        self.offsets: Tensor
        # centred on the classes' mean, or the large common part would cost float32 its digits
        middle = centers.mean(dim=0)
        root = torch.linalg.cholesky(precision)
        whitened = (centers - middle) @ root
        self.register_buffer("whitening", root.T.float()[..., None, None].contiguous())
        self.register_buffer("shift", -(middle @ root).float())
        self.register_buffer("centers", whitened.float()[..., None, None].contiguous())
        self.register_buffer("offsets", whitened.square().sum(dim=1).float())
        self.shift: Tensor

    def forward(self, features: Tensor) -> Tensor:
        own = functional.conv2d(features, self.whitening, self.shift)
        to_centers = functional.conv2d(own, -2.0 * self.centers, self.offsets)
        nearest = own.square().sum(dim=1) + to_centers.amin(dim=1)
        return nearest.clamp_min(0.0)
