"""`ood evaluate --protocol smiyc-...`: component figures of score maps and of a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from color_bundle import write_color_bundle
from component_reference import slow_components
from evaluation_scenes import evaluated, write_color_scenes, write_image
from test_smiyc_components import Masks, slow_metrics

from ood_perception.bundle import load_bundle
from ood_perception.detector import Detector
from ood_training.anomaly_evaluation import evaluate_scores
from ood_training.datasets.registry import open_dataset
from ood_training.evaluation_components import ThresholdComponents
from ood_training.metrics.smiyc_components import SizeLimits
from ood_training.score_folder import ScoreFolder

SHAPE = (48, 64)
NAMES = ("sIoU", "PPV", "F1")


def write_scored_scenes(root: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Blocks of several sizes, found more or less, false alarms, and an ignored border."""
    generator = np.random.default_rng(8)
    frames = []
    (root / "scores").mkdir()
    for number in range(4):
        labels = np.zeros(SHAPE, np.uint8)
        scores = generator.uniform(0, 0.4, SHAPE)
        for top, left, height, width in ((2, 2, 12, 14), (24, 6, 5, 5), (20, 40, 2, 3)):
            labels[top : top + height, left : left + width] = 1
            shift = generator.integers(-2, 3)
            scores[top : top + height, max(left + shift, 0) : left + width + shift] += 0.55
        scores[30:36, 50 : 54 + 4 * number] += 0.55
        labels[-6:] = 255
        frames.append((scores.astype(np.float32), labels))
        write_image(root / "images" / f"f{number}.png", np.zeros((*SHAPE, 3), np.uint8))
        write_image(root / "labels_masks" / f"f{number}_labels_semantic.png", labels)
        np.save(root / "scores" / f"f{number}.npy", frames[-1][0])
    return frames


def expected_of(masks: list[Masks], limits: SizeLimits) -> dict[str, Any]:
    slow = slow_metrics(limits, masks)
    values = (slow.mean_siou, slow.mean_ppv, slow.mean_f1)
    return {
        **{name: pytest.approx(value) for name, value in zip(NAMES, values, strict=True)},
        "objects": slow.objects,
        "predictions": slow.predictions,
    }


