"""The network that a run begins with."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from ood_perception.errors import OodError
from ood_training.configuration import HeadConfiguration, TrainingConfiguration
from ood_training.models import SegmentationNetwork, create_model
from ood_training.models.deeplabv3plus import DeepLabV3Plus, load_imagenet_weights
from ood_training.models.kernel_head import KernelSettings
from ood_training.models.weights import load_network_weights


def create_network(
    settings: TrainingConfiguration, classes: tuple[str, ...]
) -> SegmentationNetwork:
    """With random weights, or those that the settings name, on the CPU.

    Raises OodError for weights that do not fit, in particular of another number of classes.
    """
    network = create_model(
        settings.model,
        len(classes),
        decoder_channels=settings.decoder_channels,
        output_stride=settings.output_stride,
        kernels=kernel_settings(settings.head),
    )
    if settings.imagenet_weights:
        if not isinstance(network, DeepLabV3Plus):
            raise OodError(f"imagenet_weights: there are none for {settings.model!r}")
        load_imagenet_weights(network)
    path = settings.initial_checkpoint
    if path is not None:
        if not settings.new_head:
            _check_classes(path, classes)
            _check_head(path, settings.head)
        load_network_weights(network, path, new_head=settings.new_head)
    return network


def kernel_settings(head: HeadConfiguration) -> KernelSettings | None:
    """Of a kernel head; None where the head is linear."""
    if head.kind == "linear":
        return None
    return KernelSettings(head.kernel_features, head.length_scale, head.momentum)


def _check_classes(path: Path, classes: tuple[str, ...]) -> None:
    """Say in words what the loader would say in shapes, where the file tells its classes."""
    stored = (_progress(path) or {}).get("classes")
    if stored is not None and len(stored) != len(classes):
        raise OodError(
            f"{path}: was trained on {len(stored)} classes, but the data has {len(classes)} "
            f"({', '.join(classes)}): use data with the same classes, or new_head: true"
        )


def _check_head(path: Path, head: HeadConfiguration) -> None:
    """Refuse a head of another kind, and kernels that would mean something else here."""
    progress = _progress(path)
    if progress is None:
        return
    kernels = kernel_settings(head)
    stored, wanted = progress.get("kernels") or {}, {} if kernels is None else asdict(kernels)
    for name in ("kernel_features", "length_scale"):
        if stored.get(name) != wanted.get(name):
            raise OodError(
                f"{path}: {name} of its head is {stored.get(name, 'none (it is linear)')}, the "
                f"settings want {wanted.get(name, 'a linear one')}: use the same head, or "
                "new_head: true"
            )


def _progress(path: Path) -> dict[str, Any] | None:
    """What one of this program's checkpoints says of itself; None for any other file."""
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(str(path), framework="pt") as file:
            stored = (file.metadata() or {}).get("progress")
            return None if stored is None else dict(json.loads(stored))
    except (SafetensorError, OSError, ValueError):
        return None  # the loader says what is wrong with the file
