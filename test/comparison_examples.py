"""A comparison on tiny scenes, for tests of `ood compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import yaml
from training_scenes import configuration, stage

from ood_training import checkpoint
from ood_training.models import create_model

SIZE = [48, 64]


def write_base(folder: Path) -> Path:
    """The training configuration of two steps that trained methods start from."""
    stages = [stage("only", steps_per_epoch=2, unknown_objects=True, batch_norm="eval")]
    settings = configuration(folder, stages=stages)
    path = folder / "base.yaml"
    path.write_text(yaml.safe_dump(json.loads(settings.model_dump_json())))
    return path


def write_checkpoint(path: Path, seed: int = 4, **progress: Any) -> Path:
    """A network of two classes with random weights, as `ood train` leaves it."""
    torch.manual_seed(seed)
    network = create_model("tiny_unet", 2)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # equal ones would be one tensor in a graph
            torch.nn.init.normal_(module.running_mean, std=0.1)
    fields: dict[str, Any] = {
        "stage": 0, "step": 0, "total_step": 2, "model": "tiny_unet",
        "classes": ("road", "tree"), "decoder_channels": None, "configuration": "",
    }  # fmt: skip
    checkpoint.save_checkpoint(path, network, None, checkpoint.Progress(**fields | progress))
    return path


def write_comparison(folder: Path, methods: dict[str, Any], **changes: Any) -> Path:
    """Of these methods, on the scenes that the base is trained on."""
    content = {
        "base": str(write_base(folder)),
        "output": str(folder / "runs"),
        "seeds": [1, 2],
        "input_size": SIZE,
        "evaluations": {
            "scenes": {
                "kind": "generated",
                "data": str(folder / "scenes"),
                "protocol": "smiyc-obstacle",
                "figures": ["AP", "FPR95", "AUROC", "mIoU"],
            }
        },
        "methods": methods,
    }
    path = folder / "comparison.yaml"
    path.write_text(yaml.safe_dump(content | changes, sort_keys=False))
    return path
