"""Time and memory of the training loss against the published way of computing it.

Forward and backward on 8 x 19 x 480 x 480 logits. Each construction lives in a process of its own,
so that its peak memory is its own, and the two take turns, so that whatever else the machine does
slows both: look at the ratios. One thread each unless told otherwise: threads that wait for each
other measure the rest of the machine. `python benchmarks/bench_loss.py [--runs N] [--json FILE]`.
"""

from __future__ import annotations

import argparse
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
UNKNOWN_SHARE, IGNORED_SHARE = 0.03, 0.1
LEAST_SPEEDUP, LARGEST_MEMORY_RATIO = 3.0, 0.5
"""What is promised of the ratios."""


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


def ours(logits: Tensor, labels: Tensor) -> Tensor:
    """The same loss as the training computes it."""
    from ood_training.losses import entropy_maximization_loss

    return entropy_maximization_loss(logits, labels, ood_weight=OOD_WEIGHT, reduction="legacy")


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
    construction = {"published": published, "ours": ours}[name]
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


def measure(runs: int, threads: int) -> dict[str, Any]:
    """Median seconds, peak of memory and loss of both, and their ratios."""
    answers: dict[str, list[dict[str, float]]] = {"published": [], "ours": []}
    with (
        Worker(__file__, "published", threads) as published,
        Worker(__file__, "ours", threads) as ours,
        progress_bar() as bar,
    ):
        workers = {"published": published, "ours": ours}
        for run in bar.track(range(runs + 1), description="loss"):
            for name, worker in workers.items():
                answer = worker.run()
                if run > 0:  # the first one fetches memory and starts threads
                    answers[name].append(answer)
    result: dict[str, Any] = {}
    for name, rows in answers.items():
        result[f"{name}_s"] = median(row["s"] for row in rows)
        result[f"{name}_peak_mb"] = rows[-1]["bytes"] / 1e6
        result[f"{name}_loss"] = rows[-1]["loss"]
    return result | {
        "speedup": result["published_s"] / result["ours_s"],
        "memory_ratio": result["ours_peak_mb"] / result["published_peak_mb"],
        "least_speedup": LEAST_SPEEDUP,
        "largest_memory_ratio": LARGEST_MEMORY_RATIO,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="runs of each, in turns (default 5)")
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    parser.add_argument("--threads", type=int, default=1, help="of each process (default 1)")
    parser.add_argument("--serve", choices=("published", "ours"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve_way(arguments.serve, arguments.threads)
        return
    if arguments.runs < 1 or arguments.threads < 1:
        parser.error("--runs and --threads must be at least 1")
    if is_left_out("loss", arguments.json, {"torch": "PyTorch is not installed (make setup)"}):
        return
    result = measure(arguments.runs, arguments.threads)
    print(
        f"loss, forward and backward on {IMAGES}x{CLASSES}x{SIDE}x{SIDE}, "
        f"{arguments.threads} thread(s)"
    )
    for name in ("published", "ours"):
        print(
            f"  {name:10}{result[f'{name}_s']:8.3f} s, {result[f'{name}_peak_mb']:8.0f} MB more "
            f"at the peak, loss {result[f'{name}_loss']:.7f}"
        )
    print(
        f"  {result['speedup']:.1f} times faster (at least {LEAST_SPEEDUP:.0f}), "
        f"{result['memory_ratio']:.2f} of the memory (at most {LARGEST_MEMORY_RATIO})"
    )
    what = f"training loss, forward and backward on {IMAGES}x{CLASSES}x{SIDE}x{SIDE}"
    claims = [
        claim(f"{what}: published / ours, time", result["speedup"], at_least=LEAST_SPEEDUP),
        claim(
            f"{what}: ours / published, memory",
            result["memory_ratio"],
            at_most=LARGEST_MEMORY_RATIO,
        ),
    ]
    write_outcome(arguments.json, result, claims, arguments.threads)


if __name__ == "__main__":
    main()
