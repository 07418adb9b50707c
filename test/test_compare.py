"""`ood compare` trains what is missing, measures all scores in one pass, and repeats nothing."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

pytest.importorskip("torch", reason="needs the training extra")

from comparison_examples import SIZE, write_checkpoint, write_comparison

import ood_training.training as training
from ood_perception.cli import main
from ood_perception.errors import OodError
from ood_training import score_dropout
from ood_training.comparison.configuration import load_comparison
from ood_training.comparison.run_comparison import finished, run_comparison
from ood_training.evaluation_run import EvaluationRequest, run_evaluation
from ood_training.grid_network import GridNetwork
from ood_training.score_checkpoint import CheckpointScores
from ood_training.score_source import ScoredFrame

SCORES = ["entropy", "max_logit", "standardized_max_logit", "mahalanobis"]
FRAMES = 4


@pytest.fixture(scope="module")
def compared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A comparison of a training with two seeds and a checkpoint that has been run, and result."""
    folder = tmp_path_factory.mktemp("compared")
    known = write_checkpoint(folder / "known.safetensors")
    methods = {
        "trained": {"training": {"loss": {"ood_weight": 0.5}}, "scores": ["entropy", "energy"]},
        "known": {"checkpoint": str(known), "scores": SCORES},
    }
    path = write_comparison(folder, methods)
    return path, run_comparison(load_comparison(path))


@pytest.fixture
def copied(compared: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """The finished comparison with runs of this test's own; scenes and base stay where they are."""
    source = compared[0].parent
    shutil.copytree(source / "runs", tmp_path / "runs")
    shutil.copy(source / "known.safetensors", tmp_path)
    content = yaml.safe_load(compared[0].read_text())
    content["output"] = str(tmp_path / "runs")
    content["methods"]["known"]["checkpoint"] = str(tmp_path / "known.safetensors")
    path = tmp_path / "comparison.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One entry for every run of a network on a frame."""
    seen: list[int] = []
    look = GridNetwork.look
    monkeypatch.setattr(
        GridNetwork, "look", lambda self, image: (seen.append(1), look(self, image))[1]
    )
    return seen


def _forbid_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: Any) -> None:
        raise AssertionError("trained again")

    monkeypatch.setattr(training, "train", forbidden)


def _rows(result: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["method"], row["score"]): row for row in result["sets"]["scenes"]["rows"]}


def _add_to(path: Path, **methods: Any) -> None:
    content = yaml.safe_load(path.read_text())
    content["methods"] |= methods
    path.write_text(yaml.safe_dump(content, sort_keys=False))


def test_entropy_has_the_figures_of_ood_evaluate(compared: tuple[Path, dict[str, Any]]) -> None:
    path, result = compared
    folder = path.parent
    for method, name in (("known", "known.safetensors"),
                         ("trained", "runs/trained/seed_2/only.safetensors")):  # fmt: skip
        expected = run_evaluation(
            EvaluationRequest(
                folder / "scenes", "generated", bundle=folder / name, input_size=(48, 64)
            )
        )
        row = _rows(result)[method, "entropy"]
        for figure in ("AP", "FPR95", "AUROC", "mIoU"):
            # a training in between may have changed the number of threads, and with it the rounding
            assert row["figures"][figure]["values"][-1] == pytest.approx(expected[figure], rel=1e-3)


def test_every_score_of_every_method_has_a_row_over_its_runs(
    compared: tuple[Path, dict[str, Any]],
) -> None:
    rows = _rows(compared[1])
    assert [*rows] == [
        ("trained", "entropy"), ("trained", "energy"), *(("known", score) for score in SCORES),
    ]  # fmt: skip
    assert [row["primary"] for row in rows.values()] == [True, False, True, False, False, False]
    assert [row["runs"] for row in rows.values()] == [2, 2, 1, 1, 1, 1]
    values = rows["trained", "energy"]["figures"]["AP"]
    first, second = values["values"]
    assert first != second, "the seeds have no say"
    assert values["mean"] == pytest.approx((first + second) / 2)
    assert values["deviation"] == pytest.approx(abs(first - second) / 2**0.5)
    assert rows["known", "entropy"]["figures"]["AP"]["deviation"] is None
    separate = [rows["known", score]["figures"]["AUROC"]["mean"] for score in SCORES]
    assert len(set(separate)) == len(SCORES)
    curve = rows["trained", "entropy"]["curve"]
    assert np.all(np.diff(curve["recall"]) >= 0)
    assert curve["recall"][-1] == 1.0


