"""Time the component metrics against one pass of normalised entropy over the same probabilities.

Both are measured in turns in one run, so that whatever else the machine does slows both: look at
the ratio. `python benchmarks/bench_components.py [--runs N] [--json FILE]`.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from statistics import median
from time import perf_counter

import cv2
import numpy as np
from numpy.typing import NDArray
from outcome import claim, write_outcome

from ood_perception.components import component_metrics
from ood_perception.scores import normalized_entropy_of_probabilities

HEIGHT, WIDTH, CLASSES = 1024, 2048, 19
COMPONENTS, SHARE = 40, 0.075
LARGEST_RATIO = 0.25
"""What the metrics may cost, as a share of the plain entropy pass."""


def plain_entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """Normalised entropy in the fewest NumPy operations: no renormalising, no case for zero."""
    epsilon = np.finfo(np.float32).eps
    entropy = -(probabilities * np.log(probabilities + epsilon)).sum(axis=0)
    return np.asarray(entropy / np.float32(math.log(len(probabilities))))


def random_scene(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Softmax of random logits, and a mask of separate ellipses of mixed sizes."""
    generator = np.random.default_rng(seed)
    probabilities = generator.standard_normal((CLASSES, HEIGHT, WIDTH), dtype=np.float32)
    np.exp(2 * probabilities, out=probabilities)
    probabilities /= probabilities.sum(axis=0)

    return probabilities, random_ellipses((HEIGHT, WIDTH), COMPONENTS, SHARE, generator)


def random_ellipses(
    shape: tuple[int, ...], count: int, share: float, generator: np.random.Generator
) -> NDArray[np.bool_]:
    """A mask of separate ellipses of mixed sizes that cover a share of it together."""
    mask = np.zeros(shape, np.uint8)
    areas = generator.lognormal(sigma=0.8, size=count)
    areas *= share * mask.size / areas.sum()
    for area in sorted(areas, reverse=True):
        _add_ellipse(mask, area, generator)
    return mask > 0


def _add_ellipse(mask: NDArray[np.uint8], area: float, generator: np.random.Generator) -> None:
    flatness = generator.uniform(0.4, 1.0)
    axes = (
        round(math.sqrt(area / math.pi / flatness)),
        round(math.sqrt(area * flatness / math.pi)),
    )
    while True:
        center = tuple(
            int(generator.integers(a + 1, side - a - 1))
            for a, side in zip(axes, mask.shape[::-1], strict=True)
        )
        halo = cv2.ellipse(np.zeros_like(mask), center, [a + 2 for a in axes], 0, 0, 360, 1, -1)
        if not np.any(mask & halo):
            cv2.ellipse(mask, center, axes, 0, 0, 360, 1, -1)
            return


def seconds_of(function: Callable[[], object]) -> float:
    start = perf_counter()
    function()
    return perf_counter() - start


def measure(runs: int) -> dict[str, float]:
    """Median seconds of each, and their ratios."""
    probabilities, mask = random_scene()
    components = len(component_metrics(probabilities, mask).values)
    contestants: dict[str, Callable[[], object]] = {
        "component_metrics_s": lambda: component_metrics(probabilities, mask),
        "plain_entropy_s": lambda: plain_entropy(probabilities),
        "renormalized_entropy_s": lambda: normalized_entropy_of_probabilities(probabilities),
    }
    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(runs):
        for name, function in contestants.items():
            times[name].append(seconds_of(function))
    medians = {name: median(values) for name, values in times.items()}
    metrics_s = medians["component_metrics_s"]
    return {
        "components": components,
        "mask_share": float(mask.mean()),
        **medians,
        "ratio": metrics_s / medians["plain_entropy_s"],
        "ratio_to_renormalized": metrics_s / medians["renormalized_entropy_s"],
        "largest_ratio": LARGEST_RATIO,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=9, help="runs of each, in turns (default 9)")
    parser.add_argument("--json", type=Path, help="write the result to this file as well")
    arguments = parser.parse_args()
    if arguments.runs < 1:
        parser.error("--runs must be at least 1")
    result = measure(arguments.runs)
    print(
        f"{result['components']} components over {result['mask_share']:.1%} of "
        f"{HEIGHT}x{WIDTH} pixels, {CLASSES} classes, median of {arguments.runs} runs"
    )
    for name, label in (
        ("component_metrics_s", "component metrics"),
        ("plain_entropy_s", "plain entropy"),
        ("renormalized_entropy_s", "renormalised entropy"),
    ):
        print(f"  {label:22}{result[name] * 1e3:8.1f} ms")
    print(
        f"  metrics / plain entropy = {result['ratio']:.3f} (at most {LARGEST_RATIO}), "
        f"/ renormalised entropy = {result['ratio_to_renormalized']:.3f}"
    )
    what = (
        f"metrics of {result['components']:.0f} components / one pass of entropy, "
        f"{HEIGHT}x{WIDTH}, {CLASSES} classes"
    )
    claims = [claim(what, result["ratio"], at_most=LARGEST_RATIO)]
    write_outcome(arguments.json, result, claims, threads=None)


if __name__ == "__main__":
    main()
