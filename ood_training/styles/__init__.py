"""Aligning the style of pasted objects with their scene, one way a file."""

from ood_training.styles.contract import Box, Patch, StyleTransfer

__all__ = ["Box", "Patch", "StyleTransfer"]