def test_all_scores_of_a_checkpoint_come_from_one_pass(
    copied: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _forbid_training(monkeypatch)
    checkpoint = str(copied.parent / "known.safetensors")
    scores = ["entropy", "energy", "max_min_logit"]
    _add_to(copied, again={"checkpoint": checkpoint, "scores": scores})
    result = run_comparison(load_comparison(copied))
    assert len(looks) == FRAMES
    assert {("again", score) for score in scores} < set(_rows(result))


def test_nothing_that_is_finished_is_repeated(
    copied: Path, compared: tuple[Path, dict[str, Any]], looks: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    _forbid_training(monkeypatch)
    files = {path: path.stat().st_mtime_ns for path in (copied.parent / "runs").rglob("*.*")}
    result = run_comparison(load_comparison(copied))
    assert looks == []
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert result["sets"]["scenes"]["rows"] == compared[1]["sets"]["scenes"]["rows"]


def test_a_new_score_is_measured_beside_the_known_ones(
    copied: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _forbid_training(monkeypatch)
    before = _rows(finished(load_comparison(copied)))
    checkpoint = str(copied.parent / "known.safetensors")
    _add_to(copied, known={"checkpoint": checkpoint, "scores": ["max_softmax", *SCORES]})
    rows = _rows(run_comparison(load_comparison(copied)))
    assert len(looks) == FRAMES, "the statistics of other scores were fitted again"
    assert rows["known", "max_softmax"]["primary"]
    for score in SCORES:
        assert rows["known", score]["figures"] == before["known", score]["figures"]


def test_a_new_data_set_for_classes_alone_computes_no_score(
    copied: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _forbid_training(monkeypatch)
    content = yaml.safe_load(copied.read_text())
    content["evaluations"]["classes"] = content["evaluations"]["scenes"] | {"figures": ["mIoU"]}
    copied.write_text(yaml.safe_dump(content, sort_keys=False))
    result = run_comparison(load_comparison(copied), ["known"])
    assert len(looks) == FRAMES, "statistics were fitted for scores that nobody wants"
    (row,) = result["sets"]["classes"]["rows"]
    assert (row["score"], row["runs"], [*row["figures"]]) == (None, 1, ["mIoU"])
    assert row["figures"]["mIoU"] == _rows(result)["known", "entropy"]["figures"]["mIoU"]


def test_another_checkpoint_in_the_same_place_is_measured_anew(
    copied: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    _forbid_training(monkeypatch)
    before = _rows(finished(load_comparison(copied)))["known", "entropy"]["figures"]["AP"]["mean"]
    write_checkpoint(copied.parent / "known.safetensors", seed=5)
    assert ("known", "entropy") not in _rows(finished(load_comparison(copied)))
    after = _rows(run_comparison(load_comparison(copied), ["known"]))
    assert after["known", "entropy"]["figures"]["AP"]["mean"] != before
    assert ("trained", "entropy") not in after


def test_an_interrupted_comparison_trains_only_what_is_missing(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    comparison = load_comparison(copied)
    before = _rows(finished(comparison))["trained", "energy"]["figures"]
    shutil.rmtree(copied.parent / "runs" / "trained")
    seeds: list[int] = []
    train = training.train

    def interrupted_once(settings: Any) -> None:
        seeds.append(settings.seed)
        if seeds == [1, 2]:
            raise KeyboardInterrupt
        train(settings)

    monkeypatch.setattr(training, "train", interrupted_once)
    with pytest.raises(KeyboardInterrupt):
        run_comparison(comparison)
    assert _rows(finished(comparison))["trained", "energy"]["runs"] == 1
    after = _rows(run_comparison(comparison))["trained", "energy"]["figures"]
    assert seeds == [1, 2, 2]
    assert after == before


def test_a_finished_training_without_its_checkpoint_is_named(copied: Path) -> None:
    (copied.parent / "runs" / "trained" / "seed_2" / "only.safetensors").unlink()
    with pytest.raises(OodError, match=r"only\.safetensors is gone, .* remove .*seed_2"):
        run_comparison(load_comparison(copied))


def test_only_show_trains_and_measures_nothing(
    tmp_path: Path, looks: list[int], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    _forbid_training(monkeypatch)
    path = write_comparison(tmp_path, {"trained": {"training": {}}})
    assert _ood_compare(monkeypatch, path, "--only-show") == 0
    assert looks == []
    assert not (tmp_path / "runs").exists()
    assert "Nothing of this comparison is finished" in capsys.readouterr().out


def test_dropout_is_one_more_row_with_its_own_score(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[Any, ...]] = []

    class Stand:
        """A source in the place of Monte-Carlo dropout, which the tiny network has no layer for."""

        score_name = "mc_dropout"

        def __init__(self, path: Path, input_size: tuple[int, int], samples: int) -> None:
            asked.append((path, input_size, samples))
            self._inner = CheckpointScores(path, input_size)
            self.classes = self._inner.classes

        def score_frame(self, frame_id: str, image: Any) -> ScoredFrame:
            return self._inner.score_frame(frame_id, image)

    monkeypatch.setattr(score_dropout, "DropoutScores", Stand)
    checkpoint = copied.parent / "known.safetensors"
    _add_to(copied, dropout={"dropout": str(checkpoint), "samples": 3})
    rows = _rows(run_comparison(load_comparison(copied), ["dropout", "known"]))
    assert asked == [(checkpoint, tuple(SIZE), 3)]
    dropout, known = (
        rows[key]["figures"] for key in (("dropout", "mc_dropout"), ("known", "entropy"))
    )
    assert {name: one["mean"] for name, one in dropout.items()} == pytest.approx(
        {name: one["mean"] for name, one in known.items()}, rel=1e-3
    )


def test_the_command_writes_table_plots_and_json_whole(
    copied: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    _forbid_training(monkeypatch)
    out = tmp_path / "out"
    assert _ood_compare(
        monkeypatch, copied, "--markdown", out / "r.md", "--plots", out, "--json", out / "r.json"
    ) == 0  # fmt: skip
    text = (out / "r.md").read_text()
    assert text.strip() in capsys.readouterr().out
    assert f"    ood compare {copied}" in text
    assert json.loads((out / "r.json").read_text()) == finished(load_comparison(copied))
    pictures = {"scenes_AP.png", "scenes_FPR95.png", "scenes_precision_recall.png"}
    assert {path.name for path in out.iterdir()} == {*pictures, "r.md", "r.json"}
    for name in pictures:
        assert (out / name).read_bytes().endswith(b"IEND\xaeB`\x82")


def _ood_compare(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["ood", "compare", *(str(one) for one in arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)
