"""What a data set is, by its bytes."""

from __future__ import annotations

import hashlib

from ood_perception.command_line import progress_bar
from ood_training.comparison.configuration import ComparisonConfiguration
from ood_training.comparison.record import file_hash
from ood_training.datasets.frames import FrameDataset
from ood_training.evaluation_run import open_evaluation_data


def data_hashes(comparison: ComparisonConfiguration) -> dict[str, str]:
    """Of every evaluation's frames, by name; OodError when one cannot be read."""
    with progress_bar() as bar:
        return {
            name: data_hash(open_evaluation_data(evaluation.request))
            for name, evaluation in bar.track(
                comparison.evaluations.items(),
                total=len(comparison.evaluations),
                description="data sets",
            )
        }


def data_hash(dataset: FrameDataset) -> str:
    """SHA-256 over ids and files of the frames, in their order; OodError when one is unreadable."""
    whole = hashlib.sha256()
    for frame in dataset:
        whole.update(frame.frame_id.encode() + b"\0")
        for path in (frame.image, frame.labels, frame.overlay):
            whole.update(b"" if path is None else file_hash(path).encode())
    return whole.hexdigest()
