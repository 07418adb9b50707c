"""Scores of a checkpoint, computed by PyTorch as the exported bundle would."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ood_perception.bundle import sha256
from ood_perception.errors import OodError
from ood_training.deployed_score import RawScore
from ood_training.export import load_trained_network
from ood_training.grid_network import GridNetwork
from ood_training.score_source import ScoredFrame


class CheckpointScores:
    """A score source: the classes of a checkpoint of `ood train`, and the score of its evidence.

    That is the entropy of a softmax, the energy of one-vs-rest (as it is, without a range), the
    distance of kernels.

    The image is fitted into the network's input and the grid's score and labels are brought back to
    its size by the letterbox of the vehicle's detector; the grid is half the input, as in an
    exported bundle.
    """

    needs_image = True
    has_meta_classifier = False

    def __init__(self, path: Path, input_size: tuple[int, int] = (576, 1024)) -> None:
        """Load the network, onto a GPU where there is one.

        input_size: height and width of the network's input, multiples of 16. Raises OodError for a
        file that is no checkpoint and for sides that do not fit.
        """
        network, classes = load_trained_network(path)
        self.classes: tuple[str, ...] | None = classes
        self.model = f"{path.stem}-{sha256(path.read_bytes())[:12]}"
        self._network = GridNetwork(network, input_size)
        self._score = RawScore.of_evidence(network.evidence.kind).eval().to(self._network.device)
        self.score_name: str = self._score.name

    def score_frame(self, frame_id: str, image: NDArray[np.uint8] | None) -> ScoredFrame:
        """Run the network on (H, W, 3) uint8 BGR; OodError when it gives no numbers."""
        assert image is not None
        try:
            view = self._network.look(image)
        except OodError as error:
            raise OodError(f"{self.model}, frame {frame_id}: {error}") from error
        with torch.inference_mode():
            score = self._score(view.logits, view.features)[0].cpu().numpy()
            labels = view.logits[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
        return ScoredFrame(
            view.letterbox.to_image(view.valid(score), cv2.INTER_LINEAR),
            view.letterbox.to_image(view.valid(labels), cv2.INTER_NEAREST),
        )
