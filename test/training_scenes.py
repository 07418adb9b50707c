"""Tiny scenes and the settings of a run on them, for tests of training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml

from ood_training import checkpoint
from ood_training.comparison.configuration import merged
from ood_training.configuration import TrainingConfiguration

ROOT = Path(__file__).resolve().parent.parent


def write_scenes(root: Path, count: int = 4) -> None:
    """Green over blue, two classes, with a red unknown box on the blue."""
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    for number in range(count):
        labels = np.ones((48, 64), np.uint8)
        labels[20 + number :] = 0
        labels[34:42, 8 * number + 4 : 8 * number + 16] = 254
        colors = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 230]], np.uint8)
        image = colors[np.where(labels == 254, 2, labels)]
        assert cv2.imwrite(str(root / "images" / f"{number}.png"), image)
        assert cv2.imwrite(str(root / "labels" / f"{number}.png"), labels)
    (root / "classes.yaml").write_text("classes: [road, tree]\n")


def stage(name: str, **changes: Any) -> dict[str, Any]:
    """Settings of a stage of three steps."""
    rates = {"encoder_learning_rate": 3e-3, "decoder_learning_rate": 3e-3}
    return {"name": name, "epochs": 1, "steps_per_epoch": 3, **rates, **changes}


def configuration(tmp_path: Path, **changes: Any) -> TrainingConfiguration:
    """A run of two stages on tiny scenes below ``tmp_path``; sections of changes are merged."""
    if not (tmp_path / "scenes").is_dir():
        write_scenes(tmp_path / "scenes")
    source = {"kind": "generated", "root": "scenes", "scale": [0.9, 1.1]}
    settings = {
        "name": "test", "data_root": tmp_path, "output": tmp_path / "run", "model": "tiny_unet",
        "crop_size": 32, "batch_size": 4, "light": 0.2, "threads": 1, "device": "cpu",
        "sources": [source], "validation": {"source": source, "every": 2, "size": [48, 64]},
        "stages": [
            stage("known"), stage("unknown", unknown_objects=True, batch_norm="eval"),
        ],
    }  # fmt: skip
    return TrainingConfiguration.model_validate(merged(settings, changes))


def model_state(path: Path) -> dict[str, torch.Tensor]:
    """The network's tensors in a checkpoint."""
    tensors, _ = checkpoint.read_checkpoint(path)
    return {name: value for name, value in tensors.items() if name.startswith("model.")}


def assert_same_bits(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> None:
    """Every tensor of both is the same, bit for bit."""
    assert first.keys() == second.keys()
    assert [name for name, value in first.items() if not value.equal(second[name])] == []


def train_in_two_processes(settings: TrainingConfiguration) -> dict[str, Any]:
    """What ``result.json`` says after torchrun has trained with two processes."""
    file = settings.output.with_suffix(".yaml")
    file.write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2",
        "-m", "ood_perception.cli", "train", str(file),
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True,
        text=True, timeout=250,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    result: dict[str, Any] = json.loads((settings.output / "result.json").read_text())
    return result
