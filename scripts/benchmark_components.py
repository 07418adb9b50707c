"""How long the metrics of the components take, beside one pass of entropy over all pixels.

    python scripts/benchmark_components.py [--json FILE]

1024x2048 pixels, 19 classes, about 40 components over 7.5% of the pixels. Both run in one thread's
NumPy on the same array, in turn; the median of the ratio counts. Exit code 1 when the metrics take
more than a quarter of the entropy's time.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from ood_perception.components import component_metrics

HEIGHT, WIDTH, CLASSES = 1024, 2048, 19
ROWS, COLUMNS = 5, 8
MASK_SHARE = 0.075
LIMIT = 0.25


def random_probabilities(generator: np.random.Generator) -> NDArray[np.float32]:
    """(CLASSES, HEIGHT, WIDTH) float32 softmax of noise: every pixel sums to 1."""
    logits = generator.standard_normal((CLASSES, HEIGHT, WIDTH), dtype=np.float32)
    np.exp(logits * 2, out=logits)
    logits /= logits.sum(0)
    return logits


def blobs(generator: np.random.Generator) -> NDArray[np.bool_]:
    """(HEIGHT, WIDTH) bool: one ellipse in each cell of a grid, MASK_SHARE of the pixels."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    area = MASK_SHARE * HEIGHT * WIDTH / (ROWS * COLUMNS)
    for row in range(ROWS):
        for column in range(COLUMNS):
            stretch = generator.uniform(0.7, 1.4)
            radius = math.sqrt(area / math.pi)
            from_x = (x - (column + 0.5) * WIDTH / COLUMNS) / (radius * stretch)
            from_y = (y - (row + 0.5) * HEIGHT / ROWS) / (radius / stretch)
            mask |= from_x**2 + from_y**2 < 1
    return mask


def normalised_entropy(probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, H, W) float32 in, (H, W) in [0, 1] out, as NumPy says it in one line."""
    logarithms = np.log(probabilities + np.float32(1e-12))
    return -(probabilities * logarithms).sum(0) / np.float32(math.log(len(probabilities)))


def measure(runs: int) -> dict[str, float | int]:
    """Median seconds of both, and the median of their ratio."""
    generator = np.random.default_rng(0)
    probabilities, mask = random_probabilities(generator), blobs(generator)
    result = component_metrics(probabilities, mask)
    normalised_entropy(probabilities)
    metrics_s, entropy_s = [], []
    for _ in range(runs):
        start = perf_counter()
        component_metrics(probabilities, mask)
        middle = perf_counter()
        normalised_entropy(probabilities)
        metrics_s.append(middle - start)
        entropy_s.append(perf_counter() - middle)
    return {
        "components": len(result.values),
        "mask_share": float(mask.mean()),
        "component_metrics_s": float(np.median(metrics_s)),
        "entropy_pass_s": float(np.median(entropy_s)),
        "ratio": float(np.median(np.divide(metrics_s, entropy_s))),
        "runs": runs,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    found = measure(options.runs)
    print(
        f"component_metrics: {found['component_metrics_s'] * 1000:.0f} ms for "
        f"{found['components']} components over {found['mask_share']:.1%} of "
        f"{WIDTH}x{HEIGHT}x{CLASSES}; one pass of entropy: "
        f"{found['entropy_pass_s'] * 1000:.0f} ms; ratio {found['ratio']:.3f} (at most {LIMIT})"
    )
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return int(found["ratio"] > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
