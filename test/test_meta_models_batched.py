"""Networks trained all at once are the networks that PyTorch trains one after another."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta import batched_training
from ood_training.meta.batched_training import TrainedNetwork, TrainingSettings, train_networks
from ood_training.meta.network import NetworkFamily, log_odds

HIDDEN = (7, 5)
SHORT = TrainingSettings(epochs=4, batch_size=16, learning_rate=1e-2)


def example(count: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    metrics = rng.normal(4, 30, (count, 6))
    metrics[:, 3] = 1e5 + rng.normal(size=count)  # an offset that float32 alone would drown in
    noisy = (metrics[:, 0] - 4) / 30 + metrics[:, 3] - 1e5 + rng.normal(0, 0.3, count)
    return metrics, (noisy > 0).astype(np.float64)


def one_by_torch(
    metrics: NDArray[np.float64], targets: NDArray[np.float64], seed: int, start: TrainedNetwork
) -> torch.nn.Sequential:
    """The specification's training as one writes it for one network, from given first weights."""
    layers: list[torch.nn.Module] = []
    for weight, bias in zip(start.weights, start.biases, strict=True):
        layer = torch.nn.Linear(*weight.shape)
        layer.load_state_dict({"weight": torch.tensor(weight.T), "bias": torch.tensor(bias)})
        layers += [layer, torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1], torch.nn.Sigmoid())
    rows = (metrics - metrics.mean(axis=0)) / (metrics.std(axis=0) + 1e-10)
    inputs, labels = torch.tensor(rows).float(), torch.tensor(targets).float()
    adam = torch.optim.Adam(
        network.parameters(), lr=SHORT.learning_rate, weight_decay=SHORT.weight_decay
    )
    generator = torch.Generator().manual_seed(seed)
    for _ in range(SHORT.epochs):
        order = torch.randperm(len(rows), generator=generator)
        for batch in order.split(SHORT.batch_size):
            if len(batch) == SHORT.batch_size:
                adam.zero_grad()
                torch.nn.BCELoss()(network(inputs[batch])[:, 0], labels[batch]).backward()
                adam.step()
    return network


def test_every_fold_is_what_torch_trains_alone() -> None:
    metrics, targets = example(120)
    rows = np.arange(120)
    # 7, 4, 3 and 7 steps an epoch: some networks are finished while others still train
    folds = [np.delete(rows, 5), rows[:70], rows[60:], np.delete(rows, 90)]
    untrained = TrainingSettings(epochs=4, batch_size=16, learning_rate=0.0)
    first = dict(train_networks(metrics, targets, folds, HIDDEN, 3, untrained))
    trained = dict(train_networks(metrics, targets, folds, HIDDEN, 3, SHORT))
    assert sorted(trained) == [0, 1, 2, 3]
    for number, fold in enumerate(folds):
        network = one_by_torch(metrics[fold], targets[fold], 3, first[number])
        own = trained[number]
        np.testing.assert_allclose(own.standardisation.mean, metrics[fold].mean(axis=0))
        assert np.abs(own.weights[1] - first[number].weights[1]).max() > 0.05
        linear = [layer for layer in network if isinstance(layer, torch.nn.Linear)]
        for layer, weight, bias in zip(linear, own.weights, own.biases, strict=True):
            np.testing.assert_allclose(layer.weight.detach().numpy().T, weight, atol=2e-4)
            np.testing.assert_allclose(layer.bias.detach().numpy(), bias, atol=2e-4)


def test_first_weights_are_pytorchs_own() -> None:
    metrics, targets = example(200)
    settings = TrainingSettings(epochs=1, batch_size=16, learning_rate=0.0)
    ((_, network),) = train_networks(metrics, targets, [np.arange(200)], (400, 50), 0, settings)
    for weight, bias in zip(network.weights, network.biases, strict=True):
        bound = weight.shape[0] ** -0.5
        assert 0.9 * bound < np.abs(weight).max() <= bound
        assert np.abs(bias).max() <= bound
    uniform = np.sort(network.weights[1].ravel()) * 400**0.5
    np.testing.assert_allclose(uniform, np.linspace(-1, 1, uniform.size), atol=0.02)


@pytest.mark.parametrize("bytes_of_a_chunk", [1, 1 << 40])
def test_the_size_of_a_chunk_changes_nothing(
    bytes_of_a_chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    metrics, targets = example(60)
    rows = np.arange(60)
    folds = [np.delete(rows, row) for row in range(9)]
    expected = dict(train_networks(metrics, targets, folds, HIDDEN, 1, SHORT))
    chunks = dict.fromkeys(("cpu", "cuda"), bytes_of_a_chunk)
    monkeypatch.setattr(batched_training, "_CHUNK_BYTES", chunks)
    seen: list[int] = []
    told = dict(
        train_networks(metrics, targets, folds, HIDDEN, 1, SHORT, lambda d, t: seen.append(t - d))
    )
    for number, network in told.items():
        np.testing.assert_allclose(
            log_odds(network, network.standardisation(metrics)),
            log_odds(expected[number], expected[number].standardisation(metrics)),
            atol=1e-3,
        )
    assert seen[-1] == 0
    assert seen == sorted(seen, reverse=True)


def test_a_seed_repeats_and_another_differs() -> None:
    metrics, targets = example(60)
    family = NetworkFamily("network:7-5", SHORT)
    labels = targets.astype(bool)
    once, again, other = (
        family.fit(metrics, labels, seed).false_positive_probability(metrics) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 1e-3


def test_fewer_rows_than_a_batch_are_refused() -> None:
    metrics, targets = example(128)
    labels, rows = targets.astype(bool), np.arange(128)
    message = "batches of 128 components, but there are only 127 .* use logistic_regression"
    with pytest.raises(OodError, match=message):
        NetworkFamily().fit(metrics[1:], labels[1:])
    with pytest.raises(OodError, match=message):
        NetworkFamily().fit_folds(metrics, labels, [(rows, rows), (rows[1:], rows[:1])])
    assert len(NetworkFamily().fit(metrics, labels).contributions(metrics)) == 128


def test_what_weight_decay_has_used_up_is_zero_and_slows_no_vehicle() -> None:
    metrics, targets = example(120)
    metrics[:, 5] = 7.0  # constant: nothing but decay moves its weights
    settings = TrainingSettings(epochs=150, batch_size=16, learning_rate=1e-2, weight_decay=5e-2)
    ((_, network),) = train_networks(metrics, targets, [np.arange(120)], HIDDEN, 3, settings)
    values = np.abs(np.concatenate([weight.ravel() for weight in network.weights]))
    assert (values[values < 1e-12] == 0).all()
    assert (network.weights[0][5] == 0).all()
    assert (values > 1e-3).any()
