"""A score's statistics, range and threshold come from frames, and a bundle exports with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from training_scenes import configuration
from typer.testing import CliRunner

from ood_perception.bundle import load_bundle
from ood_perception.cli import app
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_training.evidence import Evidence
from ood_training.grid_network import GridNetwork
from ood_training.models import SegmentationNetwork
from ood_training.score_calibration import (
    Frames,
    calibrate_score,
    feature_statistics,
    logit_statistics,
)
from ood_training.score_request import SCORE_NAMES, check_evidence
from ood_training.training import train

SIZE = (32, 64)


class _Colors(SegmentationNetwork):
    """Two classes; each logit is a colour channel of the picture, 0 to 10, at stride 2."""

    def features(self, image: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.avg_pool2d(image[:, :2], 2) * 10

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        return features


def _network() -> GridNetwork:
    return GridNetwork(_Colors(2, (0, 0, 0), (1, 1, 1)).eval(), SIZE)


class _Given:
    """Frames of vertical bands: (red, green) in 0..1 and a label each."""

    def __init__(self, *bands: tuple[float, float, int]) -> None:
        self._bands = bands

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        image = np.zeros((*SIZE, 3), np.uint8)
        labels = np.full(SIZE, 255, np.uint8)
        width = SIZE[1] // len(self._bands)
        for number, (red, green, label) in enumerate(self._bands):
            part = slice(number * width, (number + 1) * width)
            image[:, part, 2], image[:, part, 1] = round(255 * red), round(255 * green)
            # away from the seams, where logits are mixed
            labels[:, part.start + 4 : part.stop - 4] = label
        for _ in range(10):  # enough pixels of every class for its own statistics
            yield image, labels


def test_logit_statistics_are_of_the_best_class_over_known_pixels() -> None:
    """Class 0 is best with 8 and 4: mean 6, deviation 2. The unknown band does not count."""
    frames = _Given((0.8, 0.2, 0), (0.4, 0.2, 1), (0.2, 0.6, 1), (0.1, 1.0, 254))
    found = logit_statistics(_network(), frames)
    assert found.means == pytest.approx((6.0, 6.0), abs=0.05)
    assert found.deviations[0] == pytest.approx(2.0, abs=0.05)
    assert found.deviations[1] < 0.05


def test_a_class_that_is_never_the_best_takes_what_all_have() -> None:
    found = logit_statistics(_network(), _Given((0.8, 0.2, 0), (0.4, 0.2, 0)))
    assert found.means[1] == pytest.approx(6.0, abs=0.05)
    assert found.deviations[1] == pytest.approx(2.0, abs=0.05)
    with pytest.raises(OodError, match="none of the training frames has a labelled pixel"):
        logit_statistics(_network(), _Given((0.8, 0.2, 255)))


def test_feature_statistics_are_the_centres_of_the_classes() -> None:
    found = feature_statistics(
        _network(), _Given((0.8, 0.2, 0), (0.4, 0.2, 0), *[(0.2, 0.6, 1)] * 2)
    )
    assert found.centers.numpy() == pytest.approx(np.array([[6, 2], [2, 6]]), abs=0.05)


def test_threshold_and_range_part_the_unknown_from_the_known() -> None:
    mixed = _Given((1.0, 0.2, 0), (0.1, 0.8, 1), (0.3, 0.1, 254), (0.6, 0.2, 0))
    found = calibrate_score(
        _network(), "max_logit", lambda: mixed, mixed, calibrated_on="bands"
    ).spec
    assert found.unit_range is not None
    # raw scores from -10 to -3 lie within four scales of the middle
    assert found.unit_range.center == pytest.approx(-6.5, abs=0.1)
    assert found.unit_range.scale == pytest.approx(7 / 8, abs=0.05)

    def mapped(raw: float) -> float:
        assert found.unit_range is not None
        return 1 / (1 + np.exp(-(raw - found.unit_range.center) / found.unit_range.scale))

    assert mapped(-6) < found.threshold <= mapped(-3)
    assert found.calibrated_on == "bands"


@pytest.mark.parametrize("frames", [_Given((0.5, 0.1, 0)), _Given((0.5, 0.1, 254))])
def test_a_calibration_needs_both_kinds_of_pixels(frames: Frames) -> None:
    with pytest.raises(OodError, match="need pixels of known classes and of unknown objects"):
        calibrate_score(_network(), "energy", lambda: frames, frames)


def test_scores_go_with_the_evidence_of_the_network() -> None:
    check_evidence("kernel_distance", "kernels")
    check_evidence("mahalanobis", "kernels")
    check_evidence("energy", "sigmoids")
    with pytest.raises(OodError, match="kernel_distance does not go with a network of softmax"):
        check_evidence("kernel_distance", Evidence().kind)
    with pytest.raises(OodError, match="take kernel_distance"):
        check_evidence("energy", "kernels")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A checkpoint of a short run and its configuration."""
    folder = tmp_path_factory.mktemp("trained")
    settings = configuration(folder)
    train(settings)
    path = folder / "training.yaml"
    path.write_text(yaml.safe_dump(settings.model_dump(mode="json")))
    return settings.output / "unknown.safetensors", path


def _export(trained: tuple[Path, Path], out: Path, *options: str) -> tuple[int, str]:
    arguments = ["export", str(trained[0]), "-o", str(out), "--trained-on", "scenes"]
    arguments += ["--terms", "Apache-2.0", "--input-size", "48", "64"]
    result = CliRunner().invoke(app, [*arguments, *options])
    return result.exit_code, f"{result.output} {result.exception or ''}"


@pytest.mark.parametrize("name", [name for name in SCORE_NAMES if name != "kernel_distance"])
def test_a_bundle_of_each_score_is_calibrated_and_detects(
    trained: tuple[Path, Path], tmp_path: Path, name: str
) -> None:
    code, said = _export(
        trained, tmp_path / "b", "--score", name, "--calibrate-on", str(trained[1])
    )
    assert code == 0, said
    bundle = load_bundle(tmp_path / "b")
    assert bundle.manifest.score.name == name
    assert bundle.manifest.score.calibrated_on == "frames of test"
    detection = Detector(bundle).detect(np.full((48, 64, 3), 120, np.uint8))
    assert 0 <= detection.score.min() <= detection.score.max() <= 1


def test_wishes_that_cannot_be_met_are_one_line(trained: tuple[Path, Path], tmp_path: Path) -> None:
    for options, said in (
        (["--score", "surprise"], "unknown score 'surprise': known are entropy,"),
        (["--score", "energy"], "has no range of its own: name a training configuration"),
        (["--score", "kernel_distance"], "it needs a head of kernels"),
    ):
        code, output = _export(trained, tmp_path / "b", *options)
        assert code != 0
        assert said in " ".join(output.split()), output
        assert not (tmp_path / "b").exists()
