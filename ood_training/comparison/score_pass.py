"""Several anomaly scores of a frame from one run of the network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_perception.manifest import ScoreName, ScoreSpec
from ood_training.configuration import TrainingConfiguration
from ood_training.deployed_score import RawScore
from ood_training.export import load_trained_network
from ood_training.grid_network import GridNetwork
from ood_training.score_calibration import feature_statistics, logit_statistics
from ood_training.score_request import check_evidence, training_frames
from ood_training.score_source import ScoreSource


class SeenFrame(NamedTuple):
    """One frame at the image's size.

    scores: name -> (H, W) floats, higher = stranger. labels: (H, W) uint8 class ids, or None.
    """

    scores: dict[str, NDArray[Any]]
    labels: NDArray[np.uint8] | None


class ScorePass(Protocol):
    """Looks at one frame after another. classes: names by id of the labels, or None."""

    classes: tuple[str, ...] | None

    def look(self, frame_id: str, image: NDArray[np.uint8]) -> SeenFrame:
        """All scores of (H, W, 3) uint8 BGR."""
        ...


class CheckpointPass:
    """Any scores of a checkpoint, without the range of a bundle: what counts is their order."""

    def __init__(
        self,
        path: Path,
        input_size: tuple[int, int],
        names: Sequence[ScoreName],
        base: TrainingConfiguration | None,
    ) -> None:
        """Load the network, and fit what the scores need on the training frames of ``base``.

        Raises OodError for a file that is no checkpoint, a score that does not go with its network,
        and one that needs a base where there is none.
        """
        network, classes = load_trained_network(path)
        self.classes: tuple[str, ...] | None = classes
        self._path = path
        self._network = GridNetwork(network, input_size)
        self._scores = {}
        for name in names:
            check_evidence(name, network.evidence.kind)
            score = _raw_score(name, self._network, base, classes)
            self._scores[name] = score.eval().to(self._network.device)

    def look(self, frame_id: str, image: NDArray[np.uint8]) -> SeenFrame:
        """All scores of (H, W, 3) uint8 BGR; OodError when the network gives no numbers."""
        try:
            view = self._network.look(image)
        except OodError as error:
            raise OodError(f"{self._path}, frame {frame_id}: {error}") from error
        letterbox = view.letterbox
        with torch.inference_mode():
            scores = {
                name: score(view.logits, view.features)[0].cpu().numpy()
                for name, score in self._scores.items()
            }
            labels = view.logits[0].argmax(dim=0).to(torch.uint8).cpu().numpy()
        return SeenFrame(
            {
                name: letterbox.to_image(view.valid(score), cv2.INTER_LINEAR)
                for name, score in scores.items()
            },
            letterbox.to_image(view.valid(labels), cv2.INTER_NEAREST),
        )


class SourcePass:
    """The one score of a source: a bundle's, or that of Monte-Carlo dropout."""

    def __init__(self, source: ScoreSource) -> None:
        self._source = source
        self.classes = source.classes

    def look(self, frame_id: str, image: NDArray[np.uint8]) -> SeenFrame:
        """The score of (H, W, 3) uint8 BGR, as the source gives it."""
        seen = self._source.score_frame(frame_id, image)
        return SeenFrame({self._source.score_name: seen.score}, seen.labels)


def _raw_score(
    name: ScoreName,
    network: GridNetwork,
    base: TrainingConfiguration | None,
    classes: tuple[str, ...],
) -> RawScore:
    spec, features = ScoreSpec.model_construct(name=name, threshold=0.5), None
    if name in ("standardized_max_logit", "mahalanobis"):
        if base is None:
            raise OodError(f"the score {name} has statistics of training frames: name a base")
        frames = training_frames(base, classes)
        if name == "mahalanobis":
            features = feature_statistics(network, frames)
        else:
            found = logit_statistics(network, frames)
            spec = spec.model_copy(update={"logit_statistics": found})
    return RawScore(spec, features)
