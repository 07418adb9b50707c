"""`ood evaluate --bundle`: bundles and checkpoints, classes, components, real frames."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import yaml
from color_bundle import CLASSES, write_color_bundle
from evaluation_scenes import evaluated, ood_evaluate, write_color_scenes

from ood_perception.bundle import load_bundle
from ood_training.anomaly_evaluation import evaluate_scores
from ood_training.checkpoint import Progress, save_checkpoint
from ood_training.datasets.registry import open_dataset
from ood_training.export import ExportSettings, export_bundle
from ood_training.models import create_model
from ood_training.project_commit import project_commit
from ood_training.score_bundle import BundleScores

ROOT = Path(__file__).resolve().parent.parent
ROAD_ANOMALY = ROOT / "../shared/data/road_anomaly"


def write_checkpoint(path: Path, classes: tuple[str, ...]) -> Path:
    torch.manual_seed(4)
    network = create_model("tiny_unet", len(classes)).eval()
    save_checkpoint(path, network, None, Progress(1, 0, 1, "tiny_unet", classes, None, "{}"))
    return path


def test_a_bundle_is_measured_by_pixels_classes_and_components(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_color_scenes(tmp_path)
    bundle = write_color_bundle(tmp_path / "bundle", smallest_cells=30)
    result = evaluated(
        monkeypatch, tmp_path, "--bundle", bundle.folder, "--data", tmp_path,
        "--format", "generated",
    )  # fmt: skip
    assert result["AP"] > 0.5
    assert result["AUROC"] > 0.95
    assert result["model"] == bundle.model_id
    assert result["score"] == bundle.manifest.score.name
    assert result["commit"] == project_commit()
    # The second picture's trees reach 8 rows too far: half again as many as are labelled.
    first, second = (frame["mIoU"] for frame in result["per_image"])
    assert first > 0.95 > 0.9 > second
    assert result["class_IoU"]["tree"] == pytest.approx(2 * 16 / (16 + 24), abs=0.05)
    assert result["class_IoU"]["road"] > result["class_IoU"]["tree"]
    # The block is one object in each frame; the speck is a false component that meta removes.
    assert result["components"]["objects"] == 2
    assert result["components"]["objects_hit_after_meta"] == 2
    assert result["components"]["false_positives_removed"] == 2
    printed = capsys.readouterr().out
    assert "mIoU" in printed
    assert "objects_hit_after_meta 2" in printed


def test_a_checkpoint_is_measured_like_its_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_color_scenes(tmp_path)
    checkpoint = write_checkpoint(tmp_path / "x.safetensors", CLASSES)
    settings = ExportSettings("x", "nothing", "none", (48, 64))
    export_bundle(checkpoint, tmp_path / "bundle", settings)
    arguments = ("--data", tmp_path, "--format", "generated")
    by_bundle = evaluated(monkeypatch, tmp_path, "--bundle", tmp_path / "bundle", *arguments)
    by_torch = evaluated(
        monkeypatch, tmp_path, "--bundle", checkpoint, "--input-size", 48, 64, *arguments
    )
    for name in ("AP", "FPR95", "AUROC", "mIoU"):
        assert by_torch[name] == pytest.approx(by_bundle[name], abs=2e-3), name
    assert by_torch["model"].startswith("x-")
    assert "components" not in by_torch


def test_known_classes_alone_give_a_mean_iou_and_no_anomaly_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_color_scenes(tmp_path)
    label_map = {
        "name": "streets",
        "classes": list(CLASSES),
        "map": {0: 0, 1: 1, 254: 255, 255: 255},
    }
    (tmp_path / "label_map.yaml").write_text(yaml.safe_dump(label_map))
    bundle = write_color_bundle(tmp_path / "bundle")
    arguments = ("--bundle", bundle.folder, "--data", tmp_path, "--format", "folder")
    result = evaluated(monkeypatch, tmp_path, *arguments)
    assert result["mIoU"] > 0.8
    assert result["AP"] is None
    assert "components" not in result
    assert ood_evaluate(monkeypatch, *arguments, "--protocol", "legacy100") == 2
    assert "no unknown objects to measure legacy100 on" in capsys.readouterr().err
    assert ood_evaluate(monkeypatch, *arguments, "--plots", tmp_path / "plots") == 2
    assert "nothing to plot" in capsys.readouterr().err
    (tmp_path / "label_map.yaml").write_text(
        yaml.safe_dump(label_map | {"classes": ["road", "tree"]})
    )
    assert ood_evaluate(monkeypatch, *arguments) == 2
    assert "has 2 classes (road, tree), the network 3" in capsys.readouterr().err


def test_unknown_objects_are_measured_without_common_classes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_color_scenes(tmp_path, ("street", "plant"))
    bundle = write_color_bundle(tmp_path / "bundle")
    result = evaluated(
        monkeypatch, tmp_path, "--bundle", bundle.folder, "--data", tmp_path,
        "--format", "generated",
    )  # fmt: skip
    assert result["AP"] > 0.5
    assert result["mIoU"] is None


@pytest.mark.data
def test_two_real_frames_score_better_than_chance() -> None:
    if not ROAD_ANOMALY.is_dir():
        pytest.skip(f"{ROAD_ANOMALY} is missing")
    dataset = open_dataset("smiyc", ROAD_ANOMALY)
    dataset = dataset.every(len(dataset) // 2)
    bundle = load_bundle(ROOT / "models" / "street")
    figures = evaluate_scores(BundleScores(bundle), dataset, "smiyc-anomaly").figures
    assert figures["AUROC"] > 0.6
    assert abs(figures["smiyc"]["AP"] - figures["AP"]) < 0.03
    assert figures["smiyc"]["objects"] >= len(dataset)
    assert 0 < figures["smiyc"]["F1"] <= 1
    own = figures["smiyc_meta"]
    without, judged = own["without_meta_classifier"], own["with_meta_classifier"]
    assert without["objects"] == judged["objects"] == figures["smiyc"]["objects"]
    assert judged["predictions"] < without["predictions"]
    assert figures["bound"]["AP"][0] <= figures["AP"] <= figures["bound"]["AP"][1]
    assert len(figures["per_image"]) == len(dataset)
