"""A trained network becomes a bundle; the vehicle's detector runs it, a meta classifier joins."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
import torch
from training_scenes import write_scenes
from typer.testing import CliRunner

from ood_perception.bundle import load_bundle
from ood_perception.components import metric_names
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_training.anomaly_evaluation import evaluate_scores
from ood_training.checkpoint import Progress, save_checkpoint
from ood_training.datasets.generated import generated
from ood_training.evaluation import network_input
from ood_training.export import ExportSettings, export_bundle, network_to_onnx
from ood_training.meta_classifier import (
    cross_validate,
    fit_meta_classifier,
    meta_classifier_to_onnx,
    score_meta_classifier,
)
from ood_training.meta_configuration import MetaConfiguration
from ood_training.meta_training import choose_decision, train_meta_classifier
from ood_training.models import SegmentationNetwork, create_model
from ood_training.score_bundle import BundleScores

SIZE, GRID = (48, 64), (24, 32)
SETTINGS = ExportSettings("scenes", "generated scenes", "Apache-2.0", SIZE, GRID, 0.5)


def _network(num_classes: int = 2) -> SegmentationNetwork:
    torch.manual_seed(4)
    return create_model("tiny_unet", num_classes).eval()


def _checkpoint(path: Path, classes: tuple[str, ...] = ("road", "tree")) -> Path:
    progress = Progress(1, 0, 10, "tiny_unet", classes, None, "{}")
    save_checkpoint(path, _network(len(classes)), None, progress)
    return path


def test_the_graph_takes_bgr_bytes_and_gives_labels_score_and_logits() -> None:
    network = _network(5)
    session = onnxruntime.InferenceSession(network_to_onnx(network, SIZE, GRID))
    image = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    labels, score, logits = session.run(["labels", "score", "logits"], {"image": image[None]})
    with torch.inference_mode():
        expected = network.small_logits(network_input(image, network))
        upsampled = torch.nn.functional.interpolate(
            expected, size=GRID, mode="bilinear", align_corners=True
        )
    probabilities = upsampled.double().softmax(1)
    entropy = -(probabilities * probabilities.log()).sum(1) / np.log(5)
    np.testing.assert_allclose(logits, expected.numpy(), atol=1e-4)
    np.testing.assert_allclose(score, entropy.numpy(), atol=1e-4)
    assert labels.dtype == np.uint8
    assert (labels == upsampled.argmax(1).numpy()).mean() > 0.999


def test_equal_logits_score_one_and_take_the_lowest_class() -> None:
    network = _network(7)
    for parameter in network.classifier.parameters():  # type: ignore[union-attr]
        torch.nn.init.zeros_(parameter)
    session = onnxruntime.InferenceSession(network_to_onnx(network, SIZE, GRID))
    labels, score, _ = session.run(None, {"image": np.zeros((1, *SIZE, 3), np.uint8)})
    assert not labels.any()
    assert score.max() <= 1.0
    assert score.min() == pytest.approx(1.0, abs=1e-6)


def test_an_exported_bundle_runs_in_the_detector(tmp_path: Path) -> None:
    checkpoint = _checkpoint(tmp_path / "x.safetensors")
    bundle, _ = export_bundle(checkpoint, tmp_path / "bundle", SETTINGS)
    assert bundle.manifest.road_classes == (0,)
    assert [one.name for one in bundle.manifest.classes] == ["road", "tree"]
    detection = Detector(load_bundle(tmp_path / "bundle")).detect(np.zeros((96, 100, 3), np.uint8))
    assert detection.labels.shape == detection.score.shape
    assert 0 <= detection.score.min() <= detection.score.max() <= 1


def test_what_cannot_be_exported_is_one_line(tmp_path: Path) -> None:
    path = _checkpoint(tmp_path / "x.safetensors", ("grass", "tree"))
    with pytest.raises(OodError, match="no class 'road' to drive on: the classes are grass, tree"):
        export_bundle(path, tmp_path / "bundle", SETTINGS)
    with pytest.raises(OodError, match="multiples of 16"):
        network_to_onnx(_network(), (50, 64), GRID)
    with pytest.raises(OodError, match="no such checkpoint"):
        export_bundle(tmp_path / "none.safetensors", tmp_path / "bundle", SETTINGS)
    assert not (tmp_path / "bundle").exists()


def _table(count: int = 200) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Metrics of which the first decides, the second is constant and the third is noise."""
    rng = np.random.default_rng(0)
    false_positive = rng.random(count) < 0.6
    signal = np.where(false_positive, 0.2, 0.9) + rng.normal(0, 0.1, count)
    metrics = np.stack([signal, np.full(count, 3.0), rng.normal(0, 100, count)], axis=1)
    return metrics, false_positive, np.arange(count) // 4


