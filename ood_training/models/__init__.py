"""Segmentation networks."""

from ood_training.models.network import SegmentationNetwork
from ood_training.models.registry import create_model, model_names

__all__ = ["SegmentationNetwork", "create_model", "model_names"]
