"""A small float32 bundle with a network of convolutions, and pictures to calibrate it on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from color_bundle import CLASSES, area_meta_classifier
from numpy.typing import NDArray

from ood_perception.bundle import (
    Bundle,
    ClassSpec,
    Manifest,
    MetaClassifierSpec,
    NetworkSpec,
    PromiseSpec,
    Provenance,
    ScoreSpec,
    write_bundle,
)
from ood_perception.components import metric_names
from ood_training.export import network_to_onnx
from ood_training.models import create_model

SIZE, GRID = (96, 160), (48, 80)
PROMISE = PromiseSpec(alpha=0.1, objects=9, sequences=3, source="x", split="y", risk=0.05)


def float_bundle(folder: Path) -> Bundle:
    """An untrained network that is sure of itself, with a meta classifier and a promise."""
    torch.manual_seed(3)
    network = create_model("tiny_unet", len(CLASSES)).eval()
    with torch.no_grad():
        for parameter in network.classifier.parameters():  # type: ignore[union-attr]
            parameter.mul_(8)  # an untrained network is unsure everywhere
    manifest = Manifest(
        schema_version=1,
        name="scenes",
        classes=tuple(ClassSpec(name=name, color=(9, 9, 9)) for name in CLASSES),
        road_classes=(0,),
        network=NetworkSpec.of_sizes(SIZE, GRID),
        score=ScoreSpec(threshold=0.7),
        meta_classifier=MetaClassifierSpec(
            file="meta_classifier.onnx",
            kind="area",
            metric_names=metric_names(len(CLASSES)),
            promise=PROMISE,
        ),
        provenance=Provenance(trained_on="nothing", terms="none", recipe="by hand"),
    )
    graph = network_to_onnx(network, SIZE, GRID)
    card = {"README.md": "# Model card: scenes\n\nAs it was.\n"}
    return write_bundle(folder, manifest, graph, area_meta_classifier(20), documents=card)


def picture(rng: np.random.Generator) -> NDArray[np.uint8]:
    """(120, 200, 3) uint8 BGR soft blobs."""
    coarse = rng.integers(0, 256, (5, 8, 3)).astype(np.uint8)
    return np.asarray(cv2.resize(coarse, (200, 120), interpolation=cv2.INTER_CUBIC), np.uint8)


def write_pictures(folder: Path, count: int) -> Path:
    """So many files in a new folder."""
    rng = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number}.png"), picture(rng))
    return folder
