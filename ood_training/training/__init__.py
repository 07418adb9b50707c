"""Training runs: ``run`` from settings to files, ``trainer`` the loop, a file for each part."""

from ood_training.training.run import train
from ood_training.training.trainer import CHECKPOINT_NAME, Trainer

__all__ = ["CHECKPOINT_NAME", "Trainer", "train"]
