"""What is fitted is what is served, and a bundle takes no classifier that does not belong to it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from color_bundle import write_color_bundle
from meta_examples import example_table
from typer.testing import CliRunner

from ood_perception.bundle import Bundle, load_bundle, write_bundle
from ood_perception.errors import BundleError, OodError
from ood_perception.meta_classifier import MetaClassifier
from ood_training.commands.meta_train import train_meta_command
from ood_training.meta import training
from ood_training.meta.contract import MetaFamily, MetaModel
from ood_training.meta.promise import PromiseRequest
from ood_training.meta.table import ComponentTable
from ood_training.meta.table_files import write_table
from ood_training.meta.training import train_meta
from ood_training.meta.validation import DecisionRule

KINDS = ("logistic_regression", "explainable_boosting", "network", "network:8")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    return write_color_bundle(tmp_path / "color", with_meta=False)


def table_of(
    bundle: Bundle, seed: int = 0, sequences: slice | None = None, **changes: Any
) -> ComponentTable:
    """An example table built with the bundle's network, of some of 24 sequences."""
    table = example_table(np.random.default_rng(seed), components=600, sequences=24)
    origin = replace(
        table.origin,
        **{"network_sha256": bundle.manifest.network.sha256, "source": "examples", **changes},
    )
    table = replace(table, origin=origin)
    names = np.unique(table.object_sequence)
    return table.of_sequences(names[sequences or slice(None)])


def refusal(*arguments: Any, **named: Any) -> str:
    with pytest.raises(OodError) as caught:
        train_meta(*arguments, **named)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@dataclass
class RecordingFamily:
    """Another family's fit, and the classifier that came of it: boosting is too slow for two."""

    family: MetaFamily
    model: MetaModel | None = None

    def fit(self, metrics: np.ndarray, false_positive: np.ndarray, seed: int) -> MetaModel:
        assert seed == 5
        self.model = self.family.fit(metrics, false_positive, seed)
        return self.model


@pytest.mark.parametrize("kind", KINDS)
def test_the_bundle_gives_the_training_sides_probability_on_every_row(
    bundle: Bundle, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = table_of(bundle)
    family = RecordingFamily(training.create_family(kind))
    monkeypatch.setattr(training, "create_family", lambda _: family)
    result = train_meta(bundle.folder, table, kind, seed=5)
    assert result["kind"] == kind
    assert result["graph_difference"] <= 1e-5
    assert family.model is not None
    decided = MetaClassifier(load_bundle(bundle.folder)).decide(table.metrics)
    expected = family.model.false_positive_probability(table.metrics)
    np.testing.assert_allclose(decided.false_positive_probability, expected, atol=1e-5, rtol=0)
    assert expected.std() > 0.1, "a constant would agree with anything"
    contributions = family.model.contributions(table.metrics)
    np.testing.assert_allclose(decided.contributions, -contributions, atol=1e-4, rtol=1e-4)


def test_the_classifier_tells_what_it_was_fitted_on(bundle: Bundle) -> None:
    result = train_meta(bundle.folder, table_of(bundle, threshold=0.6), "logistic_regression")
    manifest = load_bundle(bundle.folder).manifest
    spec = manifest.meta_classifier
    assert spec is not None
    assert (spec.kind, spec.decision) == ("logistic_regression", 0.5)
    assert (spec.score, spec.threshold, spec.training_source) == ("entropy", 0.6, "examples")
    assert spec.promise is None
    assert (manifest.score.threshold, result["threshold_before"]) == (0.6, 0.7)
    json.dumps(result, allow_nan=False)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"network_sha256": "0" * 64}, "another network"),
        ({"network_sha256": ""}, "another network"),
        ({"score": "energy"}, "score energy"),
        ({"metric_names": ("E",)}, "other metrics"),
    ],
)
def test_a_table_of_another_bundle_is_refused(bundle: Bundle, change: dict, words: str) -> None:
    assert words in refusal(bundle.folder, table_of(bundle, **change))
    assert load_bundle(bundle.folder).model_id == bundle.model_id


def test_a_second_fit_on_the_same_table_is_taken(bundle: Bundle) -> None:
    """The bundle's id changes with every classifier written into it, its network does not."""
    table = table_of(bundle)
    first = train_meta(bundle.folder, table)
    second = train_meta(bundle.folder, table, rule=DecisionRule(0.9))
    assert first["model"] != second["model"]
    assert second["decision"] == 0.9


def test_objects_are_kept_out_of_fold(bundle: Bundle) -> None:
    result = train_meta(bundle.folder, table_of(bundle), rule=DecisionRule(keep_objects=0.95))
    counts = result["out_of_fold"]
    assert 0.5 <= result["decision"] < 1
    assert counts["objects_hit_after_meta"] >= 0.95 * counts["objects_hit"]
    assert counts["false_positives_removed"] > 0


