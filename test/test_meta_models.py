"""Meta classifiers of every kind: what they learn, refuse and say, and that ONNX says the same."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.contract import Fold, MetaModel
from ood_training.meta.families import FAMILY_KINDS, create_family
from ood_training.meta.network import hidden_widths, parameter_count

Table = tuple[NDArray[np.float64], NDArray[np.bool_]]
KINDS = (*FAMILY_KINDS, "network:50-50", "network:12-30-7", "network:none")
CONSTANT, SIGNAL = 1, 0


def example(count: int = 300, metric_count: int = 6, seed: int = 0) -> Table:
    """Metrics of which the first decides, the second is constant and the others are noise."""
    rng = np.random.default_rng(seed)
    false_positive = rng.random(count) < 0.6
    metrics = rng.normal(5, 100, (count, metric_count))
    metrics[:, SIGNAL] = np.where(false_positive, 0.2, 0.9) + rng.normal(0, 0.1, count)
    metrics[:, CONSTANT] = 3.0
    return metrics, false_positive


@pytest.fixture(scope="module", params=KINDS)
def fitted(request: pytest.FixtureRequest) -> MetaModel:
    # one neuron starts far away and takes small steps: it needs many
    return create_family(request.param).fit(*example(4000 if request.param[-4:] == "none" else 300))


def run(graph: bytes, metrics: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    session = onnxruntime.InferenceSession(graph)
    return session.run(["false_positive_probability", "contributions"], {"metrics": metrics})


def test_a_model_learns_what_decides(fitted: MetaModel) -> None:
    metrics, false_positive = example(seed=1)
    probability = fitted.false_positive_probability(metrics)
    assert ((probability > 0.5) == false_positive).mean() > 0.95
    contributions = fitted.contributions(metrics)
    # a higher signal speaks against a false positive, more than any noise speaks
    assert np.corrcoef(contributions[:, SIGNAL], metrics[:, SIGNAL])[0, 1] < -0.5
    strength = np.abs(contributions).mean(axis=0)
    assert strength[SIGNAL] > 2 * np.delete(strength, SIGNAL).max()


def test_onnx_says_what_the_training_side_says_on_every_row(fitted: MetaModel) -> None:
    metrics, _ = example(700, seed=2)
    metrics[:100] *= 20  # far from what it was fitted on
    probability, contributions = run(fitted.to_onnx(), metrics)
    assert probability.dtype == contributions.dtype == np.float64
    expected = fitted.false_positive_probability(metrics)
    np.testing.assert_allclose(probability, expected, rtol=0, atol=1e-9)
    wanted = fitted.contributions(metrics)
    # a network's are computed in float32
    np.testing.assert_allclose(contributions, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())
    assert [len(output) for output in run(fitted.to_onnx(), metrics[:0])] == [0, 0]
    assert fitted.contributions(metrics[:0]).shape == (0, metrics.shape[1])


def test_contributions_sum_to_the_change_of_the_log_odds(fitted: MetaModel) -> None:
    metrics, _ = example(seed=3)
    probability = np.clip(fitted.false_positive_probability(metrics), 1e-12, 1 - 1e-12)
    certain = np.abs(probability - 0.5) > 0.4999999
    log_odds = np.log(probability) - np.log1p(-probability)
    rest = (log_odds - fitted.contributions(metrics).sum(axis=1))[~certain]
    assert len(rest) > 100
    # what is left is the log-odds at the mean, the same for every component
    assert np.ptp(rest) < 1e-3


def test_a_constant_metric_has_no_effect_whatever_it_is_later(fitted: MetaModel) -> None:
    metrics, _ = example(seed=4)
    changed = metrics.copy()
    changed[:, CONSTANT] = -1e6
    for table in (metrics, changed):
        assert not fitted.contributions(table)[:, CONSTANT].any()
    np.testing.assert_array_equal(
        fitted.false_positive_probability(metrics), fitted.false_positive_probability(changed)
    )


def test_no_number_in_gives_no_number_out(fitted: MetaModel) -> None:
    """The vehicle keeps a component whose probability is none, so it must not become one."""
    metrics, _ = example(5, seed=5)
    metrics[2, SIGNAL] = np.nan
    probability, _ = run(fitted.to_onnx(), metrics)
    np.testing.assert_array_equal(np.isnan(probability), [0, 0, 1, 0, 0])
    assert np.isnan(fitted.false_positive_probability(metrics)[2])


def halves(count: int) -> list[Fold]:
    """Two folds of different sizes; the last rows are tested by none."""
    rows = np.arange(count)
    middle = count // 2
    return [(rows[middle:], rows[:middle]), (rows[: middle - 10], rows[middle:-4])]


@pytest.mark.parametrize("kind", FAMILY_KINDS)
def test_a_fold_is_the_fit_on_its_rows_alone(kind: str) -> None:
    metrics, false_positive = example(280, metric_count=3)
    family, folds = create_family(kind), halves(280)
    seen: list[tuple[int, int]] = []
    result = family.fit_folds(
        metrics, false_positive, folds, 7, lambda done, total: seen.append((done, total))
    )
    for rows, tested in folds:
        alone = family.fit(metrics[rows], false_positive[rows], 7)
        expected = alone.false_positive_probability(metrics[tested])
        np.testing.assert_allclose(result[tested], expected, rtol=0, atol=1e-4)
    np.testing.assert_array_equal(np.isnan(result), np.arange(280) >= 276)
    assert seen[-1][0] == seen[-1][1] > 0


@pytest.mark.parametrize("kind", FAMILY_KINDS)
def test_what_cannot_be_learned_from_is_one_line(kind: str) -> None:
    metrics, false_positive = example(200)
    family = create_family(kind)
    with pytest.raises(OodError, match="both kinds, but all 200 are false positives"):
        family.fit(metrics, np.ones(200, bool))
    with pytest.raises(OodError, match="both kinds, but all 200 are hits"):
        family.fit(metrics, np.zeros(200, bool))
    rows = np.arange(200)
    only_hits = rows[~false_positive]
    with pytest.raises(OodError, match=r"fold 2 of 2: .* both kinds, but all .* hits"):
        family.fit_folds(metrics, false_positive, [(rows, rows), (only_hits, rows)])
    metrics[17, 2] = np.nan
    with pytest.raises(OodError, match="metric 2 of component 17 is nan, no finite number"):
        family.fit(metrics, false_positive)
    with pytest.raises(OodError, match="metric 2 of component 17 is nan"):
        family.fit_folds(metrics, false_positive, [(rows, rows)])
    with pytest.raises(OodError, match="a row a component"):
        family.fit(metrics[:50], false_positive)


def test_kinds_name_their_families() -> None:
    assert [create_family(kind).kind for kind in KINDS] == list(KINDS)
    assert hidden_widths("network") == hidden_widths("network:75-75-75") == (75, 75, 75)
    assert hidden_widths("network:none") == ()
    for unknown in ("forest", "network:", "network:0-5", "network:5-", "network:a", "Network"):
        with pytest.raises(OodError, match="unknown kind of meta classifier"):
            create_family(unknown)


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("network", 17_176),
        ("network:none", 76),
        ("network:75", 5_776),
        ("network:75-75-75-75-75-75", 34_276),
        ("network:15-15-15", 1_636),
        ("network:110-110-110", 32_891),
        ("network:130-45-30", 17_186),
        ("network:60-140-30", 17_361),
        ("network:40-80-135", 17_391),
    ],
)
def test_networks_have_as_many_parameters_as_in_the_thesis(kind: str, parameters: int) -> None:
    hidden = hidden_widths(kind)
    assert hidden is not None
    assert parameter_count(75, hidden) == parameters
