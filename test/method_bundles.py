"""A bundle of each method, untrained: its graph is the method's, whatever its weights say."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from ood_perception.bundle import Bundle
from ood_perception.manifest import BOUNDED_SCORES, LogitStatisticsSpec, ScoreSpec, UnitRangeSpec
from ood_training.checkpoint import Progress, save_checkpoint
from ood_training.evidence import Evidence
from ood_training.export import ExportSettings, export_bundle
from ood_training.feature_distance import FeatureStatistics
from ood_training.models import SegmentationNetwork, create_model
from ood_training.models.kernel_head import KernelSettings

CLASSES = ("road", "tree", "sky")
SIZE, GRID = (48, 64), (24, 32)
# method -> score, evidence
METHODS = {
    "entropy": ("entropy", "softmax"),
    "max_softmax": ("max_softmax", "softmax"),
    "standardized_max_logit": ("standardized_max_logit", "softmax"),
    "mahalanobis": ("mahalanobis", "softmax"),
    "one_vs_rest_max_logit": ("max_logit", "sigmoids"),
    "one_vs_rest_energy": ("energy", "sigmoids"),
    "one_vs_rest_max_min_logit": ("max_min_logit", "sigmoids"),
    "kernels": ("kernel_distance", "kernels"),
}


def write_method_bundle(folder: Path, method: str, smoothing_cells: float = 0.0) -> Bundle:
    """The bundle of a method with random weights, exported as a trained one is."""
    score, evidence = METHODS[method]
    kernels = KernelSettings() if evidence == "kernels" else None
    network = untrained_network(kernels)
    checkpoint = folder.with_suffix(".safetensors")
    progress = Progress(
        1, 0, 10, "tiny_unet", CLASSES, None, "{}",
        evidence=asdict(Evidence(evidence)),
        kernels={} if kernels is None else asdict(kernels),
    )  # fmt: skip
    save_checkpoint(checkpoint, network, None, progress)
    features = some_statistics(network) if score == "mahalanobis" else None
    spec = score_spec(score, smoothing_cells=smoothing_cells)
    settings = ExportSettings(method, "nothing", "Apache-2.0", SIZE, GRID, spec, features)
    return export_bundle(checkpoint, folder, settings)[0]


def untrained_network(kernels: KernelSettings | None = None) -> SegmentationNetwork:
    """A network with the same random weights each time."""
    torch.manual_seed(4)
    network = create_model("tiny_unet", len(CLASSES), kernels=kernels).eval()
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # equal ones would be one tensor in the graph
            torch.nn.init.normal_(module.running_mean, std=0.1)
    return network


def some_statistics(network: SegmentationNetwork) -> FeatureStatistics:
    """Of the features of noise, shared out among the classes."""
    with torch.inference_mode():
        found = network.features(torch.rand(1, 3, *SIZE))[0].flatten(1).T
    return FeatureStatistics.fit(found, torch.arange(len(found)) % len(CLASSES))


def score_spec(name: Any, **changes: Any) -> ScoreSpec:
    """The manifest's part about a score, with the range and statistics that it needs."""
    statistics = LogitStatisticsSpec(means=(0.3, 0.1, 0.2), deviations=(0.1, 0.4, 0.2))
    center = 25.0 if name == "mahalanobis" else -0.5
    content = {
        "name": name,
        "threshold": 0.5,
        "unit_range": None if name in BOUNDED_SCORES else UnitRangeSpec(center=center, scale=5.0),
        "logit_statistics": statistics if name == "standardized_max_logit" else None,
    }
    return ScoreSpec(**{**content, **changes})
