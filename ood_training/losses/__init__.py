"""Losses, one a file."""

from ood_training.losses.entropy_maximization import (
    IGNORE_LABEL,
    OOD_LABEL,
    entropy_maximization_loss,
)

__all__ = ["IGNORE_LABEL", "OOD_LABEL", "entropy_maximization_loss"]
