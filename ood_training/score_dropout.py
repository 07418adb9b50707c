"""Monte-Carlo dropout: the entropy of the mean softmax of several runs; for comparison only.

It runs the network many times for one image, so there is no graph and no bundle of it. Reference:
Gal and Ghahramani, Dropout as a Bayesian Approximation, ICML 2016.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pytorch_ood.detector import MCD
from torch import Tensor, nn
from torch.nn import functional

from ood_perception.bundle import sha256
from ood_perception.errors import OodError
from ood_perception.letterbox import Letterbox
from ood_perception.scores import normalized_entropy_of_probabilities
from ood_training.evaluation import network_input
from ood_training.export import load_trained_network
from ood_training.grid_network import GridNetwork, plane_to_image
from ood_training.models import SegmentationNetwork
from ood_training.score_source import ScoredFrame

_LAYERS = (nn.Dropout, nn.Dropout2d)


class DropoutScores:
    """A score source: a checkpoint's network with its dropout layers active, averaged."""

    needs_image = True
    has_meta_classifier = False
    score_name = "mc_dropout"

    def __init__(
        self, path: Path, input_size: tuple[int, int] = (576, 1024), samples: int = 8
    ) -> None:
        """Load the network, onto a GPU where there is one.

        samples: runs for each image. Raises OodError for a file that is no checkpoint, a network
        without dropout, and fewer than 2 samples.
        """
        if samples < 2:
            raise OodError(f"Monte-Carlo dropout of {samples} samples: take at least 2")
        network, classes = load_trained_network(path)
        if not any(isinstance(one, _LAYERS) and one.p > 0 for one in network.modules()):
            raise OodError(f"{path}: the network has no dropout, so every run would be the same")
        self.classes: tuple[str, ...] | None = classes
        self.model = f"{path.stem}-{sha256(path.read_bytes())[:12]}"
        self._samples = samples
        self._fitting = GridNetwork(network, input_size)
        self._sampled = _OnGrid(network, self._fitting.grid).eval().to(self._fitting.device)

    def score_frame(self, frame_id: str, image: NDArray[np.uint8] | None) -> ScoredFrame:
        """Run the network on (H, W, 3) uint8 BGR; the same image gives the same score again."""
        assert image is not None
        letterbox = self._fitting.letterbox(image)
        probabilities = self._mean_softmax(letterbox, image)
        if not np.isfinite(probabilities).all():
            raise OodError(f"{self.model} gave scores that are no numbers on frame {frame_id}")
        score = normalized_entropy_of_probabilities(probabilities)
        return ScoredFrame(
            np.clip(plane_to_image(letterbox, score), 0.0, 1.0),
            plane_to_image(letterbox, probabilities.argmax(axis=0).astype(np.uint8)),
        )

    def _mean_softmax(self, letterbox: Letterbox, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(C, gh, gw) mean probabilities of all runs."""
        device = self._fitting.device
        planes = network_input(letterbox.apply(image)[0], self._sampled.network).to(device)
        devices = [device] if device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(0)
            mean: Tensor = MCD.run_mean(self._sampled, planes, self._samples)
        return np.asarray(mean[0].cpu().numpy(), np.float32)


class _OnGrid(nn.Module):
    """A network's logits on the grid."""

    def __init__(self, network: SegmentationNetwork, grid: tuple[int, int]) -> None:
        super().__init__()
        self.network, self.grid = network, grid

    def forward(self, planes: Tensor) -> Tensor:
        logits = self.network.evidence.log_evidence(self.network.small_logits(planes))
        return functional.interpolate(logits, size=self.grid, mode="bilinear", align_corners=True)
