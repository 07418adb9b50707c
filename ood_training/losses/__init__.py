"""Losses, one a file."""

from ood_training.losses.entropy_maximization import entropy_maximization_loss, term_weights
from ood_training.losses.gradient_penalty import gradient_penalty
from ood_training.losses.kernels import kernel_terms
from ood_training.losses.labels import IGNORE_LABEL, OOD_LABEL, PixelCounts, count_pixels
from ood_training.losses.one_vs_rest import one_vs_rest_loss, one_vs_rest_terms
from ood_training.losses.pixel_terms import weighted_terms

__all__ = [
    "IGNORE_LABEL",
    "OOD_LABEL",
    "PixelCounts",
    "count_pixels",
    "entropy_maximization_loss",
    "gradient_penalty",
    "kernel_terms",
    "one_vs_rest_loss",
    "one_vs_rest_terms",
    "term_weights",
    "weighted_terms",
]
