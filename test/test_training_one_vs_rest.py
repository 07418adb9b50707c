"""Training with one-vs-rest: the loss that was asked for, and the same bits after a pause."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError
from training_scenes import assert_same_bits, configuration, model_state, stage

from ood_perception.errors import OodError
from ood_training.checkpoint import read_checkpoint
from ood_training.configuration import TrainingConfiguration
from ood_training.export import load_trained_network
from ood_training.losses import one_vs_rest_loss
from ood_training.training import train
from ood_training.training.trainer import Trainer

LOSS = {"kind": "one_vs_rest", "ood_weight": 0.4, "top_k": 1, "logit_scale": 1.5}


def _settings(folder: Path, **changes: Any) -> TrainingConfiguration:
    stages = [
        stage("known"),
        stage("others", unknown_objects=True, batch_norm="eval", freeze="all_but_head"),
    ]
    return configuration(folder, loss=LOSS, stages=stages, **changes)


def test_the_second_stage_trains_the_head_with_the_loss_that_is_named(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    train(settings)
    known, others = (model_state(settings.output / f"{n}.safetensors") for n in ("known", "others"))
    changed = [name for name in known if not known[name].equal(others[name])]
    assert sorted(changed) == ["model.classifier.bias", "model.classifier.weight"]
    evidence = [
        load_trained_network(settings.output / f"{name}.safetensors")[0].evidence
        for name in ("known", "others")
    ]
    assert [(one.kind, one.scale) for one in evidence] == [("softmax", 1.0), ("sigmoids", 1.5)]


def test_a_step_tells_the_loss_of_its_batch(tmp_path: Path) -> None:
    """Of the whole batch, by the loss as it is defined, at the weights before the step."""
    settings = _settings(tmp_path, micro_batches=2)
    trainer = Trainer(settings)
    second = settings.stages[1]
    trainer._begin_stage(second)
    assert trainer.optimizer is not None
    ((images, labels), *_) = list(trainer._batches(second, range(1)))
    with torch.no_grad():
        logits = trainer.network(trainer.step._normalise(images))
        expected = one_vs_rest_loss(logits, labels, ood_weight=0.4, top_k=1, scale=1.5)
    found = trainer.step.run(images, labels, second, trainer.optimizer, (1, 0))
    assert (labels == 254).any(), "without unknown pixels this says little"
    assert found == pytest.approx(float(expected), rel=1e-4)


def test_an_interrupted_run_ends_with_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _settings(tmp_path, output=tmp_path / "whole", checkpoint_each_steps=1)
    train(whole)
    parts = _settings(tmp_path, output=tmp_path / "parts", checkpoint_each_steps=1)
    trainer = Trainer(parts)
    run, steps = trainer.step.run, 0

    def interrupted(*given: Any) -> float:
        nonlocal steps
        steps += 1
        if steps == 5:  # in the second stage
            raise KeyboardInterrupt
        return run(*given)

    monkeypatch.setattr(trainer.step, "run", interrupted)
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert read_checkpoint(parts.output / "last.safetensors")[1].stage == 1
    train(parts)
    assert_same_bits(*(model_state(one.output / "others.safetensors") for one in (whole, parts)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"loss": {"kind": "entropy_maximization"}}, "top_k and logit_scale are of kind"),
        ({"loss": {"reduction": "legacy"}}, "knows only the reduction per_term"),
        ({"loss": {"logit_scale": float("inf")}}, "finite number"),
        ({"head": {"length_scale": 0.5}}, "length_scale is of kind kernels"),
    ],
)
def test_settings_that_would_say_nothing_are_refused(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(ValidationError, match=said):
        _settings(tmp_path, **changes) if "loss" not in changes else configuration(
            tmp_path,
            loss={**LOSS, **changes["loss"]},
            stages=[stage("others", unknown_objects=True)],
        )
    with pytest.raises(ValidationError, match="one_vs_rest is of stages with unknown_objects"):
        configuration(tmp_path, loss={"kind": "one_vs_rest"}, stages=[stage("known")])


def test_weights_of_another_head_are_refused_in_words(tmp_path: Path) -> None:
    settings = _settings(tmp_path)
    train(settings)
    changes: dict[str, Any] = {
        "initial_checkpoint": settings.output / "known.safetensors",
        "output": tmp_path / "kernels",
        "head": {"kind": "kernels"},
    }
    with pytest.raises(OodError, match=r"none \(it is linear\).* or new_head: true"):
        train(configuration(tmp_path, **changes))
