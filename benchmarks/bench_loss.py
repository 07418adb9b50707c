"""Time and memory of the training losses against other ways of computing them.

Entropy maximisation against the published way, and the top-k one-vs-rest loss against PyTorch's own
functions, which keep what they need for the gradient. Forward and backward on 8 x 19 x 480 x 480
logits. Each construction lives in a process of its own, so that its peak memory is its own, and the
two of a loss take turns, so that whatever else the machine does slows both: look at the ratios. One
thread each unless told otherwise: threads that wait for each other measure the rest of the machine.
`python benchmarks/bench_loss.py [--runs N] [--json FILE]`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any

from outcome import claim, is_left_out, write_outcome
from worker import Worker, serve

from ood_perception.command_line import progress_bar
from ood_perception.process_memory import peak_bytes, resident_bytes

if TYPE_CHECKING:
    from torch import Tensor

IMAGES, CLASSES, SIDE = 8, 19, 480
OOD_WEIGHT = 0.9
TOP_K, SCALE = 5, 1.0
UNKNOWN_SHARE, IGNORED_SHARE = 0.03, 0.1


def published(logits: Tensor, labels: Tensor) -> Tensor:
    """A float64 target for every pixel and class, built on the CPU; the mean over all of them.

    The method's specification, section 4: known pixels hold 1 - lambda at their class, unknown
    ones lambda / C at every class, ignored ones nothing.
    """
    import torch

    target = torch.zeros((*labels.shape, CLASSES), dtype=torch.float64)
    known = labels < CLASSES
    classes = labels.where(known, 0).unsqueeze(-1)
    target.scatter_(-1, classes, (1.0 - OOD_WEIGHT) * known.unsqueeze(-1).double())
    target[labels == 254] = OOD_WEIGHT / CLASSES
    target = target.permute(0, 3, 1, 2)
    return -(target.to(logits.device) * torch.log_softmax(logits, dim=1)).mean()


def entropy(logits: Tensor, labels: Tensor) -> Tensor:
    """The same loss as the training computes it."""
    from ood_training.losses import entropy_maximization_loss

    return entropy_maximization_loss(logits, labels, ood_weight=OOD_WEIGHT, reduction="legacy")


def plain_one_vs_rest(logits: Tensor, labels: Tensor) -> Tensor:
    """Binary cross-entropy of every pixel and class; the K largest logits of unknown pixels."""
    import torch
    from torch.nn import functional

    scaled = SCALE * logits
    known, unknown = labels < CLASSES, labels == 254
    target = torch.zeros_like(scaled)
    target.scatter_(1, labels.where(known, 0).unsqueeze(1), known.unsqueeze(1).to(target))
    every = functional.binary_cross_entropy_with_logits(scaled, target, reduction="none")
    largest = scaled.permute(0, 2, 3, 1)[unknown].topk(TOP_K, dim=1).values
    known_mean = (every.sum(dim=1) * known).sum() / known.sum()
    return (1.0 - OOD_WEIGHT) * known_mean + OOD_WEIGHT * functional.softplus(largest).mean()


def one_vs_rest(logits: Tensor, labels: Tensor) -> Tensor:
    """The same loss as the training computes it."""
    from ood_training.losses import one_vs_rest_loss

    return one_vs_rest_loss(logits, labels, ood_weight=OOD_WEIGHT, top_k=TOP_K, scale=SCALE)


CONSTRUCTIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "published": published,
    "entropy": entropy,
    "plain": plain_one_vs_rest,
    "one_vs_rest": one_vs_rest,
}


@dataclass(frozen=True)
class Comparison:
    """A loss, the names of another way and of ours, and what is promised of their ratios."""

    loss: str
    other: str
    ours: str
    least_speedup: float
    largest_memory_ratio: float


COMPARISONS = (
    Comparison("training loss", "published", "entropy", 3.0, 0.5),
    Comparison("one-vs-rest loss", "plain", "one_vs_rest", 1.5, 0.5),
)


def random_batch() -> tuple[Tensor, Tensor]:
    """Logits and labels with some unknown and some ignored pixels, the same in each process."""
    import torch

    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(IMAGES, CLASSES, SIDE, SIDE, generator=generator)
    labels = torch.randint(0, CLASSES, (IMAGES, SIDE, SIDE), generator=generator)
    draw = torch.rand(labels.shape, generator=generator)
    labels[draw < UNKNOWN_SHARE] = 254
    labels[draw > 1.0 - IGNORED_SHARE] = 255
    return logits.requires_grad_(), labels


def serve_way(name: str, threads: int) -> None:
    """Answer each line on stdin with the seconds, the loss and the peak of memory of one run."""
    import torch

    torch.set_num_threads(threads)
    construction = CONSTRUCTIONS[name]
    logits, labels = random_batch()
    baseline = resident_bytes()

    def answer(_: str) -> dict[str, float]:
        logits.grad = None
        started = perf_counter()
        loss = construction(logits, labels)
        loss.backward()
        seconds = perf_counter() - started
        return {"s": seconds, "loss": loss.item(), "bytes": peak_bytes() - baseline}

    serve(answer)


def measure(comparison: Comparison, runs: int, threads: int) -> dict[str, Any]:
    """Median seconds, peak of memory and loss of both, and their ratios."""
    answers: dict[str, list[dict[str, float]]] = {"other": [], "ours": []}
    with (
        Worker(__file__, comparison.other, threads) as other,
        Worker(__file__, comparison.ours, threads) as ours,
        progress_bar() as bar,
    ):
        workers = {"other": other, "ours": ours}
        for run in bar.track(range(runs + 1), description=comparison.loss):
            for name, worker in workers.items():
                answer = worker.run()
                if run > 0:  # the first one fetches memory and starts threads
                    answers[name].append(answer)
    result: dict[str, Any] = {"other": comparison.other}
    for name, rows in answers.items():
        result[f"{name}_s"] = median(row["s"] for row in rows)
        result[f"{name}_peak_mb"] = rows[-1]["bytes"] / 1e6
        result[f"{name}_loss"] = rows[-1]["loss"]
    return result | {
        "speedup": result["other_s"] / result["ours_s"],
        "memory_ratio": result["ours_peak_mb"] / result["other_peak_mb"],
        "least_speedup": comparison.least_speedup,
        "largest_memory_ratio": comparison.largest_memory_ratio,
    }


def print_result(comparison: Comparison, result: dict[str, Any], threads: int) -> None:
    """The figures of both ways and their ratios, for a person."""
    print(
        f"{comparison.loss}, forward and backward on {IMAGES}x{CLASSES}x{SIDE}x{SIDE}, "
        f"{threads} thread(s)"
    )
    for name, shown in (("other", comparison.other), ("ours", "ours")):
        print(
            f"  {shown:10}{result[f'{name}_s']:8.3f} s, {result[f'{name}_peak_mb']:8.0f} MB more "
            f"at the peak, loss {result[f'{name}_loss']:.7f}"
        )
    print(
        f"  {result['speedup']:.1f} times faster (at least {comparison.least_speedup:g}), "
        f"{result['memory_ratio']:.2f} of the memory (at most {comparison.largest_memory_ratio:g})"
    )


def claims_of(comparison: Comparison, result: dict[str, Any]) -> list[dict[str, Any]]:
    """What is promised of the ratios."""
    what = f"{comparison.loss}, forward and backward on {IMAGES}x{CLASSES}x{SIDE}x{SIDE}"
    other = comparison.other
    return [
        claim(
            f"{what}: {other} / ours, time", result["speedup"], at_least=comparison.least_speedup
        ),
        claim(
            f"{what}: ours / {other}, memory",
            result["memory_ratio"],
            at_most=comparison.largest_memory_ratio,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turns (default 5)")
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    parser.add_argument("--threads", type=int, default=1, help="of each process (default 1)")
    parser.add_argument("--serve", choices=tuple(CONSTRUCTIONS), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve_way(arguments.serve, arguments.threads)
        return
    if arguments.runs < 1 or arguments.threads < 1:
        parser.error("--runs and --threads must be at least 1")
    if is_left_out("loss", arguments.json, {"torch": "PyTorch is not installed (make setup)"}):
        return
    results: dict[str, Any] = {}
    claims = []
    for comparison in COMPARISONS:
        result = measure(comparison, arguments.runs, arguments.threads)
        print_result(comparison, result, arguments.threads)
        results[comparison.ours] = result
        claims += claims_of(comparison, result)
    write_outcome(arguments.json, results, claims, arguments.threads)


if __name__ == "__main__":
    main()