@pytest.mark.parametrize(
    ("protocol", "limits"),
    [("smiyc-anomaly", SizeLimits(500, 100)), ("smiyc-obstacle", SizeLimits(50, 10))],
)
def test_score_maps_are_cut_at_their_own_best_threshold(
    protocol: str, limits: SizeLimits, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    frames = write_scored_scenes(tmp_path)
    result = evaluated(
        monkeypatch, tmp_path, "--scores", tmp_path / "scores", "--data", tmp_path,
        "--format", "smiyc", "--protocol", protocol,
    )["smiyc"]  # fmt: skip
    threshold = result["best_f1_threshold"]
    masks = [
        Masks(scores.astype(np.float16).astype(float) > threshold, labels == 1, labels == 255)
        for scores, labels in frames
    ]
    expected = expected_of(masks, limits)
    assert {name: result[name] for name in expected} == expected
    assert result["objects"] == (4 if protocol == "smiyc-anomaly" else 8)
    printed = capsys.readouterr().out.splitlines()
    if protocol == "smiyc-obstacle":
        assert result["F1"] > 0.3
        assert any(line.startswith(f"  F1  {'':<14}{result['F1']:.6f}") for line in printed)


def test_the_threshold_itself_is_no_anomaly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scores of two values: the best pixel threshold is the upper one, so nothing is predicted."""
    labels = np.zeros(SHAPE, np.uint8)
    labels[:20, :20] = 1
    write_image(tmp_path / "images" / "f.png", np.zeros((*SHAPE, 3), np.uint8))
    write_image(tmp_path / "labels_masks" / "f_labels_semantic.png", labels)
    (tmp_path / "scores").mkdir()
    np.save(tmp_path / "scores" / "f.npy", np.where(labels == 1, 0.5, 0.25))
    result = evaluated(
        monkeypatch, tmp_path, "--scores", tmp_path / "scores", "--data", tmp_path,
        "--format", "smiyc", "--protocol", "smiyc-anomaly",
    )["smiyc"]  # fmt: skip
    assert (result["best_f1"], result["best_f1_threshold"]) == (1.0, 0.5)
    assert [result[name] for name in NAMES] == [0, 0, 0]
    assert (result["objects"], result["predictions"]) == (1, 0)


def test_scores_are_halves_but_the_threshold_between_two_of_them_is_not_rounded() -> None:
    half = float(np.nextafter(np.float16(0.5), np.float16(1)))
    labels = np.full((1, 3), 254, np.uint8)
    components = ThresholdComponents(SizeLimits(0, 0), half - 0.0001)
    assert np.float16(half - 0.0001) == half
    components.add(np.array([[half - 0.0001, half, 0.5]]), labels)
    assert components.figures()["sIoU"] == pytest.approx(2 / 3)


def test_other_protocols_read_every_frame_once(tmp_path: Path) -> None:
    write_scored_scenes(tmp_path)
    dataset = open_dataset("smiyc", tmp_path)
    for protocol, passes in (("fishyscapes", 1), ("legacy100", 1), ("smiyc-obstacle", 2)):
        seen: list[tuple[int, int]] = []
        source = ScoreFolder(tmp_path / "scores", dataset.frame_ids)
        with_protocol: Any = protocol
        evaluation = evaluate_scores(
            source,
            dataset,
            with_protocol,
            lambda done, total, seen=seen: seen.append((done, total)),
        )
        assert seen == [(number + 1, 4 * passes) for number in range(4 * passes)]
        assert "smiyc_meta" not in evaluation.figures


def own_masks(folder: Path, bundle: Path, kept_only: bool) -> list[Masks]:
    """The detector's components as pixels of the image, kept ones or all."""
    detector = Detector(load_bundle(bundle))
    masks = []
    for path in sorted((folder / "images").iterdir()):
        detection = detector.detect(cv2.imread(str(path)))
        labels = cv2.imread(str(folder / "labels" / path.name), cv2.IMREAD_GRAYSCALE)
        grid = np.zeros(detection.score.shape, np.uint8)
        for one in detection.components:
            grid[detection.component_labels == one.label] = one.kept or not kept_only
        predicted = detection.letterbox.to_image(grid, cv2.INTER_NEAREST) > 0
        masks.append(Masks(predicted, labels == 254, labels == 255))
    return masks


def test_a_bundle_is_compared_with_and_without_its_meta_classifier(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The grey speck is on the road: the meta classifier drops it, and keeps the real block."""
    write_color_scenes(tmp_path)
    bundle = write_color_bundle(tmp_path / "bundle", smallest_cells=30)
    result = evaluated(
        monkeypatch, tmp_path, "--bundle", bundle.folder, "--data", tmp_path,
        "--format", "generated", "--protocol", "smiyc-obstacle",
    )  # fmt: skip
    both = result["smiyc_meta"]
    no_filter = SizeLimits(prediction_px=0, object_px=10)
    for name, kept_only in (("without_meta_classifier", False), ("with_meta_classifier", True)):
        masks = own_masks(tmp_path, bundle.folder, kept_only)
        assert both[name] == expected_of(masks, no_filter)
        assert both[name]["predictions"] == sum(
            len(slow_components(mask.predicted & ~mask.ignored)) for mask in masks
        )
    before, after = both["without_meta_classifier"], both["with_meta_classifier"]
    assert after["predictions"] < before["predictions"]
    assert after["PPV"] > before["PPV"] + 0.2
    assert after["F1"] > before["F1"] + 0.1
    assert after["sIoU"] == before["sIoU"] > 0.5
    assert result["smiyc"]["sIoU"] > 0.5
    printed = capsys.readouterr().out
    assert "of any size, with meta classifier" in printed
    assert "of any size, without meta classifier" in printed


def test_a_bundle_without_meta_classifier_has_nothing_to_compare(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_color_scenes(tmp_path)
    bundle = write_color_bundle(tmp_path / "bundle", with_meta=False)
    arguments = ("--bundle", bundle.folder, "--data", tmp_path, "--format", "generated")
    result = evaluated(monkeypatch, tmp_path, *arguments, "--protocol", "smiyc-obstacle")
    assert set(NAMES) < set(result["smiyc"])
    assert "smiyc_meta" not in result
