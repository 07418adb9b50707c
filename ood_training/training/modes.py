"""Which parts of a network learn, and how its batch norms behave."""

from __future__ import annotations

from typing import Literal

from torch import nn

from ood_perception.errors import OodError
from ood_training.models import SegmentationNetwork

Freeze = Literal["none", "backbone", "all_but_head"]


def freeze(network: SegmentationNetwork, parts: Freeze) -> None:
    """Let gradients reach only what is not frozen. Raises OodError when nothing would be left."""
    backbone = {id(parameter) for parameter in network.backbone_parameters()}
    head = {id(parameter) for parameter in network.head_parameters()}
    for parameter in network.parameters():
        frozen = id(parameter) in backbone if parts == "backbone" else id(parameter) not in head
        parameter.requires_grad_(parts == "none" or not frozen)
    if not any(parameter.requires_grad for parameter in network.parameters()):
        raise OodError(f"freeze: {parts} leaves nothing of this network to train")


def set_training_mode(network: SegmentationNetwork, batch_norm: Literal["train", "eval"]) -> None:
    """Training mode, dropout included; batch norms with stored statistics where asked for.

    Batch norms of frozen parts always keep their statistics, or else the part would change.
    """
    network.train()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            learns = any(parameter.requires_grad for parameter in module.parameters())
            module.train(batch_norm == "train" and learns)
