"""Processes, micro-batches and precisions share a global batch without changing what it teaches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as distributed
from torch import nn
from training_scenes import configuration, model_state, stage, train_in_two_processes

from ood_training.training import Trainer, train
from ood_training.training.dropout import ImageDropout
from ood_training.training.processes import even_parts

FIXED = stage("fixed", unknown_objects=True, batch_norm="eval")


def curve(result: dict[str, Any]) -> list[float]:
    return [row["loss"] for row in result["epochs"]]


def first_gradients(tmp_path: Path, **changes: Any) -> tuple[float, dict[str, torch.Tensor]]:
    """Loss and gradients of the first step."""
    trainer = Trainer(configuration(tmp_path, validation=None, stages=[FIXED], **changes))
    trainer._begin_stage(trainer.configuration.stages[0])
    images, labels = trainer.sampler.batch(0, 0, True)
    optimizer = trainer.optimizer
    assert optimizer is not None
    optimizer.step = lambda *_: None  # type: ignore[method-assign]
    loss = trainer.step.run(images, labels, trainer.configuration.stages[0], optimizer, (0, 0))
    gradients = {n: p.grad for n, p in trainer.network.named_parameters() if p.grad is not None}
    return loss, gradients


def interrupted_after(calls: int, function: Callable[..., float]) -> Callable[..., float]:
    """The function, until it was called so often."""
    left = iter(range(calls))

    def call(*arguments: Any) -> float:
        if next(left, None) is None:
            raise KeyboardInterrupt
        return function(*arguments)

    return call


@pytest.mark.parametrize("reduction", ["per_term", "legacy"])
@pytest.mark.parametrize("micro_batches", [2, 3, 4, 9])
def test_micro_batches_give_the_gradients_of_the_whole_batch(
    tmp_path: Path, reduction: str, micro_batches: int
) -> None:
    loss = {"reduction": reduction}
    expected, gradients = first_gradients(tmp_path, loss=loss)
    found, accumulated = first_gradients(tmp_path, loss=loss, micro_batches=micro_batches)
    assert found == pytest.approx(expected, rel=1e-5)
    largest = max(float(value.abs().max()) for value in gradients.values())
    for name, value in gradients.items():
        torch.testing.assert_close(accumulated[name], value, rtol=1e-4, atol=1e-6 * largest)


@pytest.mark.slow
@pytest.mark.skipif(not distributed.is_gloo_available(), reason="this PyTorch has no gloo")
def test_two_processes_of_torchrun_give_the_curve_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where they take over what one process began, with its optimiser's moments."""
    stages = [stage("known", batch_norm="eval"), FIXED | {"name": "unknown"}]
    one = configuration(tmp_path, output=tmp_path / "one", stages=stages)
    alone = train(one)
    two = configuration(
        tmp_path, output=tmp_path / "two", stages=stages, micro_batches=2, checkpoint_each_steps=1
    )
    begin = Trainer(two)
    monkeypatch.setattr(begin.step, "run", interrupted_after(2, begin.step.run))
    with pytest.raises(KeyboardInterrupt):
        begin.run()
    together = train_in_two_processes(two)
    assert curve(together) == pytest.approx(curve(alone), rel=1e-5)
    last, expected = (model_state(r.output / "unknown.safetensors") for r in (two, one))
    for name, value in expected.items():
        torch.testing.assert_close(last[name], value, rtol=1e-2, atol=1e-3)


def test_a_batch_is_split_evenly_and_completely() -> None:
    for length, parts in ((8, 2), (7, 3), (3, 3), (5, 1)):
        slices = even_parts(length, parts)
        assert [n for part in slices for n in range(length)[part]] == list(range(length))
        sizes = [part.stop - part.start for part in slices]
        assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("layer", [nn.Dropout(0.5), nn.Dropout2d(0.4)])
def test_what_an_image_drops_does_not_depend_on_how_the_batch_is_split(layer: nn.Module) -> None:
    network = nn.Sequential(layer)
    dropout = ImageDropout(network)
    features = torch.ones(4, 64, 6, 6)

    def drop(first: int, images: torch.Tensor, step: int = 0) -> torch.Tensor:
        dropout.begin((1, 0, step), first)
        result: torch.Tensor = network(images)
        return result

    whole = drop(0, features)
    assert whole.equal(torch.cat([drop(0, features[:1]), drop(1, features[1:])]))
    assert not whole.equal(drop(0, features, step=1))
    assert not whole[0].equal(whole[1])
    assert whole.mean().item() == pytest.approx(1.0, abs=0.15)
    assert whole.unique().tolist() == pytest.approx([0.0, 1 / (1 - layer.p)])  # type: ignore
    if isinstance(layer, nn.Dropout2d):
        assert (whole.amax((2, 3)) == whole.amin((2, 3))).all()
    network.eval()
    assert network(features).equal(features)


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_low_precision_trains_and_keeps_its_weights_in_float32(
    tmp_path: Path, precision: str
) -> None:
    trainer = Trainer(configuration(tmp_path, precision=precision, validation=None))
    losses = curve(trainer.run())
    expected = curve(train(configuration(tmp_path, output=tmp_path / "exact", validation=None)))
    assert losses == pytest.approx(expected, rel=0.05)
    assert {p.dtype for p in trainer.network.parameters()} == {torch.float32}
    assert trainer.step.scaler.is_enabled() == (precision == "float16")
