"""Metrics are ranked by what they tell, nothing leaks into their choice, and reasons add up."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meta_examples import example_table
from sklearn.linear_model import lars_path
from sklearn.metrics import roc_auc_score
from typer import Typer
from typer.testing import CliRunner

from ood_perception.errors import OodError
from ood_training.commands.meta_explain import explain as explain_command
from ood_training.meta.explanation import (
    explain,
    importance,
    judge_out_of_fold,
    most_mistaken,
)
from ood_training.meta.families import create_family
from ood_training.meta.folds import make_folds
from ood_training.meta.insight import metric_counts, quality_by_count, rank_in_folds
from ood_training.meta.least_angle import least_angle_path
from ood_training.meta.ranking import rank_metrics
from ood_training.meta.table_files import write_table

LOGISTIC = "logistic_regression"


def unit_columns(seed, rows=40, count=6):
    """Correlated columns of mean 0 and length 1, and a response of mean 0."""
    rng = np.random.default_rng(seed)
    columns = rng.normal(size=(rows, count)) @ rng.normal(size=(count, count))
    columns -= columns.mean(axis=0)
    response = rng.normal(size=rows)
    return columns / np.linalg.norm(columns, axis=0), response - response.mean()


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_on_the_path_no_column_outside_tells_more_than_those_within(seed):
    columns, response = unit_columns(seed)
    entered, path = least_angle_path(columns, response)
    columns, path = columns[:, entered], path[entered]  # a near-sum of others stays outside
    correlation = np.abs(columns.T @ (response[:, None] - columns @ path))
    for step in range(1, path.shape[1]):
        within = correlation[:step, step]
        np.testing.assert_allclose(within, correlation[:, step].max(), atol=1e-9)
    least_squares = np.linalg.lstsq(columns, response, rcond=None)[0]
    np.testing.assert_allclose(path[:, -1], least_squares, atol=1e-6)


def test_the_path_is_scikit_learns_where_no_coefficient_crosses_zero():
    compared = 0
    for seed in range(60):
        columns, response = unit_columns(seed)
        entered, path = least_angle_path(columns, response)
        if (path[:, 1:] * path[:, :-1] < 0).any():
            continue
        compared += 1
        _, active, expected = lars_path(columns, response, method="lar")
        assert entered.tolist() == list(active)
        np.testing.assert_allclose(path, expected, atol=1e-7)
    assert compared > 10


def test_a_sum_of_other_columns_does_not_enter_and_coefficients_stay_finite():
    columns, response = unit_columns(3)
    total = columns[:, :3].sum(axis=1) + 1e-8 * response
    entered, path = least_angle_path(
        np.column_stack([columns, total / np.linalg.norm(total)]), response
    )
    assert len(entered) == 6
    assert np.abs(path).max() < 100


def test_informative_metrics_come_first_and_constant_ones_last():
    rng = np.random.default_rng(0)
    false_positive = rng.random(400) < 0.6
    metrics = rng.normal(size=(400, 8)) * [1, 100, 1, 1e-4, 1, 1, 1, 1] + 5
    metrics[:, 1] += 300 * false_positive
    metrics[:, 3] -= 1e-4 * false_positive
    metrics[:, 6] = 0.3
    ranking = rank_metrics(metrics, false_positive)
    assert ranking.order[:2].tolist() == [1, 3]
    assert ranking.order[-1] == 6
    assert sorted(ranking.order) == list(range(8))
    assert (ranking.entered, ranking.constant) == (7, 1)
    assert ranking.coefficients[1, -1] > 0 > ranking.coefficients[3, -1]
    assert (ranking.coefficients[6] == 0).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m, y: (np.where(m > 2, np.nan, m), y), "finite"),
        (lambda m, y: (m, y | True), "both kinds"),
        (lambda m, y: (m * 0, y), "constant"),
    ],
)
def test_what_cannot_be_ranked_is_refused_in_one_line(change, message):
    rng = np.random.default_rng(1)
    metrics, false_positive = change(rng.normal(size=(90, 4)), rng.random(90) < 0.5)
    with pytest.raises(OodError, match=message) as error:
        rank_metrics(metrics, false_positive)
    assert "\n" not in str(error.value)


def noise_table(seed):
    """Many metrics that say nothing of the label, and few rows: a choice among them can leak."""
    rng = np.random.default_rng(seed)
    table = example_table(rng, components=100, sequences=10, classes=19)
    return replace(
        table,
        metrics=rng.normal(size=table.metrics.shape),
        false_positive=rng.random(len(table)) < 0.5,
    )


def test_ranking_inside_the_folds_finds_nothing_in_noise_where_ranking_before_them_does():
    within, before = [], []
    for seed in range(4):
        table = noise_table(seed)
        folds = make_folds(table, "sequence", 5)
        once = [rank_metrics(table.metrics, table.false_positive)] * len(folds)
        family = create_family(LOGISTIC)
        for rankings, found in ((rank_in_folds(table, folds), within), (once, before)):
            found += list(quality_by_count(family, table, folds, rankings, [10]).auroc)
    assert 0.4 < np.mean(within) < 0.57
    assert np.mean(before) > 0.65, "the leak that this protects from"


@pytest.mark.parametrize("kind", [LOGISTIC, "network:8"])
def test_with_all_metrics_the_quality_is_that_of_plain_cross_validation(kind):
    table = example_table(np.random.default_rng(2), components=300)
    folds = make_folds(table, "sequence", 4)
    # the columns' order must not matter: ranked by place, for the network's first weights
    rankings = [replace(one, order=np.sort(one.order)) for one in rank_in_folds(table, folds)]
    family, count = create_family(kind), table.metrics.shape[1]
    quality = quality_by_count(family, table, folds, rankings, [count])
    plain = family.fit_folds(table.metrics, table.false_positive, folds, 0)
    assert quality.auroc[0] == pytest.approx(roc_auc_score(table.false_positive, plain), abs=0.01)


def test_few_metrics_are_enough_where_few_tell():
    table = example_table(np.random.default_rng(4), components=400, sequences=16)
    folds = make_folds(table, "sequence", 4)
    counts = metric_counts(table.metrics.shape[1])
    quality = quality_by_count(
        create_family(LOGISTIC), table, folds, rank_in_folds(table, folds), counts
    )
    best = quality.average_precision.max()
    assert 1 <= quality.enough <= 5
    at = counts.index(quality.enough)
    assert quality.average_precision[at] >= best - quality.tolerance
    assert (quality.average_precision[:at] < best - quality.tolerance).all()
    assert 0 < quality.tolerance < 0.1


def test_counts_are_dense_where_the_curve_bends_and_end_with_all():
    assert metric_counts(75) == (*range(1, 22), 30, 45, 75)
    assert metric_counts(4) == (1, 2, 3, 4)
    assert metric_counts(30) == (*range(1, 22), 30)


@pytest.mark.parametrize("kind", [LOGISTIC, "network:8", "explainable_boosting"])
def test_reasons_add_up_to_the_log_odds_and_start_the_same_for_all(kind):
    table = example_table(np.random.default_rng(5), components=300)
    table = replace(table, metrics=table.metrics[:, :12])
    folds = make_folds(table, "sequence", 2)[:1]
    judged = judge_out_of_fold(create_family(kind), table, folds)
    _, tested = folds[0]
    found = [explain(table, judged, int(row), top=3) for row in tested]
    for one in found:
        log_odds = np.log(one.probability / (1 - one.probability))
        assert one.log_odds == pytest.approx(log_odds, abs=1e-9)
        parts = [abs(reason.contribution) for reason in one.reasons]
        assert parts == sorted(parts, reverse=True)
    # one classifier judged them all: before any metric speaks it says the same of each
    starts = np.array([one.start for one in found])
    assert np.ptp(starts) < (0.05 if kind.startswith("network") else 1e-6)


def test_the_most_confident_mistakes_come_first():
    probability = np.array([0.9, 0.99, 0.2, 0.6, np.nan, 0.001])
    false_positive = np.array([True, False, True, False, True, False])
    assert most_mistaken(probability, false_positive, 3).tolist() == [1, 2, 3]
    assert most_mistaken(probability, false_positive, 9).tolist() == [1, 2, 3, 0, 5]


def test_a_metric_that_decides_weighs_most():
    table = example_table(np.random.default_rng(6), components=300)
    model = create_family(LOGISTIC).fit(table.metrics, table.false_positive)
    weights = importance(model, table.metrics)
    names = table.origin.metric_names
    assert {names[i] for i in np.argsort(-weights)[:2]} == {"E", "S"}


def test_explain_writes_json_tables_and_plots(tmp_path):
    path = tmp_path / "table.parquet"
    write_table(path, example_table(np.random.default_rng(7), components=120))
    app = Typer()
    app.command()(explain_command)
    arguments = [path, "--kind", LOGISTIC, "--components", 3, "--plots", tmp_path / "plots"]
    arguments += ["--json", tmp_path / "found.json"]
    result = CliRunner().invoke(app, [str(part) for part in arguments])
    assert result.exit_code == 0, result.output
    assert "mean entropy" in result.output
    found = json.loads((tmp_path / "found.json").read_text())
    assert {found["ranking"][0]["metric"], found["ranking"][1]["metric"]} == {"E", "S"}
    assert len(found["kinds"][0]["decisions"]) == 3
    assert {path.name for path in (tmp_path / "plots").iterdir()} == {
        "lars_paths.png",
        "quality_by_count.png",
        f"importance_{LOGISTIC}.png",
        f"curves_{LOGISTIC}.png",
    }
