"""Losses, one a file."""

from ood_training.losses.entropy_maximization import entropy_maximization_loss, term_weights
from ood_training.losses.labels import IGNORE_LABEL, OOD_LABEL, PixelCounts, count_pixels
from ood_training.losses.pixel_terms import weighted_terms

__all__ = [
    "IGNORE_LABEL",
    "OOD_LABEL",
    "PixelCounts",
    "count_pixels",
    "entropy_maximization_loss",
    "term_weights",
    "weighted_terms",
]
