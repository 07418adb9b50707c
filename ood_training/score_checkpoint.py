"""Scores of a checkpoint, computed by PyTorch as the exported bundle would."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from ood_perception.bundle import sha256
from ood_perception.errors import OodError
from ood_perception.manifest import ScoreName, ScoreSpec
from ood_training.configuration import TrainingConfiguration
from ood_training.deployed_score import DEFAULT_SCORES, RawScore
from ood_training.export import load_trained_network
from ood_training.grid_network import GridNetwork, plane_to_image
from ood_training.score_calibration import Frames, with_statistics
from ood_training.score_request import check_evidence, training_frames
from ood_training.score_source import ScoredFrame, SeenFrame


class CheckpointScores:
    """A score source: the classes of a checkpoint of `ood train`, and any of its scores.

    Scores are without the range of a bundle: what counts is their order. The image is fitted into
    the network's input and the grid's scores and labels are brought back to its size by the
    letterbox of the vehicle's detector; the grid is half the input, as in an exported bundle.
    """

    needs_image = True
    has_meta_classifier = False

    def __init__(
        self,
        path: Path,
        input_size: tuple[int, int] = (576, 1024),
        names: Sequence[ScoreName] | None = None,
        base: TrainingConfiguration | None = None,
    ) -> None:
        """Load the network, onto a GPU where there is one, and fit what the scores need.

        input_size: height and width of the network's input, multiples of 16. names: the scores;
        when None, that of the network's evidence: the entropy of a softmax, the energy of
        one-vs-rest, the distance of kernels. base: whose training frames give statistics.
        Raises OodError for a file that is no checkpoint, sides that do not fit, a score that does
        not go with the network, and one that needs a base where there is none.
        """
        network, classes = load_trained_network(path)
        self.classes: tuple[str, ...] | None = classes
        self.model = f"{path.stem}-{sha256(path.read_bytes())[:12]}"
        self._network = GridNetwork(network, input_size)
        kind = network.evidence.kind
        self._scores: dict[str, RawScore] = {}
        for name in (DEFAULT_SCORES[kind],) if names is None else names:
            check_evidence(name, kind)
            score = _fitted(name, self._network, base, classes)
            self._scores[name] = score.eval().to(self._network.device)
        self.score_name: str = next(iter(self._scores), "")

    def look(self, frame_id: str, image: NDArray[np.uint8]) -> SeenFrame:
        """All scores of (H, W, 3) uint8 BGR; OodError when the network gives no numbers."""
        try:
            view = self._network.look(image)
        except OodError as error:
            raise OodError(f"{self.model}, frame {frame_id}: {error}") from error
        with torch.inference_mode():
            scores = {
                name: score(view.logits, view.features)[0].cpu().numpy()
                for name, score in self._scores.items()
            }
            labels = view.logits[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
        return SeenFrame(
            {name: plane_to_image(view.letterbox, score) for name, score in scores.items()},
            plane_to_image(view.letterbox, labels),
        )

    def score_frame(self, frame_id: str, image: NDArray[np.uint8] | None) -> ScoredFrame:
        """The first score of (H, W, 3) uint8 BGR alone; raises as ``look``."""
        assert image is not None
        seen = self.look(frame_id, image)
        return ScoredFrame(seen.scores[self.score_name], seen.labels)


def _fitted(
    name: ScoreName,
    network: GridNetwork,
    base: TrainingConfiguration | None,
    classes: tuple[str, ...],
) -> RawScore:
    def frames() -> Frames:
        if base is None:
            raise OodError(f"the score {name} has statistics of training frames: name a base")
        return training_frames(base, classes)

    spec = ScoreSpec.model_construct(name=name, threshold=0.5)
    fitted = with_statistics(network, spec, frames)
    return RawScore(fitted.spec, fitted.features)
