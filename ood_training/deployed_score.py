"""The anomaly score of a manifest as a part of the deployed graph."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from ood_perception.errors import OodError
from ood_perception.manifest import ScoreName, ScoreSpec
from ood_perception.scores import smoothing_weights
from ood_training.evidence import EvidenceKind
from ood_training.feature_distance import FeatureStatistics


def normalized_entropy(logits: Tensor) -> Tensor:
    """(N, h, w) softmax entropy over ln C of (N, C, h, w) logits.

    With s = logits less their largest and Z = sum exp(s): ln Z - sum(s exp(s)) / Z. That is the
    entropy without a softmax over the channels, the slowest part of the graph on a processor.
    """
    shifted = logits - logits.amax(dim=1, keepdim=True)
    exponentials = shifted.exp()
    total = exponentials.sum(dim=1)
    entropy = total.log() - (exponentials * shifted).sum(dim=1) / total
    # rounding lifts a uniform softmax slightly above 1
    return (entropy / math.log(logits.shape[1])).clamp(0.0, 1.0)


def max_softmax(logits: Tensor) -> Tensor:
    """1 - max_c p_c of (N, C, h, w) logits."""
    return 1.0 - 1.0 / (logits - logits.amax(dim=1, keepdim=True)).exp().sum(dim=1)


def max_logit(logits: Tensor) -> Tensor:
    """-max_c z_c of (N, C, h, w) logits."""
    return -logits.amax(dim=1)


def energy(logits: Tensor) -> Tensor:
    """-ln sum_c exp z_c of (N, C, h, w) logits."""
    largest = logits.amax(dim=1, keepdim=True)
    return -(largest[:, 0] + (logits - largest).exp().sum(dim=1).log())


def max_min_logit(logits: Tensor) -> Tensor:
    """min_c z_c - max_c z_c of (N, C, h, w) logits."""
    return logits.amin(dim=1) - logits.amax(dim=1)


def kernel_distance(log_kernels: Tensor) -> Tensor:
    """1 - max_c K_c of (N, C, h, w) logarithms of kernels."""
    return (1.0 - log_kernels.amax(dim=1).exp()).clamp(0.0, 1.0)


_OF_LOGITS: dict[str, Callable[[Tensor], Tensor]] = {
    "entropy": normalized_entropy,
    "max_softmax": max_softmax,
    "max_logit": max_logit,
    "energy": energy,
    "max_min_logit": max_min_logit,
    "kernel_distance": kernel_distance,
}


DEFAULT_SCORES: dict[EvidenceKind, ScoreName] = {
    "softmax": "entropy",
    "sigmoids": "energy",
    "kernels": "kernel_distance",
}
"""What a network is measured by where nothing else is asked for."""


class RawScore(nn.Module):
    """The formula alone, higher = stranger.

    forward: logits (N, C, h, w) on the grid, features (N, D, h', w') at the decoder's stride ->
    (N, h, w). Only ``mahalanobis`` looks at the features; its distances are brought to the grid
    bilinearly with aligned corners, as the logits are.
    """

    def __init__(self, spec: ScoreSpec, features: FeatureStatistics | None = None) -> None:
        """Raises OodError for mahalanobis without feature statistics."""
        super().__init__()
        self.name = spec.name
        self.means: Tensor
        self.gains: Tensor
        if spec.logit_statistics is not None:
            found = spec.logit_statistics
            self.register_buffer("means", torch.tensor(found.means))
            self.register_buffer("gains", 1.0 / torch.tensor(found.deviations))
        if self.name == "mahalanobis":
            if features is None:
                raise OodError("the score mahalanobis needs feature statistics: calibrate it")
            self.distance = features.as_module()

    @classmethod
    def of_evidence(cls, kind: EvidenceKind) -> RawScore:
        """The default score of a network with this evidence."""
        return cls(ScoreSpec.model_construct(name=DEFAULT_SCORES[kind], threshold=0.5))

    def forward(self, logits: Tensor, features: Tensor) -> Tensor:
        if self.name == "mahalanobis":
            small = self.distance(features).unsqueeze(1)
            grown = functional.interpolate(
                small, size=logits.shape[-2:], mode="bilinear", align_corners=True
            )
            return grown.squeeze(1)
        if self.name == "standardized_max_logit":
            return self._standardized(logits)
        return _OF_LOGITS[self.name](logits)

    def _standardized(self, logits: Tensor) -> Tensor:
        largest, best = logits.max(dim=1)
        return (self.means[best] - largest) * self.gains[best]


class DeployedScore(nn.Module):
    """The whole of a ``ScoreSpec``: formula, smoothing, range. forward: as ``RawScore``, [0, 1]."""

    def __init__(
        self, spec: ScoreSpec, grid: tuple[int, int], features: FeatureStatistics | None = None
    ) -> None:
        super().__init__()
        self.raw = RawScore(spec, features)
        self.unit_range = spec.unit_range
        self.smooths = spec.smoothing_cells > 0
        self.weights: Tensor
        self.gain: Tensor
        if self.smooths:
            weights = torch.from_numpy(smoothing_weights(spec.smoothing_cells)).float()
            self.register_buffer("weights", weights)
            ones = torch.ones(1, 1, *grid)
            # at a border only what is inside counts
            self.register_buffer("gain", 1.0 / self._blurred(ones))

    def forward(self, logits: Tensor, features: Tensor) -> Tensor:
        score = self.smoothed(logits, features)
        if self.unit_range is None:
            return score.clamp(0.0, 1.0)
        return torch.sigmoid((score - self.unit_range.center) / self.unit_range.scale)

    def smoothed(self, logits: Tensor, features: Tensor) -> Tensor:
        """The score before it comes into range."""
        score = self.raw(logits, features)
        if self.smooths:
            score = (self._blurred(score.unsqueeze(1)) * self.gain).squeeze(1)
        return score

    def _blurred(self, score: Tensor) -> Tensor:
        radius = len(self.weights) // 2
        along_rows = functional.conv2d(score, self.weights.view(1, 1, 1, -1), padding=(0, radius))
        return functional.conv2d(along_rows, self.weights.view(1, 1, -1, 1), padding=(radius, 0))
