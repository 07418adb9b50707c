"""`ood evaluate --scores`: exact figures of any method's score maps, protocols, plain refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from evaluation_scenes import SHAPE, evaluated, ood_evaluate, write_anomaly_set, write_image
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from ood_training.metrics.legacy100 import Legacy100
from ood_training.metrics.smiyc_pixel import SmiycPixelCurve

ROOT = Path(__file__).resolve().parent.parent


def by_scikit_learn(scores: np.ndarray, unknown: np.ndarray) -> dict[str, float]:
    false_rate, true_rate, _ = roc_curve(unknown, scores, drop_intermediate=False)
    return {
        "AP": average_precision_score(unknown, scores),
        "AUROC": roc_auc_score(unknown, scores),
        "FPR95": float(false_rate[np.argmax(true_rate >= 0.95)]),
    }


def test_half_precision_scores_give_scikit_learns_figures_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores, unknown = write_anomaly_set(tmp_path)
    result = evaluated(
        monkeypatch, tmp_path, "--scores", tmp_path / "scores", "--data", tmp_path,
        "--format", "smiyc",
    )  # fmt: skip
    for name, value in by_scikit_learn(scores.astype(float), unknown).items():
        assert result[name] == pytest.approx(value, abs=1e-12), name
    assert result["bound"] is None
    assert result["mIoU"] is None
    assert result["protocol"] == "fishyscapes"
    assert result["data"]["path"] == str(tmp_path)
    assert result["data"]["kind"] == "smiyc"
    assert result["data"]["frames"] == len(result["per_image"]) == 3
    assert result["unknown_pixels"] == unknown.sum()
    per_image = (SHAPE[0] - 5) * SHAPE[1]
    for frame in result["per_image"]:
        assert frame["unknown_pixels"] + frame["known_pixels"] == per_image
    first = by_scikit_learn(scores[:per_image].astype(float), unknown[:per_image])
    assert result["per_image"][0]["frame"] == "f0"
    assert result["per_image"][0]["AP"] == pytest.approx(first["AP"])


def test_finer_scores_come_with_bounds_that_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, unknown = write_anomaly_set(tmp_path, count=40, dtype=np.float64)
    result = evaluated(
        monkeypatch, tmp_path, "--scores", tmp_path / "scores", "--data", tmp_path,
        "--format", "smiyc",
    )  # fmt: skip
    assert set(result["bound"]) == {"AP", "FPR95", "AUROC"}
    for name, value in by_scikit_learn(scores, unknown).items():
        lowest, highest = result["bound"][name]
        assert lowest <= value <= highest
        assert lowest <= result[name] <= highest
    printed = capsys.readouterr().out
    assert f"between {result['bound']['AP'][0]:.6f} and" in printed


def test_protocols_stand_beside_the_exact_figures_under_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scores, unknown = write_anomaly_set(tmp_path)
    arguments = ("--scores", tmp_path / "scores", "--data", tmp_path, "--format", "smiyc")
    frames = list(zip(np.split(scores, 3), np.split(unknown, 3), strict=True))
    curve, legacy = SmiycPixelCurve(), Legacy100()
    for frame in frames:
        curve.add(*frame)
        legacy.add(*frame)
    for protocol in ("smiyc-anomaly", "smiyc-obstacle"):
        result = evaluated(monkeypatch, tmp_path, *arguments, "--protocol", protocol)
        assert result["protocol"] == protocol
        assert result["smiyc"]["AP"] == curve.metrics().average_precision
        assert result["smiyc"]["FPR95"] == curve.metrics().fpr95
        assert result["smiyc"]["best_f1"] == curve.metrics().best_f1
        assert result["smiyc"]["best_f1_threshold"] == curve.metrics().best_f1_threshold
        assert result["AP"] == pytest.approx(by_scikit_learn(scores, unknown)["AP"])
    result = evaluated(monkeypatch, tmp_path, *arguments, "--protocol", "legacy100")
    assert result["legacy100"]["FPR95"] == legacy.metrics().fpr95
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert lines
    assert all(line.rstrip().endswith("]") and " [" in line for line in lines)


def test_every_second_frame(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_anomaly_set(tmp_path)
    arguments = ("--scores", tmp_path / "scores", "--data", tmp_path, "--format", "smiyc")
    result = evaluated(monkeypatch, tmp_path, *arguments, "--every", 2)
    assert [frame["frame"] for frame in result["per_image"]] == ["f0", "f2"]
    assert (result["data"]["frames"], result["data"]["every"]) == (2, 2)


def test_plots_are_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_anomaly_set(tmp_path)
    result = evaluated(
        monkeypatch, tmp_path, "--scores", tmp_path / "scores", "--data", tmp_path,
        "--format", "smiyc", "--plots", tmp_path / "plots",
    )  # fmt: skip
    assert sorted(Path(one).name for one in result["plots"]) == [
        "precision_recall.png", "roc.png", "scores.png",
    ]  # fmt: skip
    for path in result["plots"]:
        assert cv2.imread(path).std() > 5


def _break(root: Path, what: str) -> None:
    scores = root / "scores" / "f1.npy"
    if what == "missing":
        scores.unlink()
    elif what == "shape":
        np.save(scores, np.zeros((3, 4), np.float32))
    elif what == "nan":
        np.save(scores, np.full(SHAPE, np.nan, np.float32))
    elif what == "text":
        scores.write_text("no array")
    elif what == "pickle":
        np.save(scores, np.array([{"a": 1}], object), allow_pickle=True)
    elif what == "complex":
        np.save(scores, np.zeros(SHAPE, np.complex64))
    elif what == "known only":
        for path in (root / "labels_masks").iterdir():
            write_image(path, np.zeros(SHAPE, np.uint8))
    elif what == "empty":
        for path in (root / "images").iterdir():
            path.unlink()


@pytest.mark.parametrize(
    ("what", "complaint"),
    [
        ("missing", "frame f1: its score map"),
        ("shape", "frame f1: its score map has the shape (3, 4), its labels (24, 32)"),
        ("nan", "f1.npy: 768 scores are NaN"),
        ("text", "f1.npy: cannot be read as a score map"),
        ("pickle", "f1.npy: cannot be read as a score map"),
        ("complex", "f1.npy: a score map holds real numbers, this one complex64"),
        ("known only", "only one kind of pixel"),
        ("empty", "no image found"),
    ],
)
def test_what_cannot_be_measured_is_one_line(
    what: str, complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write_anomaly_set(tmp_path)
    _break(tmp_path, what)
    code = ood_evaluate(
        monkeypatch, "--scores", tmp_path / "scores", "--data", tmp_path, "--format", "smiyc",
        "--json", tmp_path / "result.json",
    )  # fmt: skip
    lines = capsys.readouterr().err.strip().splitlines()
    assert code == 2
    assert len(lines) == 1
    assert complaint in lines[0]
    assert not (tmp_path / "result.json").exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((), "give either --bundle"),
        (("--bundle", "x", "--scores", "y"), "give either --bundle"),
        (("--scores", "none"), "none: no such folder of score maps"),
        (("--scores", "scores", "--protocol", "mine"), "no protocol 'mine': known are fishyscapes"),
        (("--scores", "large", "--protocol", "legacy100"), "frame f0: scores from 1"),
        (("--scores", "large", "--protocol", "smiyc-anomaly"), "frame f0: a score is beyond 65504"),
        (("--scores", "scores", "--every", "0"), "every 0-th frame cannot be taken"),
        (("--scores", "scores", "--input-size", "32", "32"), "--input-size goes with a checkpoint"),
        (("--bundle", "none.safetensors"), "no such checkpoint"),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(
    arguments: tuple[str, ...], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    write_anomaly_set(tmp_path)
    (tmp_path / "large").mkdir()
    for number in range(3):
        np.save(tmp_path / "large" / f"f{number}.npy", np.full(SHAPE, 1e5))
    monkeypatch.chdir(tmp_path)
    assert ood_evaluate(monkeypatch, "--data", ".", "--format", "smiyc", *arguments) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert complaint in lines[0]


@pytest.mark.slow
def test_frames_of_full_size_need_less_than_a_gigabyte() -> None:
    """A few frames here; `python benchmarks/evaluation_memory.py --frames 1203` takes minutes."""
    script = ROOT / "benchmarks" / "evaluation_memory.py"
    result = subprocess.run(
        [sys.executable, str(script), "--frames", "3"], check=True, capture_output=True, text=True
    )
    measured = json.loads(result.stdout)
    assert measured["frames"] == 3
    assert 0 < measured["AP"] < 1
    assert measured["peak_bytes"] < 1e9
