"""Mean, deviation, tables and plots of a comparison, from records that are written by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the training extra")
pytest.importorskip("matplotlib", reason="needs the training extra")

from comparison_examples import write_comparison

from ood_perception.errors import OodError
from ood_training.comparison.configuration import ComparisonConfiguration, load_comparison
from ood_training.comparison.markdown import comparison_markdown
from ood_training.comparison.plots import draw_comparison
from ood_training.comparison.record import RECORD_NAME, component_key, pixel_key
from ood_training.comparison.run_comparison import finished
from ood_training.comparison.summary import mean_and_deviation

CURVE = {"recall": [0.5, 1.0], "precision": [1.0, 0.6]}
METHODS = {
    "plain": {"training": {}, "scores": ["entropy", "energy"], "components": True},
    "closed": {"checkpoint": "gone.safetensors"},
}


def _comparison(folder: Path) -> ComparisonConfiguration:
    evaluations = {
        "road": {"kind": "smiyc", "data": "data/road", "protocol": "smiyc-anomaly",
                 "figures": ["AP", "FPR95"]},
        "camvid": {"kind": "camvid", "data": "data/camvid", "split": "val", "every": 3,
                   "figures": ["mIoU"]},
    }  # fmt: skip
    return load_comparison(write_comparison(folder, METHODS, evaluations=evaluations))


def _write_record(
    comparison: ComparisonConfiguration,
    method: str,
    seed: int | None,
    scores: dict[str, tuple[float, float]],
    f1: tuple[float, float | None] | None = None,
) -> None:
    road, camvid = comparison.evaluations["road"], comparison.evaluations["camvid"]
    commit = "0123456789abcdef-dirty"
    of_scores = {
        name: {"AP": ap, "FPR95": fpr, "AUROC": 0.9, "curve": CURVE, "commit": commit}
        for name, (ap, fpr) in scores.items()
    }
    content: dict[str, Any] = {
        "method": method,
        "seed": seed,
        "model": {},
        "sets": {
            "road": {"evaluation": pixel_key(road), "frames": 28, "commit": commit,
                     "scores": of_scores, "mIoU": None},
            "camvid": {"evaluation": pixel_key(camvid), "frames": 34, "commit": commit,
                       "scores": {}, "mIoU": 0.5},
        },
        "components": {},
    }  # fmt: skip
    if f1 is not None:
        content["bundle"] = {"key": {"score": "entropy"}}
        told = {"F1": f1[0], "F1 with meta": f1[1]}
        content["components"]["road"] = {
            **told, "evaluation": component_key(road), "commit": commit
        }  # fmt: skip
    path = comparison.folder(method, seed) / RECORD_NAME
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(content))


@pytest.fixture
def comparison(tmp_path: Path) -> ComparisonConfiguration:
    """Two seeds of one method and one checkpoint, all finished and their networks gone."""
    comparison = _comparison(tmp_path)
    first = {"entropy": (0.2, 0.5), "energy": (0.30, 0.4)}
    _write_record(comparison, "plain", 1, first, f1=(0.25, 0.4))
    _write_record(comparison, "plain", 2, {**first, "entropy": (0.4, 0.5)}, f1=(0.25, None))
    _write_record(comparison, "closed", None, {"entropy": (0.1, 0.75)})
    return comparison


def test_the_deviation_is_that_of_a_sample() -> None:
    told = mean_and_deviation([1.0, 2.0, 6.0])
    assert told["mean"] == 3.0
    assert told["deviation"] == pytest.approx(7**0.5)
    assert mean_and_deviation([2.0])["deviation"] is None


def test_a_table_for_each_data_set_with_the_best_precision_in_bold(
    comparison: ComparisonConfiguration,
) -> None:
    text = comparison_markdown(finished(comparison), "ood compare c.yaml")
    assert (
        """
| method | score | runs | AP | FPR95 | F1 | F1 with meta |
| --- | --- | --- | --- | --- | --- | --- |
| plain | entropy | 2 | **0.300 ± 0.141** | 0.500 ± 0.000 | 0.250 ± 0.000 | 0.400 (n = 1) |
| plain | energy | 2 | **0.300 ± 0.000** | 0.400 ± 0.000 | – | – |
| closed | entropy | 1 | 0.100 | 0.750 | – | – |
"""
        in text
    )
    assert (
        """
| method | runs | mIoU |
| --- | --- | --- |
| plain | 2 | 0.500 ± 0.000 |
| closed | 1 | 0.500 |
"""
        in text
    )


def test_the_head_says_data_protocol_command_seeds_and_commit(
    comparison: ComparisonConfiguration,
) -> None:
    text = comparison_markdown(finished(comparison), "ood compare c.yaml")
    assert "for each seed (1, 2)" in text
    assert "\n    ood compare c.yaml\n" in text
    assert "Commit 0123456-dirty." in text
    assert "**road**: data/road (smiyc), 28 frames, components by smiyc-anomaly" in text
    assert "**camvid**: data/camvid (camvid, split val), 34 frames, one in 3" in text
    assert "Latency" not in text


def test_figures_of_data_that_is_described_otherwise_now_are_not_shown(
    comparison: ComparisonConfiguration,
) -> None:
    other = comparison.evaluations["road"].model_copy(update={"every": 2})
    changed = comparison.model_copy(
        update={"evaluations": {**comparison.evaluations, "road": other}}
    )
    assert finished(changed)["sets"]["road"]["rows"] == []
    assert finished(changed)["sets"]["camvid"]["rows"] != []


def test_one_method_of_several_can_be_shown(comparison: ComparisonConfiguration) -> None:
    rows = finished(comparison, ["closed"])["sets"]["road"]["rows"]
    assert [row["method"] for row in rows] == ["closed"]


def test_plots_are_written_for_sets_with_pixel_figures_alone(
    comparison: ComparisonConfiguration, tmp_path: Path
) -> None:
    paths = draw_comparison(finished(comparison), tmp_path / "plots")
    names = {"road_AP.png", "road_FPR95.png", "road_precision_recall.png"}
    assert {path.name for path in paths} == names
    assert {path.name for path in (tmp_path / "plots").iterdir()} == names
    with pytest.raises(OodError, match="cannot write"):
        draw_comparison(finished(comparison), tmp_path / "base.yaml")


def test_a_damaged_record_is_named(comparison: ComparisonConfiguration) -> None:
    path = comparison.folder("closed") / RECORD_NAME
    path.write_text("{")
    with pytest.raises(OodError, match=r"comparison\.json: no record of a comparison"):
        finished(comparison)