def test_the_meta_graph_computes_the_fitted_regression() -> None:
    metrics, false_positive, _ = _table()
    model = fit_meta_classifier(metrics, false_positive)
    session = onnxruntime.InferenceSession(meta_classifier_to_onnx(model))
    probability, contributions = session.run(
        ["false_positive_probability", "contributions"], {"metrics": metrics}
    )
    log_odds = contributions.sum(axis=1) + model.intercept
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-log_odds)), rtol=1e-9)
    np.testing.assert_allclose(probability, model.false_positive_probability(metrics), rtol=1e-9)
    assert ((probability > 0.5) == false_positive).mean() > 0.98
    # a constant metric says nothing, and a higher signal speaks against a false positive
    assert not contributions[:, 1].any()
    assert model.coefficients[0] < -10 * abs(model.coefficients[2])
    empty = session.run(None, {"metrics": np.zeros((0, 3))})
    assert [len(output) for output in empty] == [0, 0]


def test_cross_validation_keeps_groups_apart() -> None:
    metrics, false_positive, groups = _table()
    # noise that identifies the group would be learned if a group were split
    probability = cross_validate(metrics, false_positive, groups)
    figures = score_meta_classifier(probability, false_positive)
    assert figures["auroc"] > 0.98
    kept_and_removed = [figures[f"{kind}_{fate}"] for kind in ("hits", "false_positives")
                        for fate in ("kept", "removed")]  # fmt: skip
    assert sum(kept_and_removed) == len(false_positive)
    noise = np.random.default_rng(1).normal(size=(200, 3))
    by_chance = cross_validate(noise, false_positive, groups)
    assert score_meta_classifier(by_chance, false_positive)["auroc"] < 0.65


def test_the_decision_keeps_the_wanted_share_of_objects() -> None:
    lowest = np.array([0.1, 0.2, 0.3, 0.7, 0.9])
    assert choose_decision(lowest, None) == 0.5
    assert choose_decision(lowest, 0.6) == 0.5
    assert choose_decision(lowest, 0.8) == 0.7
    assert choose_decision(lowest, 1.0) == 0.9
    assert choose_decision(lowest[:0], 0.9) == 0.5


def test_components_of_one_kind_only_are_refused() -> None:
    metrics, _, _ = _table()
    with pytest.raises(OodError, match="both kinds, but all 200 are false positives"):
        fit_meta_classifier(metrics, np.ones(200, bool))


def _speckled_bundle(folder: Path) -> Path:
    """A bundle whose score is high where the picture is red: on the boxes, and on red specks."""
    export_bundle(_checkpoint(folder / "x.safetensors"), folder / "bundle", SETTINGS)
    network = create_model("tiny_unet", 2).eval()

    class RedIsUnknown(SegmentationNetwork):
        def small_logits(self, image: torch.Tensor) -> torch.Tensor:
            pooled = torch.nn.functional.avg_pool2d(image, 2)
            certain = (1.0 - pooled[:, :1]).clamp_min(0.0) * 3
            return torch.cat([certain, -certain], dim=1)

    graph = network_to_onnx(RedIsUnknown(2, network.mean, network.std).eval(), SIZE, GRID)
    bundle = load_bundle(folder / "bundle")
    from ood_perception.bundle import write_bundle

    write_bundle(folder / "bundle", bundle.manifest, graph)
    return folder / "bundle"


def _add_red_specks(scenes: Path) -> None:
    for path in (scenes / "images").glob("*.png"):
        image = cv2.imread(str(path))
        image[2:4, 10:13] = (40, 40, 230)
        image[8:10, 50:52] = (40, 40, 230)
        cv2.imwrite(str(path), image)


def test_meta_training_uses_the_detector_and_removes_its_false_positives(tmp_path: Path) -> None:
    write_scenes(tmp_path / "scenes")
    _add_red_specks(tmp_path / "scenes")
    folder = _speckled_bundle(tmp_path)
    settings = MetaConfiguration.model_validate(
        {
            "data_root": tmp_path,
            "source": {"kind": "generated", "root": "scenes"},
            "thresholds": [0.6],
        }
    )
    result = train_meta_classifier(folder, settings)
    figures = result["candidates"]["0.6"]
    assert figures["objects"] == figures["objects_hit"] == figures["objects_hit_after_meta"] == 4
    assert figures["components"] == 12
    assert figures["auroc"] == figures["f1_after_meta"] == 1.0
    bundle = load_bundle(folder)
    assert bundle.manifest.score.threshold == 0.6
    assert bundle.manifest.meta_classifier is not None
    assert bundle.manifest.meta_classifier.metric_names == metric_names(2)

    scenes = generated(tmp_path / "scenes")
    figures = evaluate_scores(BundleScores(bundle), scenes).figures
    assert figures["components"]["objects_hit_after_meta"] == 4
    assert figures["components"]["false_positives_removed"] == 8
    assert figures["components"]["false_positives_kept"] == 0
    assert figures["AP"] > 0.7


def test_the_verbs_write_json(tmp_path: Path) -> None:
    import typer

    from ood_training.cli import register

    app = typer.Typer()
    register(app)
    _checkpoint(tmp_path / "x.safetensors")
    arguments = [
        "export", tmp_path / "x.safetensors", "--out", tmp_path / "bundle", "--input-size", 48, 64,
        "--trained-on", "nothing", "--terms", "none", "--json", tmp_path / "export.json",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "export.json").read_text())
    assert written["model"] == load_bundle(tmp_path / "bundle").model_id
    for verb in ("train", "export", "meta", "evaluate"):
        assert CliRunner().invoke(app, [verb, "--help"]).exit_code == 0
