"""Many small networks trained as one program: a fold's weights are a slice of stacked tensors.

A step of a network of 75 units is so short that calling it costs more than computing it, so all
folds take it together (``torch.baddbmm``). Every fold starts from the seed and shuffles by it, as
if it were trained alone. Training is in float32, as published; standardisation in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.meta.core_chunks import map_on_cores
from ood_training.meta.stacked_networks import StackedNetworks, padded
from ood_training.meta.standardisation import Standardisation, fit_standardisation

Rows = NDArray[np.intp]
# What a chunk of folds may occupy: little on the processor, so that it stays in its cache.
_CHUNK_BYTES = {"cpu": 16 << 20, "cuda": 4 << 30}
_PROGRESS_STEPS = 16


@dataclass(frozen=True)
class TrainingSettings:
    """The thesis's training (specification, section 8.2).

    Adam with weight decay as an L2 term in the gradient; an epoch's incomplete last batch is
    dropped.
    """

    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 5e-3


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """Standardisation, then layers with ReLU between; its one output is the log-odds.

    weights: (in, out) float64 of each layer. biases: (out,) float64.
    """

    standardisation: Standardisation
    weights: tuple[NDArray[np.float64], ...]
    biases: tuple[NDArray[np.float64], ...]


def train_networks(
    metrics: NDArray[np.float64],
    targets: NDArray[np.float64],
    folds: Sequence[Rows],
    hidden: tuple[int, ...],
    seed: int = 0,
    settings: TrainingSettings | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, TrainedNetwork]]:
    """Train a network for each fold's rows with binary cross-entropy.

    Args:
        metrics: (n, M) float64, finite. targets: (n,) float64 in [0, 1].
        folds: of each network the rows that it is fitted on.
        hidden: widths of the hidden layers; none for a single neuron.
        on_progress: (done, total) in steps of single networks.

    Yields (index of the fold, its network), each fold once, in any order. A fold's network is the
    one that training it alone with the seed gives, but for rounding. Raises OodError where a fold
    has fewer rows than a batch: with the incomplete batch dropped there would be no step at all,
    and the published program then silently keeps its random weights.
    """
    settings = settings or TrainingSettings()
    shortest = min((len(rows) for rows in folds), default=settings.batch_size)
    if shortest < settings.batch_size:
        raise OodError(
            f"the network trains on batches of {settings.batch_size} components, but there are "
            f"only {shortest} to fit on; give more images or use logistic_regression"
        )
    device = "cuda" if torch.cuda.is_available() else "cpu"
    whole = fit_standardisation(metrics)
    # float32 keeps its digits when the table as a whole is centred; each fold's scaler comes on top
    values = np.zeros((len(metrics), padded(metrics.shape[1])), np.float32)
    values[:, : metrics.shape[1]] = whole(metrics)
    table = torch.from_numpy(values).to(device)
    goal = torch.from_numpy(targets.astype(np.float32)).to(device)
    widths = (metrics.shape[1], *hidden, 1)
    per_epoch = [len(rows) // settings.batch_size for rows in folds]
    progress = _Progress(settings.epochs * sum(per_epoch), on_progress)

    def train(chunk: list[int]) -> list[tuple[int, TrainedNetwork]]:
        scalers = [fit_standardisation(metrics[folds[fold]]) for fold in chunk]
        networks = StackedNetworks(
            widths,
            [_after(whole, scaler) for scaler in scalers],
            seed,
            settings.learning_rate,
            settings.weight_decay,
            device,
        )
        batches, steps = _batches([folds[fold] for fold in chunk], settings, seed, device)
        with _vanishing_is_zero():
            for step in range(steps[0]):
                active = int(np.searchsorted(-steps, -step))
                networks.keep_training(active)
                rows = batches[:active, step].reshape(-1)
                networks.step(
                    table.index_select(0, rows).view(active, settings.batch_size, -1),
                    goal.index_select(0, rows).view(active, settings.batch_size, 1),
                )
                progress.advance(active)
        trained = zip(scalers, networks.parameters(), strict=True)
        return [
            (fold, TrainedNetwork(scaler, *parameters))
            for fold, (scaler, parameters) in zip(chunk, trained, strict=True)
        ]

    # networks with more steps first: those that still train are always the first ones of a chunk
    order = sorted(range(len(folds)), key=lambda fold: -len(folds[fold]))
    most = _chunk_size(widths, settings.batch_size, device)
    for finished in map_on_cores(train, order, most, one_core=device != "cpu"):
        yield from finished


@contextmanager
def _vanishing_is_zero() -> Iterator[None]:
    """Takes this thread's numbers below float32's ordinary ones for 0.

    Weight decay brings idle units there, where a processor computes many times slower.
    """
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


def _after(first: Standardisation, wanted: Standardisation) -> Standardisation:
    """The standardisation that makes ``wanted`` out of what ``first`` gives."""
    # what is constant in the whole table is constant in every fold: 0 either way
    scale = np.where(first.inverse_scale == 0, 1.0, first.inverse_scale)
    return Standardisation((wanted.mean - first.mean) * scale, wanted.inverse_scale / scale)


def _chunk_size(widths: tuple[int, ...], batch_size: int, device: str) -> int:
    """How many networks train together: as many as the memory for them holds, at least one."""
    parameters = sum((a + 1) * b for a, b in pairwise(widths))
    # weights, gradients and two moments; activations and their gradients; four bytes each
    bytes_each = 4 * (4 * parameters + 2 * batch_size * sum(map(padded, widths)))
    return max(1, _CHUNK_BYTES[device] // bytes_each)


def _batches(
    folds: Sequence[Rows], settings: TrainingSettings, seed: int, device: str
) -> tuple[torch.Tensor, NDArray[np.intp]]:
    """(F, T, batch) int32 rows of the table at every step, and (F,) number of steps of each fold.

    The shuffles depend on the seed and on the number of rows alone.
    """
    positions: dict[int, NDArray[np.int32]] = {}
    for count in {len(rows) for rows in folds}:
        generator = torch.Generator().manual_seed(seed)
        used = count // settings.batch_size * settings.batch_size
        shuffles = [
            torch.randperm(count, generator=generator)[:used] for _ in range(settings.epochs)
        ]
        positions[count] = torch.cat(shuffles).numpy().reshape(-1, settings.batch_size)
    steps = np.array([len(positions[len(rows)]) for rows in folds])
    batches = np.zeros((len(folds), steps.max(), settings.batch_size), np.int32)
    for place, rows in enumerate(folds):
        batches[place, : steps[place]] = rows[positions[len(rows)]]
    return torch.from_numpy(batches).to(device), steps


class _Progress:
    """Counts steps and tells of them now and then."""

    def __init__(self, total: int, tell: Callable[[int, int], None] | None) -> None:
        self._total, self._tell, self._done, self._calls = total, tell, 0, 0

        self._lock = Lock()

    def advance(self, steps: int) -> None:
        with self._lock:
            self._done += steps
            self._calls += 1
            if self._tell and (self._calls % _PROGRESS_STEPS == 0 or self._done == self._total):
                self._tell(self._done, self._total)
