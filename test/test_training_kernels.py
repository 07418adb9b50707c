"""Runs with a kernel head: they learn, resume bit for bit, and share a batch as all runs do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import torch.distributed as distributed
from pydantic import ValidationError
from training_scenes import (
    assert_same_bits,
    configuration,
    model_state,
    stage,
    train_in_two_processes,
)

from ood_training.checkpoint import read_checkpoint
from ood_training.configuration import TrainingConfiguration
from ood_training.evaluation import network_input
from ood_training.export import load_trained_network
from ood_training.models.kernel_head import KernelHead, class_sums, kernel_head
from ood_training.training import CHECKPOINT_NAME, Trainer, train

HEAD = {"kind": "kernels", "kernel_features": 8, "length_scale": 0.5, "momentum": 0.8}
PENALISED = HEAD | {"gradient_penalty": 1e-4}
STAGES = [
    stage("known", batch_norm="eval"), stage("unknown", unknown_objects=True, batch_norm="eval")
]  # fmt: skip


def kernels(folder: Path, **changes: Any) -> TrainingConfiguration:
    settings = {"head": PENALISED, "stages": STAGES, "validation": None}
    return configuration(folder, **(settings | changes))


def head_of(trainer: Trainer) -> KernelHead:
    head = kernel_head(trainer.network)
    assert head is not None
    return head


def one_step(trainer: Trainer) -> float:
    """The first step of the second stage; returns its loss."""
    second = trainer.configuration.stages[1]
    trainer._begin_stage(second)
    assert trainer.optimizer is not None
    images, labels = trainer.sampler.batch(1, 0, True)
    return trainer.step.run(images, labels, second, trainer.optimizer, (1, 0))


def test_a_run_learns_its_classes_and_the_unknown(tmp_path: Path) -> None:
    rates = {"encoder_learning_rate": 5e-3, "decoder_learning_rate": 5e-3}
    stages = [
        stage("known", epochs=2, steps_per_epoch=30, **rates),
        stage("unknown", steps_per_epoch=60, unknown_objects=True, batch_norm="eval", **rates),
    ]
    first, known, _ = train(configuration(tmp_path, head=HEAD, stages=stages))["epochs"]
    assert known["loss"] < 0.5 * first["loss"]
    network, classes = load_trained_network(tmp_path / "run" / "unknown.safetensors")
    assert classes == ("road", "tree")
    assert network.evidence.kind == "kernels"
    certainty: dict[int, list[np.ndarray]] = {0: [], 1: [], 254: []}
    right = []
    for number in range(4):
        image = cv2.imread(str(tmp_path / "scenes" / "images" / f"{number}.png"))
        labels = cv2.imread(str(tmp_path / "scenes" / "labels" / f"{number}.png"), -1)
        with torch.inference_mode():
            logarithms = network(network_input(image, network))[0]
        best = logarithms.amax(dim=0).exp().numpy()
        for label, found in certainty.items():
            found.append(best[labels == label])
        right.append((logarithms.argmax(dim=0).numpy() == labels)[labels < 2])
    assert np.concatenate(right).mean() > 0.9
    means = {label: np.concatenate(found).mean() for label, found in certainty.items()}
    # 1 - max K tells the box from the rest
    assert means[254] < 0.3 < 0.6 < min(means[0], means[1])


@pytest.mark.parametrize("steps", [1, 4])
def test_a_run_that_was_interrupted_ends_with_the_same_bits(tmp_path: Path, steps: int) -> None:
    train(kernels(tmp_path, output=tmp_path / "whole"))
    broken = kernels(tmp_path, output=tmp_path / "broken", checkpoint_each_steps=1)
    trainer = Trainer(broken)
    run, left = trainer.step.run, iter(range(steps))

    def until_killed(*arguments: Any) -> float:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return run(*arguments)

    trainer.step.run = until_killed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        trainer.run()
    assert read_checkpoint(broken.output / CHECKPOINT_NAME)[1].total_step == steps
    train(broken)
    for name in ("known", "unknown"):
        whole = model_state(tmp_path / "whole" / f"{name}.safetensors")
        assert {"model.classifier.counts", "model.classifier.sums"} < whole.keys()
        assert_same_bits(whole, model_state(broken.output / f"{name}.safetensors"))


def test_micro_batches_give_the_step_of_the_whole_batch(tmp_path: Path) -> None:
    whole, parts = (Trainer(kernels(tmp_path, micro_batches=n)) for n in (1, 3))
    losses, gradients = [], []
    for trainer in (whole, parts):
        trainer._begin_stage(trainer.configuration.stages[1])
        losses.append(one_step(trainer))
        gradients.append({n: p.grad for n, p in trainer.network.named_parameters()})
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    largest = max(float(value.abs().max()) for value in gradients[0].values())
    for name, value in gradients[0].items():
        torch.testing.assert_close(gradients[1][name], value, rtol=1e-3, atol=1e-5 * largest)
    assert head_of(parts).counts.equal(head_of(whole).counts)
    torch.testing.assert_close(head_of(parts).sums, head_of(whole).sums, rtol=1e-2, atol=1e-2)


def test_centroids_move_after_the_step_with_the_new_weights(tmp_path: Path) -> None:
    """By the pass that the step made: features of the old weights, W of the new."""
    trainer = Trainer(kernels(tmp_path))
    head = head_of(trainer)
    images, labels = trainer.sampler.batch(1, 0, True)
    trainer._begin_stage(trainer.configuration.stages[1])
    with torch.no_grad():
        features = trainer.network.features(trainer.step._normalise(images))
    counts, sums = class_sums(features, labels, 2)
    old_counts, old_sums, old_weights = (x.clone() for x in (head.counts, head.sums, head.weights))
    one_step(trainer)
    assert not head.weights.equal(old_weights)
    torch.testing.assert_close(head.counts, 0.8 * old_counts + 0.2 * counts)
    images_of_sums = torch.einsum("cmd,cd->cm", head.weights, sums)
    torch.testing.assert_close(head.sums, 0.8 * old_sums + 0.2 * images_of_sums)


def test_the_penalty_is_part_of_the_loss_by_its_weight(tmp_path: Path) -> None:
    weights = (0.0, 1e-4, 2e-4)
    losses = [
        one_step(Trainer(kernels(tmp_path, head=HEAD | {"gradient_penalty": weight})))
        for weight in weights
    ]
    assert losses[1] > losses[0]
    assert losses[2] - losses[0] == pytest.approx(2 * (losses[1] - losses[0]), rel=1e-3)


def test_only_the_head_learns_where_all_else_is_frozen(tmp_path: Path) -> None:
    """Also with the penalty, whose gradient goes through the frozen network to the image."""
    frozen = stage("frozen", freeze="all_but_head", unknown_objects=True, batch_norm="eval")
    trainer = Trainer(kernels(tmp_path, stages=[frozen]))
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    trainer.run()
    after = trainer.network.state_dict()
    changed = {name for name, value in after.items() if not value.equal(before[name])}
    assert changed == {f"classifier.{name}" for name in ("weights", "counts", "sums")}


def test_a_linear_network_is_the_start_of_one_with_kernels_and_the_other_way_round(
    tmp_path: Path,
) -> None:
    plain = {"stages": [stage("known")], "validation": None}
    train(configuration(tmp_path, output=tmp_path / "linear", **plain))
    start = {"initial_checkpoint": tmp_path / "linear" / "known.safetensors", "new_head": True}
    train(kernels(tmp_path, output=tmp_path / "kernels", **start))
    begun = Trainer(kernels(tmp_path, **start)).network.state_dict()
    linear = model_state(start["initial_checkpoint"])  # type: ignore[arg-type]
    shared = [name for name in begun if not name.startswith("classifier.")]
    assert all(begun[name].equal(linear[f"model.{name}"]) for name in shared)
    back = start | {"initial_checkpoint": tmp_path / "kernels" / "unknown.safetensors"}
    assert kernel_head(Trainer(configuration(tmp_path, **plain, **back)).network) is None
    # without a new head the kernels and their centroids go on
    goes_on = Trainer(kernels(tmp_path, **(back | {"new_head": False}))).network
    kept = model_state(back["initial_checkpoint"])  # type: ignore[arg-type]
    assert_same_bits({f"model.{k}": v for k, v in goes_on.state_dict().items()}, kept)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"loss": {"kind": "one_vs_rest"}}, "kernels have their own loss"),
        ({"loss": {"reduction": "legacy"}}, "kernels have their own loss"),
        ({"precision": "float16"}, "gradient_penalty needs the precision float32"),
        (
            {"stages": [stage("known", batch_norm="train")]},
            "gradient_penalty needs batch_norm: eval",
        ),
        ({"head": HEAD | {"momentum": 1.0}}, "less than 1"),
        ({"head": HEAD | {"length_scale": 0.0}}, "greater than 0"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValidationError, match=words):
        kernels(tmp_path, **changes)


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_gloo_available(), reason="this PyTorch has no gloo")
def test_two_processes_of_torchrun_come_to_the_centroids_of_one(tmp_path: Path) -> None:
    one = kernels(tmp_path, output=tmp_path / "one")
    alone = train(one)
    two = kernels(tmp_path, output=tmp_path / "two", micro_batches=2)
    together = train_in_two_processes(two)
    losses = [[row["loss"] for row in result["epochs"]] for result in (together, alone)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    found, expected = (model_state(r.output / "unknown.safetensors") for r in (two, one))
    for name in ("counts", "sums"):
        key = f"model.classifier.{name}"
        torch.testing.assert_close(found[key], expected[key], rtol=1e-2, atol=1e-1)