def test_the_promise_is_stored_and_holds_on_fresh_data(bundle: Bundle) -> None:
    """Fresh: sequences of another seed, and the decision of the bundle by the vehicle's code."""
    request = PromiseRequest(0.1, table_of(bundle, sequences=slice(12, None)))
    result = train_meta(bundle.folder, table_of(bundle, sequences=slice(12)), promise=request)
    loaded = load_bundle(bundle.folder)
    spec = loaded.manifest.meta_classifier
    assert spec is not None
    assert spec.promise is not None
    assert result["promise"] == spec.promise.model_dump()
    hit = request.calibration.hit()
    assert (spec.promise.alpha, spec.promise.objects) == (0.1, hit.sum())
    classifier = MetaClassifier(loaded)
    kept = classifier.decide(request.calibration.metrics).kept
    share = 1 - request.calibration.hit(kept).sum() / hit.sum()
    assert spec.promise.risk == pytest.approx(share)
    assert share <= 0.1
    fresh = [table_of(bundle, seed) for seed in range(1, 6)]
    found = sum(table.hit().sum() for table in fresh)
    left = sum(table.hit(classifier.decide(table.metrics).kept).sum() for table in fresh)
    # One calibration's share strays about alpha by sqrt(alpha (1 - alpha) / n), the promise is of
    # the mean: three deviations, beside the counting of the fresh objects.
    spread = np.sqrt(0.09 / spec.promise.objects + 0.09 / found)
    assert 1 - left / found <= 0.1 + 3 * spread
    assert 1 - left / found > 0, "a promise kept by dropping nothing is none"


def test_a_calibration_that_cannot_hold_is_refused(bundle: Bundle) -> None:
    table, rest = table_of(bundle, sequences=slice(12)), slice(12, None)
    shared = PromiseRequest(0.1, table_of(bundle, sequences=slice(11, None)))
    assert "share 1 of their sequences" in refusal(bundle.folder, table, promise=shared)
    other = PromiseRequest(0.1, table_of(bundle, sequences=rest, threshold=0.3))
    assert "one bundle and threshold" in refusal(bundle.folder, table, promise=other)
    small = PromiseRequest(0.001, table_of(bundle, sequences=rest))
    assert "at least 999 objects" in refusal(bundle.folder, table, promise=small)
    assert load_bundle(bundle.folder).manifest.meta_classifier is None


def test_the_model_card_is_replaced_where_it_was_written(bundle: Bundle) -> None:
    card = bundle.folder / "README.md"
    card.write_text("# Mine\n\nBefore.\n")
    table = table_of(bundle, sequences=slice(12))
    train_meta(bundle.folder, table)
    card.write_text(card.read_text() + "\nAfter.\n")
    request = PromiseRequest(0.2, table_of(bundle, sequences=slice(12, None)))
    train_meta(bundle.folder, table, "network:8", promise=request)
    text = card.read_text()
    assert text.startswith("# Mine\n\nBefore.\n")
    assert text.endswith("\nAfter.\n")
    assert text.count("## Meta classifier") == 1
    assert "logistic" not in text
    assert "network:8" in text
    assert "only of objects that the score hit, on data alike" in text
    card.write_text(text.replace("<!-- end: written by ood meta train -->", ""))
    assert "torn" in refusal(bundle.folder, table)


def test_a_classifier_of_another_threshold_is_refused_when_it_is_loaded(bundle: Bundle) -> None:
    train_meta(bundle.folder, table_of(bundle))
    trained = load_bundle(bundle.folder)
    score = trained.manifest.score.model_copy(update={"threshold": 0.4})
    changed = write_bundle(
        bundle.folder,
        trained.manifest.model_copy(update={"score": score}),
        trained.network_onnx,
        trained.meta_classifier_onnx,
    )
    with pytest.raises(BundleError, match=r"fitted on entropy >= 0\.7.*`ood meta train`"):
        MetaClassifier(changed)
    nothing = MetaClassifier(changed.without_meta_classifier())
    assert nothing.decide(np.ones((2, len(nothing.names)))).kept.all()


@pytest.mark.parametrize("name", ["street", "generated"])
def test_bundles_that_tell_no_promise_are_still_read(name: str) -> None:
    bundle = load_bundle(ROOT / "models" / name)
    assert bundle.manifest.schema_version == 1
    MetaClassifier(bundle)


def test_components_of_one_kind_are_refused(bundle: Bundle) -> None:
    table = table_of(bundle)
    one_kind = replace(table, false_positive=np.ones(len(table), bool))
    assert "both kinds" in refusal(bundle.folder, one_kind)


def test_the_verb_trains_with_a_promise_and_writes_json(bundle: Bundle, tmp_path: Path) -> None:
    write_table(tmp_path / "train.parquet", table_of(bundle, sequences=slice(12)))
    write_table(tmp_path / "held.parquet", table_of(bundle, sequences=slice(12, None)))
    app = typer.Typer()
    app.command()(train_meta_command)
    given = [str(tmp_path / "train.parquet"), "--bundle", str(bundle.folder)]
    promise = ["--promise-alpha", "0.1", "--calibration", str(tmp_path / "held.parquet")]
    done = CliRunner().invoke(app, [*given, *promise, "--json", str(tmp_path / "result.json")])
    assert done.exit_code == 0, done.output
    written = json.loads((tmp_path / "result.json").read_text())
    assert written["promise"]["alpha"] == 0.1
    assert written["model"] == load_bundle(bundle.folder).model_id
    for wrong in ([*given, *promise, "--decision", "0.6"], [*given, *promise[:2]], given[1:]):
        assert isinstance(CliRunner().invoke(app, wrong).exception, OodError)
