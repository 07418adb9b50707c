"""`ood meta evaluate` from tables on disk to the printed table, the JSON file and the plots."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import typer
from meta_examples import example_table
from typer.testing import CliRunner

from ood_perception.errors import OodError
from ood_training.commands.meta_evaluate import evaluate_meta
from ood_training.meta.families import create_family
from ood_training.meta.figures import decision_figures
from ood_training.meta.folds import make_folds
from ood_training.meta.table import join_tables
from ood_training.meta.table_files import read_table, write_table

KIND = ("--kind", "logistic_regression")


@pytest.fixture
def tables(tmp_path: Path) -> tuple[Path, Path]:
    """Two files of tables whose components are of different images."""
    paths = (tmp_path / "first.parquet", tmp_path / "second.parquet")
    for seed, path in enumerate(paths):
        write_table(path, example_table(np.random.default_rng(seed), source=path.stem))
    return paths


def evaluated(tmp_path: Path, *arguments: Any) -> tuple[str, dict[str, Any]]:
    """What is printed, and the JSON file."""
    app = typer.Typer()
    app.command()(evaluate_meta)
    file = tmp_path / "result.json"
    words = [*map(str, arguments), "--json", str(file)]
    found = CliRunner().invoke(app, words, catch_exceptions=False)
    assert found.exit_code == 0, found.output
    return found.output, json.loads(file.read_text())


def test_kinds_are_compared_on_both_tables_out_of_fold(
    tmp_path: Path, tables: tuple[Path, Path]
) -> None:
    output, found = evaluated(
        tmp_path, *tables, *KIND, "--kind", "network:8", "--decision", 0.6, "--bootstrap", 50
    )
    table = join_tables([read_table(path) for path in tables])
    folds = make_folds(table, "sequence")
    probability = create_family("logistic_regression").fit_folds(
        table.metrics, table.false_positive, folds
    )
    by_hand = decision_figures(table, probability > 0.6)
    logistic = found["kinds"]["logistic_regression"]
    assert logistic["at_decision"]["false_positives_removed"] == by_hand.false_positives_removed
    assert logistic["at_decision"]["error_reduction"] == by_hand.error_reduction
    assert (found["components"], found["objects"]) == (len(table), table.objects)
    assert (found["folds"]["count"], found["decision"]["how"]) == (8, "given")
    for kind in found["kinds"].values():
        bounds = kind["intervals"]["average_precision"]
        assert bounds["low"] < kind["average_precision"] < bounds["high"]
    (difference,) = found["bootstrap"]["average_precision_differences"]
    assert (difference["kind"], difference["minus"]) == ("network:8", "logistic_regression")
    parts = [found["by_table"][str(path)]["kinds"]["network:8"] for path in tables]
    removed = sum(part["at_decision"]["false_positives_removed"] for part in parts)
    whole = found["kinds"]["network:8"]["at_decision"]["false_positives_removed"]
    assert removed == whole > 0
    for text in ("8 folds by sequence", "decision 0.6, given", "network:8", "objects newly missed"):
        assert text in output


def test_a_chosen_decision_is_said_to_be_nested_and_plots_are_written(
    tmp_path: Path, tables: tuple[Path, Path]
) -> None:
    folder = tmp_path / "plots"
    output, found = evaluated(
        tmp_path, tables[0], *KIND, "--keep-objects", 0.9, "--bootstrap", 0, "--plots", folder
    )
    assert "chosen to keep 90.0% of the objects hit" in output
    assert found["decision"]["how"] == "nested"
    assert "bootstrap" not in found
    chosen = found["kinds"]["logistic_regression"]["decision"]
    assert chosen["lowest"] < chosen["highest"]
    names = {"reliability", "roc", "precision_recall", "probabilities", "trade_off"}
    assert {Path(path).stem for path in found["plots"]} == names
    for path in found["plots"]:
        picture = cv2.imread(path)
        assert picture is not None
        assert picture.std() > 5


def test_learned_elsewhere_reports_the_test_table_alone(
    tmp_path: Path, tables: tuple[Path, Path]
) -> None:
    output, found = evaluated(
        tmp_path, tables[0], "--test", tables[1], *KIND, "--bootstrap", 20, "--keep-objects", 0.9
    )
    learned, test = read_table(tables[0]), read_table(tables[1])
    model = create_family("logistic_regression").fit(learned.metrics, learned.false_positive)
    decision = found["kinds"]["logistic_regression"]["decision"]["median"]
    by_hand = decision_figures(test, model.false_positive_probability(test.metrics) > decision)
    at_decision = found["kinds"]["logistic_regression"]["at_decision"]
    assert at_decision["true_positives_removed"] == by_hand.true_positives_removed
    assert (found["tables"], found["learned_from"]["tables"]) == (
        [str(tables[1])],
        [str(tables[0])],
    )
    assert "folds" not in found
    assert "learned from" in output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--decision", 0.5, "--keep-objects", 0.9), "not both"),
        (("--folds", "scene"), "no folds by 'scene'"),
        (("--decision", 1.5), "must be in"),
        (("--keep-objects", 0), "share of objects to keep"),
        (("--folds", "loo", "--keep-objects", 0.9), "with leave-one-out"),
        (KIND, "different kinds"),
        (("--bootstrap", 1), "at least 2 resamples"),
        (("--folds", "image", "--fold-count", 1), "at least 2 folds"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    tmp_path: Path, tables: tuple[Path, Path], arguments: tuple[Any, ...], message: str
) -> None:
    with pytest.raises(OodError, match=message) as refusal:
        evaluated(tmp_path, tables[0], *KIND, *arguments)
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "result.json").exists()


def test_tables_given_twice_or_of_two_bundles_are_refused(
    tmp_path: Path, tables: tuple[Path, Path]
) -> None:
    with pytest.raises(OodError, match="given twice"):
        evaluated(tmp_path, tables[0], tables[0], *KIND)
    other = tmp_path / "other.parquet"
    write_table(other, example_table(np.random.default_rng(5), model_id="another"))
    for test in ((), ("--test",)):
        with pytest.raises(OodError, match="tables of two bundles"):
            evaluated(tmp_path, tables[0], *test, other, *KIND)
