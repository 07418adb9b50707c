"""A comparison's file: methods change only what they name, and what is wrong is one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the training extra")

from comparison_examples import write_checkpoint, write_comparison

from ood_perception.errors import OodError
from ood_training.comparison.configuration import folder_name, load_comparison, merged
from ood_training.comparison.run_comparison import finished, run_comparison
from ood_training.comparison.runs import chosen_methods, make_checkpoint, runs_of

STUDIES = Path(__file__).resolve().parents[1] / "config" / "studies"


def test_a_training_changes_only_what_it_names(tmp_path: Path) -> None:
    changes = {"loss": {"ood_weight": 0.3}}
    methods = {"plain": {"training": {}}, "K=1, heavy": {"training": changes}}
    path = write_comparison(tmp_path, methods)
    comparison = load_comparison(path)
    heavy, plain = comparison.training("K=1, heavy", 2), comparison.training("plain", 1)
    assert (heavy.loss.ood_weight, plain.loss.ood_weight) == (0.3, 0.9)
    assert heavy.loss.reduction == plain.loss.reduction
    assert heavy.seed == 2
    assert heavy.output == tmp_path / "runs" / "K=1_heavy" / "seed_2"


def test_lists_are_replaced_and_sections_merged() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert merged(base, {"a": {"c": [9]}}) == {"a": {"b": 1, "c": [9]}, "d": 3}


def test_what_is_not_trained_comes_first_then_one_seed_after_the_other(tmp_path: Path) -> None:
    methods = {"a": {"training": {}}, "b": {"training": {}}, "c": {"checkpoint": "c.safetensors"}}
    comparison = load_comparison(write_comparison(tmp_path, methods))
    runs = runs_of(comparison, chosen_methods(comparison))
    assert [(run.name, run.seed) for run in runs] == [
        ("c", None), ("a", 1), ("b", 1), ("a", 2), ("b", 2),
    ]  # fmt: skip
    assert chosen_methods(comparison, ["c", "a"]) == ["a", "c"]


@pytest.mark.parametrize("name", ["one-vs-rest K=1/3", "../up", "Ärger, groß", "a b"])
def test_no_name_leaves_the_output_folder(name: str) -> None:
    assert "/" not in folder_name(name)
    assert folder_name(name) not in ("", ".", "..")


@pytest.mark.parametrize(
    ("methods", "message"),
    [
        ({"m": {"checkpoint": "a.safetensors", "scores": ["entropie"]}},
         r"methods\.m\.scores\.0: Input should be 'entropy'.*'mahalanobis'"),
        ({"m": {"checkpoint": "a.safetensors", "bundle": "b"}},
         "exactly one of training, checkpoint, bundle, dropout, not checkpoint and bundle"),
        ({"m": {"scores": ["entropy"]}}, "exactly one of .*, not none"),
        ({"m": {"bundle": "b", "scores": ["entropy"]}}, "a bundle has a score of its own"),
        ({"m": {"dropout": "d", "components": True}}, "dropout has no bundle"),
        ({"m": {"checkpoint": "a", "scores": ["energy", "energy"]}}, "a score is named twice"),
        ({"m": {"training": {"loss": {"weight": 1}}}}, r"method m: setting loss\.weight"),
        ({"m": {"training": {}, "scores": ["kernel_distance"]}},
         "method m: the score kernel_distance does not go with a network of softmax"),
        ({"m": {"training": {"head": {"kind": "kernels"}}}},
         "method m: the score entropy does not go with a network of kernels"),
        ({"a b": {"training": {}}, "a_b": {"training": {}}}, "'a b' and 'a_b' share a folder"),
        ({}, "methods: Dictionary should have at least 1 item"),
    ],
)  # fmt: skip
def test_a_wrong_method_is_named(tmp_path: Path, methods: dict[str, Any], message: str) -> None:
    with pytest.raises(OodError, match=message) as caught:
        load_comparison(write_comparison(tmp_path, methods))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base": "nowhere.yaml"}, "base: nowhere.yaml: no such training configuration"),
        ({"base": None}, "method m: name a base, the training configuration"),
        ({"seeds": []}, "seeds: .*at least 1 item"),
        ({"evaluations": {"s": {"kind": "smiyc", "data": "d"}}},
         "method m: components need an evaluation with the protocol smiyc-anomaly"),
    ],
)  # fmt: skip
def test_a_wrong_setting_around_the_methods_is_named(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    methods = {"m": {"training": {}, "components": True}}
    with pytest.raises(OodError, match=message):
        load_comparison(write_comparison(tmp_path, methods, **changes))


def test_missing_files_and_data_are_named_before_anything_is_trained(tmp_path: Path) -> None:
    def refused(message: str, method: dict[str, Any], **changes: Any) -> None:
        methods = {"first": {"training": {}}, "m": method}
        comparison = load_comparison(write_comparison(tmp_path, methods, **changes))
        with pytest.raises(OodError, match=message):
            run_comparison(comparison)
        assert not (tmp_path / "runs").exists()

    known = str(write_checkpoint(tmp_path / "known.safetensors"))
    refused("method m: .*none.safetensors: no such checkpoint", {"checkpoint": "none.safetensors"})
    refused("method m: .*nowhere", {"bundle": "nowhere"})
    refused("method m: .*none.safetensors: no such checkpoint", {"dropout": "none.safetensors"})
    refused("method m: the score kernel_distance does not go with",
            {"checkpoint": known, "scores": ["kernel_distance"]})  # fmt: skip
    refused("evaluation s: .*gone: no such folder", {"checkpoint": known},
            evaluations={"s": {"kind": "smiyc", "data": str(tmp_path / "gone")}})  # fmt: skip
    refused("no such meta configuration", {"checkpoint": known}, meta="gone.yaml")


def test_an_unknown_method_is_named_with_the_known_ones(tmp_path: Path) -> None:
    comparison = load_comparison(write_comparison(tmp_path, {"plain": {"training": {}}}))
    for work in (finished, run_comparison):
        with pytest.raises(OodError, match="no method 'plan': known are plain"):
            work(comparison, ["plan"])


def test_a_checkpoint_of_other_settings_is_refused_instead_of_measured(tmp_path: Path) -> None:
    comparison = load_comparison(write_comparison(tmp_path, {"plain": {"training": {}}}))
    run = runs_of(comparison, ["plain"])[0]
    write_checkpoint(run.folder / "only.safetensors", configuration="of another day")
    with pytest.raises(OodError, match="trained with other settings"):
        make_checkpoint(comparison, run)


@pytest.mark.parametrize("path", sorted(STUDIES.glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_comparisons_are_valid_for_every_seed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(STUDIES.parents[1])
    comparison = load_comparison(path)
    for run in runs_of(comparison, chosen_methods(comparison)):
        if run.seed is not None:
            assert comparison.training(run.name, run.seed).seed == run.seed
