"""Time metrics and meta classification of 100 components against the network, in one run.

The components are ellipses of mixed sizes that cover as many cells as those of real frames (386
each on average, of models/street on road_anomaly). The network runs on an image of its own input
size. They take turns, so that whatever else the machine does slows both: look at the ratio.
`python benchmarks/bench_second_look.py [--bundle FOLDER] [--runs N] [--json FILE]`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from bench_components import random_ellipses
from outcome import claim, write_outcome

from ood_perception.bundle import load_bundle
from ood_perception.detector import Detector
from ood_perception.meta_classifier import MetaClassifier

COMPONENTS, CELLS_EACH = 100, 386
LARGEST_RATIO = 0.05
"""What the second look may cost, as a share of the network."""


def measure(bundle_folder: Path, runs: int) -> dict[str, float | int | str]:
    """Median seconds of each, and the median of the ratios of each turn."""
    bundle = load_bundle(bundle_folder)
    detector, meta = Detector(bundle), MetaClassifier(bundle)
    network = bundle.manifest.network
    generator = np.random.default_rng(0)
    image = generator.integers(0, 256, (network.input_height, network.input_width, 3), np.uint8)
    output = detector.run_network(image)
    cells = output.score.size
    share = min(0.3, COMPONENTS * CELLS_EACH / cells)
    mask = random_ellipses(output.score.shape, COMPONENTS, share, generator)
    seconds: dict[str, list[float]] = {"network": [], "metrics": [], "classification": []}
    for _ in range(runs):
        started = perf_counter()
        detector.run_network(image)
        network_done = perf_counter()
        measured = detector.measure(output, mask)
        metrics_done = perf_counter()
        meta.decide(measured.metrics.values)
        decided = perf_counter()
        seconds["network"].append(network_done - started)
        seconds["metrics"].append(metrics_done - network_done)
        seconds["classification"].append(decided - metrics_done)
    times = np.array(list(seconds.values()))
    return {
        "model": bundle.model_id,
        "kind": "none" if bundle.manifest.meta_classifier is None
        else bundle.manifest.meta_classifier.kind,
        "components": measured.pixels.count,
        "cells": int(mask.sum()),
        **{f"{name}_ms": 1000 * median(values) for name, values in seconds.items()},
        "ratio": float(np.median(times[1:].sum(axis=0) / times[0])),
    }  # fmt: skip


def main() -> None:
    """Print the ratio; it is reported, not enforced: a busy machine is no broken program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("models/street"))
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    result = measure(arguments.bundle, arguments.runs)
    print(
        f"second look: {result['components']} components of {result['cells']} cells, "
        f"{result['kind']}: metrics {result['metrics_ms']:.1f} ms and classification "
        f"{result['classification_ms']:.1f} ms are {100 * float(result['ratio']):.1f}% of the "
        f"network's {result['network_ms']:.0f} ms (wanted: at most {100 * LARGEST_RATIO:.0f}%)"
    )
    what = (
        f"metrics and classification of {result['components']} components / network, "
        f"{result['model']}"
    )
    claims = [claim(what, float(result["ratio"]), at_most=LARGEST_RATIO)]
    write_outcome(arguments.json, result, claims, threads=None)


if __name__ == "__main__":
    main()
