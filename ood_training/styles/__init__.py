"""Aligning the style of pasted objects with their scene, one way a file."""

from ood_training.styles.contract import Box, Pasting, Patch, StyleTransfer

__all__ = ["Box", "Pasting", "Patch", "StyleTransfer"]
