"""Monte-Carlo dropout averages the probabilities of different runs, and repeats itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ood_perception.errors import OodError
from ood_perception.scores import normalized_entropy_of_probabilities
from ood_training import score_dropout
from ood_training.models import SegmentationNetwork, create_model
from ood_training.score_dropout import DropoutScores


class _Coin(SegmentationNetwork):
    """One class or the other with the whole picture, as its only dropout channel is kept or not."""

    def __init__(self) -> None:
        super().__init__(2, (0, 0, 0), (1, 1, 1))
        self.dropout = nn.Dropout2d(0.5)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        return self.dropout(torch.ones_like(image[:, :1, ::2, ::2]))

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return torch.cat([100 * (features - 1), 100 * (1 - features)], dim=1)


def _source(
    monkeypatch: pytest.MonkeyPatch, path: Path, network: nn.Module, samples: int
) -> object:
    path.write_bytes(b"weights")
    monkeypatch.setattr(
        score_dropout, "load_trained_network", lambda path: (network.eval(), ("road", "tree"))
    )
    return DropoutScores(path, (32, 64), samples)


def test_the_score_is_the_entropy_of_the_mean_of_the_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each run is sure of one class, so the mean is a share of runs and its entropy above 0."""
    source = _source(monkeypatch, tmp_path / "x.safetensors", _Coin(), 8)
    image = np.full((32, 64, 3), 90, np.uint8)
    first, second = (source.score_frame("0", image) for _ in range(2))
    assert np.array_equal(first.score, second.score), "the same image, the same score"
    value = float(first.score[5, 5])
    assert first.score == pytest.approx(value)
    shares = np.arange(1, 8) / 8
    possible = normalized_entropy_of_probabilities(np.stack([shares, 1 - shares]))
    assert min(abs(possible - value)) < 1e-5
    assert not source._sampled.training


def test_what_cannot_be_sampled_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.safetensors"
    with pytest.raises(OodError, match="has no dropout, so every run would be the same"):
        _source(monkeypatch, path, create_model("tiny_unet", 2), 8)
    with pytest.raises(OodError, match="take at least 2"):
        _source(monkeypatch, path, _Coin(), 1)
