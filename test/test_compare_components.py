"""Methods as bundles: component figures without and with meta classification, and latency."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from color_bundle import write_color_bundle
from evaluation_scenes import write_color_scenes

pytest.importorskip("torch", reason="needs the training extra")

from comparison_examples import write_base, write_checkpoint, write_comparison

from ood_perception.bundle import load_bundle
from ood_training.comparison import component_figures, latency
from ood_training.comparison.configuration import load_comparison
from ood_training.comparison.latency import LATENCY_NAME, median_milliseconds
from ood_training.comparison.markdown import comparison_markdown
from ood_training.comparison.run_comparison import finished, run_comparison
from ood_training.evaluation_run import EvaluationRequest, run_evaluation


def _evaluation(data: Path) -> dict[str, Any]:
    return {"kind": "generated", "data": str(data), "protocol": "smiyc-obstacle"}


def _write_meta(folder: Path, **changes: Any) -> str:
    settings = {"data_root": str(folder), "source": {"kind": "generated", "root": "scenes"}}
    path = folder / "meta.yaml"
    path.write_text(yaml.safe_dump(settings | {"thresholds": [0.3]} | changes))
    return str(path)


def test_a_bundle_is_taken_as_it_is(tmp_path: Path) -> None:
    """Its figures are those of `ood evaluate`, pixels and components alike."""
    write_color_scenes(tmp_path / "set")
    bundle = write_color_bundle(tmp_path / "bundle", smallest_cells=30)
    path = write_comparison(
        tmp_path,
        {"bundle": {"bundle": str(bundle.folder), "components": True}},
        base=None,
        evaluations={"set": _evaluation(tmp_path / "set")},
    )
    result = run_comparison(load_comparison(path))
    (row,) = result["sets"]["set"]["rows"]
    expected = run_evaluation(
        EvaluationRequest(
            tmp_path / "set", "generated", bundle=bundle.folder, protocol="smiyc-obstacle"
        )
    )
    assert (row["score"], row["runs"]) == (expected["score"], 1)
    means = {name: one["mean"] for name, one in row["figures"].items()}
    assert [means[name] for name in ("AP", "FPR95", "AUROC")] == [
        expected[name] for name in ("AP", "FPR95", "AUROC")
    ]
    assert means["F1"] == expected["smiyc_meta"]["without_meta_classifier"]["F1"]
    assert means["F1 with meta"] == expected["smiyc_meta"]["with_meta_classifier"]["F1"]
    assert means["F1"] < means["F1 with meta"]
    assert load_bundle(bundle.folder).model_id == bundle.model_id
    text = comparison_markdown(result, "ood compare c.yaml")
    assert "| method | score | runs | AP | FPR95 | AUROC | F1 | F1 with meta |" in text
    assert result["latency"]["methods"]["bundle"]["ratio"] == 1.0
    assert result["latency"]["methods"]["bundle"]["milliseconds"] > 0


def test_a_checkpoint_becomes_a_calibrated_bundle_with_a_meta_classifier_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_base(tmp_path)
    # of these weights some components are on objects, others beside them
    known = write_checkpoint(tmp_path / "known.safetensors", seed=0)
    method = {"checkpoint": str(known), "scores": ["max_logit", "entropy"], "components": True}
    path = write_comparison(
        tmp_path,
        {"known": method},
        meta=_write_meta(tmp_path),
        evaluations={"scenes": _evaluation(tmp_path / "scenes")},
    )
    result = run_comparison(load_comparison(path))
    folder = tmp_path / "runs" / "known" / "bundle"
    manifest = load_bundle(folder).manifest
    assert manifest.score.name == "max_logit"
    assert manifest.score.unit_range is not None
    assert manifest.score.calibrated_on == "frames of test"
    assert manifest.meta_classifier is not None
    # of the configured thresholds one leaves nothing to learn from, which is said
    (note,) = result["notes"]
    assert "the meta classifier is of the calibrated threshold alone" in note
    first, second = result["sets"]["scenes"]["rows"]
    expected = run_evaluation(
        EvaluationRequest(
            tmp_path / "scenes", "generated", bundle=folder, protocol="smiyc-obstacle"
        )
    )["smiyc_meta"]
    assert first["figures"]["F1"]["mean"] == expected["without_meta_classifier"]["F1"]
    assert first["figures"]["F1 with meta"]["mean"] == expected["with_meta_classifier"]["F1"]
    assert "F1" not in second["figures"], "only the first score has a bundle"

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError("repeated")

    monkeypatch.setattr(component_figures, "export_bundle", forbidden)
    monkeypatch.setattr(component_figures, "OwnMaskComponents", forbidden)
    monkeypatch.setattr(latency, "median_milliseconds", forbidden)
    assert run_comparison(load_comparison(path)) == result
    # another primary score is another bundle: figures of the old one are not shown as its own
    method["scores"] = ["entropy", "max_logit"]
    content = yaml.safe_load(path.read_text()) | {"methods": {"known": method}}
    path.write_text(yaml.safe_dump(content))
    rows = finished(load_comparison(path))["sets"]["scenes"]["rows"]
    assert not any("F1" in row["figures"] for row in rows)
    with pytest.raises(AssertionError, match="repeated"):
        run_comparison(load_comparison(path))


def test_a_meta_classifier_that_cannot_be_fitted_is_told_and_the_others_go_on(
    tmp_path: Path,
) -> None:
    write_base(tmp_path)
    known = str(write_checkpoint(tmp_path / "known.safetensors"))
    # every component counts as false, so that there is nothing to tell apart
    path = write_comparison(
        tmp_path,
        {"known": {"checkpoint": known, "components": True}, "other": {"checkpoint": known}},
        meta=_write_meta(tmp_path, least_overlap=0.999, thresholds=[0.01]),
        evaluations={"scenes": _evaluation(tmp_path / "scenes")},
    )
    result = run_comparison(load_comparison(path))
    first, other = result["sets"]["scenes"]["rows"]
    assert "F1" in first["figures"]
    assert "F1 with meta" not in first["figures"]
    assert other["figures"]["AP"] == first["figures"]["AP"]
    (note,) = result["notes"]
    assert note.startswith("known: no meta classifier: ")
    assert note in comparison_markdown(result, "ood compare c.yaml")


def test_latencies_are_medians_over_turns_without_the_first_rounds() -> None:
    calls: list[str] = []

    class Detector:
        def __init__(self, name: str) -> None:
            self.name = name

        def detect(self, picture: str) -> None:
            calls.append(self.name + picture)

    detectors: Any = {"a": Detector("a"), "b": Detector("b")}
    pictures: Any = ["1", "2"]
    medians = median_milliseconds(detectors, pictures, rounds=1)
    assert [*medians] == ["a", "b"]
    assert all(value >= 0 for value in medians.values())
    assert calls == ["a1", "b1", "a2", "b2"] * 3


def test_latency_is_measured_again_only_for_other_bundles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_color_scenes(tmp_path / "set")
    evaluations = {"set": _evaluation(tmp_path / "set")}
    folders = [write_color_bundle(tmp_path / name).folder for name in ("one", "two")]
    path = write_comparison(
        tmp_path, {"m": {"bundle": str(folders[0])}}, base=None, evaluations=evaluations
    )
    comparison = load_comparison(path)
    counted: list[list[str]] = []

    def count(detectors: Any, *_: Any) -> dict[str, float]:
        counted.append([*detectors])
        return {name: 2.0 + 2.0 * number for number, name in enumerate(detectors)}

    monkeypatch.setattr(latency, "median_milliseconds", count)
    for bundles in (
        {"one": folders[0]},
        {"one": folders[0]},
        dict(zip("ab", folders, strict=True)),
    ):
        found = latency.measure_latency(comparison, bundles)
    assert counted == [["one"], ["a", "b"]]
    assert found is not None
    assert [one["ratio"] for one in found["methods"].values()] == [1.0, 2.0]
    assert json.loads((tmp_path / "runs" / LATENCY_NAME).read_text()) == found
    assert latency.measure_latency(comparison, {}) is None
