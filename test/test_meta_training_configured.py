"""A meta configuration (frames, thresholds, a share of objects) gives a bundle its classifier."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import typer
from training_scenes import write_scenes
from typer.testing import CliRunner

from ood_perception.bundle import (
    ClassSpec,
    Manifest,
    NetworkSpec,
    Provenance,
    ScoreSpec,
    load_bundle,
    write_bundle,
)
from ood_perception.components import metric_names
from ood_training.anomaly_evaluation import evaluate_scores
from ood_training.commands.meta_train import train_meta_command
from ood_training.datasets.generated import generated
from ood_training.export import network_to_onnx
from ood_training.meta.configuration import MetaConfiguration
from ood_training.meta.decision import choose_decision
from ood_training.meta.training import train_meta_classifier
from ood_training.models import SegmentationNetwork, create_model
from ood_training.score_bundle import BundleScores

SIZE, GRID = (48, 64), (24, 32)


class RedIsUnknown(SegmentationNetwork):
    """Two classes whose logits meet where the picture is red."""

    def features(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(image, 2)

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        certain = (1.0 - features[:, :1]).clamp_min(0.0) * 3
        return torch.cat([certain, -certain], dim=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Scenes with red specks beside the red boxes, and a bundle whose score is high on both."""
    write_scenes(tmp_path / "scenes")
    for path in (tmp_path / "scenes/images").glob("*.png"):
        image = cv2.imread(str(path))
        assert image is not None
        image[2:4, 10:13] = (40, 40, 230)
        image[8:10, 50:52] = (40, 40, 230)
        cv2.imwrite(str(path), image)
    network = create_model("tiny_unet", 2).eval()
    graph = network_to_onnx(RedIsUnknown(2, network.mean, network.std).eval(), SIZE, GRID)
    manifest = Manifest(
        schema_version=1,
        name="red",
        classes=(ClassSpec(name="road", color=(0, 0, 0)), ClassSpec(name="tree", color=(0, 9, 0))),
        road_classes=(0,),
        network=NetworkSpec.of_sizes(SIZE, GRID),
        score=ScoreSpec(threshold=0.5),
        provenance=Provenance(trained_on="nothing: a formula", terms="Apache-2.0"),
    )
    write_bundle(tmp_path / "bundle", manifest, graph)
    return tmp_path


def test_it_uses_the_detector_and_removes_its_false_positives(folder: Path) -> None:
    settings = MetaConfiguration.model_validate(
        {
            "data_root": folder,
            "source": {"kind": "generated", "root": "scenes"},
            "thresholds": [0.6],
        }
    )
    result = train_meta_classifier(folder / "bundle", settings)
    figures = result["candidates"]["0.6"]
    assert figures["objects"] == figures["objects_hit"] == figures["objects_hit_after_meta"] == 4
    assert figures["components"] == 12
    assert figures["auroc"] == figures["f1_after"] == 1.0
    bundle = load_bundle(folder / "bundle")
    assert bundle.manifest.score.threshold == 0.6
    assert bundle.manifest.meta_classifier is not None
    assert bundle.manifest.meta_classifier.metric_names == metric_names(2)

    counts = evaluate_scores(BundleScores(bundle), generated(folder / "scenes")).figures
    assert counts["components"]["objects_hit_after_meta"] == 4
    assert counts["components"]["false_positives_removed"] == 8
    assert counts["components"]["false_positives_kept"] == 0


def test_the_verb_takes_the_configuration_and_its_share_of_objects(folder: Path) -> None:
    path = folder / "meta.yaml"
    path.write_text(
        f"data_root: {folder}\nsource: {{kind: generated, root: scenes}}\n"
        "thresholds: [0.5, 0.6]\nkeep_objects: 0.75\n"
    )
    app = typer.Typer()
    app.command()(train_meta_command)
    arguments = [
        "--configuration",
        path,
        "--bundle",
        folder / "bundle",
        "--json",
        folder / "r.json",
    ]
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == 0, done.output
    result = json.loads((folder / "r.json").read_text())
    assert set(result["candidates"]) == {"0.5", "0.6"}
    assert result["decision_by"].startswith("keeps 0.75 of the objects hit")
    best = max(one["f1_after"] for one in result["candidates"].values())
    assert result["out_of_fold"]["f1_after"] == best


def test_the_decision_keeps_the_wanted_share_of_objects() -> None:
    lowest = np.array([0.1, 0.2, 0.3, 0.7, 0.9])
    assert choose_decision(lowest, None) == 0.5
    assert choose_decision(lowest, 0.6) == 0.5
    assert choose_decision(lowest, 0.8) == 0.7
    assert choose_decision(lowest, 1.0) == 0.9
    assert choose_decision(lowest[:0], 0.9) == 0.5
    assert choose_decision(np.linspace(0.51, 1.0, 50), 0.98) == pytest.approx(0.99)
