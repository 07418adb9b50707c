"""Label values of training pixels that are no class, and how many pixels of each kind there are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ood_perception.errors import OodError
from ood_training.label_values import IGNORE_LABEL as IGNORE_LABEL
from ood_training.label_values import OOD_LABEL as OOD_LABEL


@dataclass(frozen=True)
class PixelCounts:
    """Pixels of a batch: of known classes, of unknown objects, and all (ignored ones included)."""

    known: int
    unknown: int
    all: int


def count_pixels(labels: Tensor, num_classes: int) -> PixelCounts:
    """Count the pixels of labels, any shape, integer: class ids, 254 (unknown) or 255 (ignore).

    Raises OodError for a label that is none of these.
    """
    if labels.numel() and int(labels.min()) < 0:
        raise OodError(f"label {int(labels.min())} is no class: use ids from 0, 254 or 255")
    counts = torch.bincount(labels.reshape(-1), minlength=IGNORE_LABEL + 1).tolist()
    wrong = [
        label
        for label, count in enumerate(counts)
        if count and label >= num_classes and label not in (OOD_LABEL, IGNORE_LABEL)
    ]
    if wrong:
        raise OodError(
            f"label {wrong[0]} is none of the {num_classes} classes: map it to one, to "
            f"{OOD_LABEL} (unknown) or to {IGNORE_LABEL} (ignore)"
        )
    return PixelCounts(sum(counts[:num_classes]), counts[OOD_LABEL], labels.numel())
