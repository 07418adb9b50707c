"""Leave-one-out of the thesis's network: all fits as one batched program against one by one.

2,000 components with 61 random metrics: 2,000 fits of 50 epochs each. Each way lives in a process
of its own and they take turns on a sample of fits, so that whatever else the machine does slows
both; the time of all fits is extrapolated from the sample: look at the ratio. "One by one" is the
training as published, a data loader and an optimiser a fit. Two threads each unless told otherwise.
`python benchmarks/bench_leave_one_out.py [--fits N] [--threads N] [--json FILE]`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from outcome import claim, is_left_out, write_outcome
from worker import Worker, serve

from ood_perception.command_line import progress_bar

COMPONENTS, METRICS, UNITS = 2000, 61, 75
EPOCHS, BATCH = 50, 128
LEAST_SPEEDUP = 20.0
"""What is wanted of the ratio."""


def random_table() -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Components of which the first metrics say something, the same in each process."""
    rng = np.random.default_rng(0)
    metrics = rng.normal(5.0, 3.0, (COMPONENTS, METRICS))
    return metrics, metrics[:, :5].sum(axis=1) + rng.normal(0, 5, COMPONENTS) > 25


def one_by_one(fits: int) -> NDArray[np.float64]:
    """P(false positive) of the first components, a fit without each, as it was published."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader, TensorDataset

    metrics, false_positive = random_table()
    probability = np.empty(fits)
    for row in range(fits):
        kept = np.delete(np.arange(COMPONENTS), row)
        mean, deviation = metrics[kept].mean(axis=0), metrics[kept].std(axis=0) + 1e-10
        inputs = torch.tensor((metrics - mean) / deviation).float()
        labels = torch.tensor(false_positive).float()
        layers: list[nn.Module] = []
        for width in (METRICS, UNITS, UNITS):
            layers += [nn.Linear(width, UNITS), nn.ReLU()]
        network = nn.Sequential(*layers, nn.Linear(UNITS, 1), nn.Sigmoid())
        adam = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=5e-3)
        rows = TensorDataset(inputs[kept], labels[kept])
        for _ in range(EPOCHS):
            for batch, wanted in DataLoader(rows, BATCH, shuffle=True, drop_last=True):
                adam.zero_grad()
                nn.functional.binary_cross_entropy(network(batch)[:, 0], wanted).backward()
                adam.step()
        with torch.inference_mode():
            probability[row] = network(inputs[row : row + 1])
    return probability


def batched(fits: int) -> NDArray[np.float64]:
    """The same as the training side computes it."""
    from ood_training.meta.network import NetworkFamily

    rows = np.arange(COMPONENTS)
    folds = [(np.delete(rows, row), rows[row : row + 1]) for row in range(fits)]
    return NetworkFamily().fit_folds(*random_table(), folds)[:fits]


def serve_way(name: str, threads: int) -> None:
    """Answer each number of fits on stdin with the seconds that they took and their accuracy."""
    import torch

    torch.set_num_threads(threads)
    way = {"one_by_one": one_by_one, "batched": batched}[name]
    way(1)  # fetches memory and the optimiser's modules
    _, false_positive = random_table()

    def answer(request: str) -> dict[str, float]:
        fits = int(request)
        started = perf_counter()
        probability = way(fits)
        seconds = perf_counter() - started
        right = float(np.mean((probability > 0.5) == false_positive[:fits]))
        return {"s": seconds, "right": right}

    serve(answer)


def measure(runs: int, fits: int, threads: int) -> dict[str, Any]:
    """Seconds that all fits would take either way, from the median run of each, and the ratio."""
    # the batched way gets as many as make a sample of about the same time
    # several chunks of folds, as all the fits have: one that is nearly empty would count too much
    sample = {"one_by_one": fits, "batched": 60 * fits}
    answers: dict[str, list[dict[str, float]]] = {name: [] for name in sample}
    with (
        Worker(__file__, "one_by_one", threads) as one,
        Worker(__file__, "batched", threads) as many,
        progress_bar() as bar,
    ):
        workers = {"one_by_one": one, "batched": many}
        for _ in bar.track(range(runs), description="leave-one-out"):
            for name, worker in workers.items():
                answers[name].append(worker.run(str(sample[name])))
    result: dict[str, Any] = {"threads": threads, "least_speedup": LEAST_SPEEDUP}
    for name, rows in answers.items():
        result[f"{name}_sampled_fits"] = sample[name]
        result[f"{name}_s"] = median(row["s"] for row in rows) / sample[name] * COMPONENTS
        result[f"{name}_right"] = median(row["right"] for row in rows)
    return result | {"speedup": result["one_by_one_s"] / result["batched_s"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=3, help="runs of each, in turns (default 3)")
    parser.add_argument("--fits", type=int, default=2, help="one by one in a run (default 2)")
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    parser.add_argument("--threads", type=int, default=2, help="of each process (default 2)")
    parser.add_argument("--serve", choices=("one_by_one", "batched"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve_way(arguments.serve, arguments.threads)
        return
    if min(arguments.runs, arguments.fits, arguments.threads) < 1:
        parser.error("--runs, --fits and --threads must be at least 1")
    if is_left_out(
        "leave-one-out", arguments.json, {"torch": "PyTorch is not installed (make setup)"}
    ):
        return
    result = measure(arguments.runs, arguments.fits, arguments.threads)
    print(
        f"leave-one-out of the meta network, {COMPONENTS} components x {METRICS} metrics, "
        f"{arguments.threads} thread(s), extrapolated"
    )
    for name in ("one_by_one", "batched"):
        print(
            f"  {name:10}{result[f'{name}_s']:8.0f} s, from {result[f'{name}_sampled_fits']} fits "
            f"a run; right in {100 * result[f'{name}_right']:.0f}% of them"
        )
    print(f"  {result['speedup']:.1f} times faster (wanted: at least {LEAST_SPEEDUP:.0f})")
    what = f"leave-one-out of the meta network, {COMPONENTS} components: one by one / batched, time"
    claims = [claim(what, result["speedup"], at_least=LEAST_SPEEDUP)]
    write_outcome(arguments.json, result, claims, arguments.threads)


if __name__ == "__main__":
    main()
