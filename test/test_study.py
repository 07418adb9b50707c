"""A study merges its variants into the base recipe, does not repeat what is done, and averages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ood_perception.errors import OodError

pytest.importorskip("torch", reason="needs the training extra")

from ood_training.study import FIGURES_NAME, finished
from ood_training.study_configuration import load_study, merged
from ood_training.study_table import study_table

BASE = {
    "name": "base",
    "data_root": "data",
    "output": "runs/base",
    "model": "tiny_unet",
    "sources": [{"kind": "generated", "root": "train"}],
    "loss": {"ood_weight": 0.1, "reduction": "per_term"},
    "stages": [
        {
            "name": "only",
            "epochs": 1,
            "steps_per_epoch": 2,
            "encoder_learning_rate": 0.001,
            "decoder_learning_rate": 0.001,
        }
    ],
}


def _study(folder: Path, **changes: object) -> Path:
    (folder / "base.yaml").write_text(yaml.safe_dump(BASE))
    content = {
        "base": str(folder / "base.yaml"),
        "output": str(folder / "runs"),
        "seeds": [1, 2],
        "variants": {"plain": {}, "heavy": {"loss": {"ood_weight": 0.9}}},
        "evaluations": {"set": {"kind": "smiyc", "data": "data/set"}},
    }
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump(content | changes))
    return path


def test_a_variant_changes_only_what_it_names(tmp_path: Path) -> None:
    study = load_study(_study(tmp_path))
    heavy = study.training("heavy", 2)
    assert heavy.loss.ood_weight == 0.9
    assert heavy.loss.reduction == "per_term"
    assert heavy.seed == 2
    assert heavy.output == tmp_path / "runs" / "heavy" / "seed_2"
    assert study.training("plain", 1).loss.ood_weight == 0.1


def test_lists_are_replaced_and_sections_merged() -> None:
    base = {"a": {"b": 1, "c": [1, 2]}, "d": 3}
    assert merged(base, {"a": {"c": [9]}}) == {"a": {"b": 1, "c": [9]}, "d": 3}


def test_a_wrong_setting_names_the_variant(tmp_path: Path) -> None:
    path = _study(tmp_path, variants={"bad": {"loss": {"weight": 1}}})
    with pytest.raises(OodError, match=r"variant bad: setting loss\.weight"):
        load_study(path)


def test_a_missing_base_is_named(tmp_path: Path) -> None:
    with pytest.raises(OodError, match=r"base: .*nowhere\.yaml"):
        load_study(_study(tmp_path, base=str(tmp_path / "nowhere.yaml")))


def test_the_table_shows_mean_and_sample_deviation_of_what_is_finished(tmp_path: Path) -> None:
    study = load_study(_study(tmp_path))
    for seed, value in ((1, 0.2), (2, 0.4)):
        folder = study.folder("plain", seed)
        folder.mkdir(parents=True)
        entry = {"seed": seed, "commit": None, "figures": {"set": {"AP": value}}}
        (folder / FIGURES_NAME).write_text(json.dumps(entry))
    table = study_table(finished(study))
    assert "| plain | 2 | 0.300 ± 0.141 |" in table
    assert "heavy" not in table


def test_a_checkpoint_of_other_settings_is_refused_instead_of_measured(tmp_path: Path) -> None:
    pytest.importorskip("safetensors", reason="needs the training extra")
    from ood_training import checkpoint
    from ood_training.models import create_model
    from ood_training.study import run_study

    study = load_study(_study(tmp_path))
    path = study.folder("plain", 1) / "only.safetensors"
    progress = checkpoint.Progress(
        stage=1, step=0, total_step=2, model="tiny_unet", classes=("road", "sky"),
        decoder_channels=None, configuration="of another day",
    )  # fmt: skip
    checkpoint.save_checkpoint(path, create_model("tiny_unet", 2), None, progress)
    with pytest.raises(OodError, match="trained with other settings"):
        run_study(study, ["plain"])
