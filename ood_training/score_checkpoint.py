"""Scores of a checkpoint, computed by PyTorch exactly as the exported bundle would."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ood_perception.bundle import NetworkSpec, sha256
from ood_perception.errors import OodError
from ood_perception.letterbox import Letterbox
from ood_training.export import DeployedNetwork, load_trained_network
from ood_training.score_source import ScoredFrame


class CheckpointScores:
    """A score source: softmax entropy and classes of a checkpoint of `ood train`.

    The image is fitted into the network's input and the grid's score and labels are brought back to
    its size by the letterbox of the vehicle's detector; the grid is half the input, as in an
    exported bundle.
    """

    score_name = "entropy"
    needs_image = True
    has_meta_classifier = False

    def __init__(self, path: Path, input_size: tuple[int, int] = (576, 1024)) -> None:
        """Load the network, onto a GPU where there is one.

        input_size: height and width of the network's input, multiples of 16. Raises OodError for a
        file that is no checkpoint and for sides that do not fit.
        """
        height, width = input_size
        if height % 16 or width % 16 or min(input_size) < 32:
            raise OodError(f"input size {height}x{width}: sides must be multiples of 16, from 32")
        network, classes = load_trained_network(path)
        self.classes: tuple[str, ...] | None = classes
        self.model = f"{path.stem}-{sha256(path.read_bytes())[:12]}"
        grid = (height // 2, width // 2)
        self._spec = NetworkSpec.of_sizes(input_size, grid)
        self._device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self._network = DeployedNetwork(network, grid).eval().to(self._device)

    def score_frame(self, frame_id: str, image: NDArray[np.uint8] | None) -> ScoredFrame:
        """Run the network on (H, W, 3) uint8 BGR; OodError when it gives no numbers."""
        assert image is not None
        letterbox = Letterbox.fit(self._spec, *image.shape[:2])
        with torch.inference_mode():
            tensor = torch.from_numpy(letterbox.apply(image)).to(self._device)
            labels, score = (output[0].cpu().numpy() for output in self._network(tensor)[:2])
        if not np.isfinite(score).all():
            raise OodError(f"{self.model} gave scores that are no numbers on frame {frame_id}")
        rows, columns = letterbox.valid_rows, letterbox.valid_columns
        return ScoredFrame(
            np.clip(letterbox.to_image(score[:rows, :columns], cv2.INTER_LINEAR), 0.0, 1.0),
            letterbox.to_image(labels[:rows, :columns], cv2.INTER_NEAREST),
        )
