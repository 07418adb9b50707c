"""A trained network becomes a bundle, and the vehicle's detector runs it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from typer.testing import CliRunner

from ood_perception.bundle import load_bundle
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_training.checkpoint import Progress, save_checkpoint
from ood_training.evaluation import network_input
from ood_training.export import ExportSettings, export_bundle, network_to_onnx
from ood_training.models import SegmentationNetwork, create_model

SIZE, GRID = (48, 64), (24, 32)
SETTINGS = ExportSettings("scenes", "generated scenes", "Apache-2.0", SIZE, GRID)


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
