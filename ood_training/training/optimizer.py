"""The optimiser of a stage and its learning rates."""

from __future__ import annotations

import math

import torch
from torch.optim import Optimizer

from ood_training.configuration import OptimizerConfiguration, StageConfiguration
from ood_training.models import SegmentationNetwork


def create_optimizer(network: SegmentationNetwork, settings: OptimizerConfiguration) -> Optimizer:
    """Two groups, the backbone and the rest, of the parameters that are not frozen."""
    backbone = {id(parameter) for parameter in network.backbone_parameters()}
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in learning if id(p) in backbone]},
        {"params": [p for p in learning if id(p) not in backbone]},
    ]
    kind = torch.optim.Adam if settings.kind == "adam" else torch.optim.AdamW
    return kind(groups, lr=1e-4, weight_decay=settings.weight_decay)


def set_learning_rates(
    optimizer: Optimizer, stage: StageConfiguration, schedule: str, step: int, steps: int
) -> None:
    """The rates of a step of a stage of so many: linear warm-up times the schedule."""
    factor = min(1.0, (step + 1) / (stage.warmup_steps + 1))
    if schedule == "cosine":
        factor *= 0.01 + 0.99 * 0.5 * (1.0 + math.cos(math.pi * step / steps))
    rates = (stage.encoder_learning_rate, stage.decoder_learning_rate)
    for group, rate in zip(optimizer.param_groups, rates, strict=True):
        group["lr"] = rate * factor
