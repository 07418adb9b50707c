"""A score by name, made ready for a checkpoint: from what a user asks for to a calibrated score."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from ood_perception.command_line import progress_bar
from ood_perception.errors import OodError
from ood_perception.manifest import BOUNDED_SCORES, ScoreName, ScoreSpec
from ood_training.configuration import TrainingConfiguration, load_training_configuration
from ood_training.evidence import EvidenceKind
from ood_training.export import ENTROPY, load_trained_network
from ood_training.grid_network import GridNetwork
from ood_training.sampler import open_frames
from ood_training.score_calibration import (
    CalibratedScore,
    Frames,
    LabelledFrame,
    calibrate_score,
)
from ood_training.training.validation import Validation

SCORE_NAMES: tuple[ScoreName, ...] = get_args(ScoreName)
_TRAINING_FRAMES = 100


@dataclass(frozen=True)
class ScoreRequest:
    """What a user asks for.

    name: one of ``SCORE_NAMES``. threshold: instead of the calibrated one; without a calibration
    0.7 when None. calibrate_on: a training configuration, or None for scores that need none.
    """

    name: str = "entropy"
    smoothing_cells: float = 0.0
    threshold: float | None = None
    calibrate_on: Path | None = None


def score_for_export(
    request: ScoreRequest,
    checkpoint: Path,
    input_size: tuple[int, int],
    grid_size: tuple[int, int] | None = None,
) -> CalibratedScore:
    """The complete score of a checkpoint's network.

    Raises OodError for an unknown name, one that does not go with the network, a missing
    calibration, and what the calibration's data raise.
    """
    name = checked_name(request.name)
    network, classes = load_trained_network(checkpoint)
    check_evidence(name, network.evidence.kind)
    if request.calibrate_on is None:
        if name not in BOUNDED_SCORES:
            raise OodError(
                f"the score {name} has no range of its own: name a training configuration with "
                "--calibrate-on"
            )
        threshold = request.threshold
        if threshold is None:
            if name != "entropy":
                raise OodError(
                    f"the score {name} has no usual threshold: give --threshold, or a training "
                    "configuration with --calibrate-on"
                )
            threshold = ENTROPY.threshold
        spec = ScoreSpec(name=name, threshold=threshold, smoothing_cells=request.smoothing_cells)
        return CalibratedScore(spec)
    settings = load_training_configuration(request.calibrate_on)
    calibrated = calibrate_score(
        GridNetwork(network, input_size, grid_size),
        name,
        lambda: training_frames(settings, classes),
        mixed_frames(settings, classes),
        smoothing_cells=request.smoothing_cells,
        calibrated_on=f"frames of {settings.name}",
    )
    if request.threshold is None:
        return calibrated
    words = f"{calibrated.spec.calibrated_on}; the threshold was given"
    changes = {"threshold": request.threshold, "calibrated_on": words}
    spec = calibrated.spec.model_copy(update=changes)
    return CalibratedScore(spec, calibrated.features)


def checked_name(name: str) -> ScoreName:
    """The name itself; OodError lists the known ones for any other."""
    for known in SCORE_NAMES:
        if name == known:
            return known
    raise OodError(f"unknown score {name!r}: known are {', '.join(SCORE_NAMES)}")


def check_evidence(name: ScoreName, kind: EvidenceKind) -> None:
    """Raises OodError for a score that means nothing of logits of this kind."""
    if (name == "kernel_distance") != (kind == "kernels") and name != "mahalanobis":
        raise OodError(
            f"the score {name} does not go with a network of {kind}: "
            + ("take kernel_distance" if kind == "kernels" else "it needs a head of kernels")
        )


def training_frames(settings: TrainingConfiguration, classes: tuple[str, ...]) -> Frames:
    """Up to 100 whole frames, evenly taken from the sources of a training."""
    sources = [open_frames(source, settings.data_root) for source in settings.sources]
    for frames in sources:
        if frames.label_map.classes != classes:
            raise OodError(
                f"{settings.name}: {frames.name} has other classes than the checkpoint: calibrate "
                "on the configuration that it was trained with"
            )
    each = max(1, _TRAINING_FRAMES // len(sources))
    chosen = [frames.every(max(1, math.ceil(len(frames) / each))) for frames in sources]

    def load() -> Iterator[LabelledFrame]:
        return (frames.load(number) for frames in chosen for number in range(len(frames)))

    return _WithProgress(load, sum(map(len, chosen)), "statistics")


def mixed_frames(settings: TrainingConfiguration, classes: tuple[str, ...]) -> Frames:
    """The validation frames of a training, with unknown objects where it pastes some."""
    if settings.validation is None:
        raise OodError(f"{settings.name} has no validation to calibrate a threshold on")
    validation = Validation(settings.validation, settings, classes)
    return _WithProgress(validation.frames, validation.count, "threshold")


class _WithProgress:
    """Frames that may be run through again, and say how many are done."""

    def __init__(
        self, frames: Callable[[], Iterable[LabelledFrame]], count: int, text: str
    ) -> None:
        self._frames, self._count, self._text = frames, count, text

    def __iter__(self) -> Iterator[LabelledFrame]:
        with progress_bar() as bar:
            yield from bar.track(self._frames(), total=self._count, description=self._text)
