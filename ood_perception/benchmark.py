"""How long each stage of the detector takes, side by side in one run."""

from __future__ import annotations

from collections.abc import Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.detector import Detector

STAGES = ("preprocess", "network", "components", "meta", "shapes")


def benchmark_detector(
    detector: Detector, images: Sequence[NDArray[np.uint8]], runs: int, warmup: int = 2
) -> dict[str, Any]:
    """Time `runs` detections, taking the images in turn, after `warmup` uncounted ones.

    Returns latency in milliseconds per stage (median, p95, p99), the whole and its ratio to the
    network alone, throughput, and what it ran on.
    """
    samples: dict[str, list[float]] = {name: [] for name in (*STAGES, "whole")}
    components: list[int] = []
    for run in range(warmup + runs):
        image = images[run % len(images)]
        start = perf_counter()
        detection = detector.detect(image)
        whole = perf_counter() - start
        if run < warmup:
            continue
        samples["whole"].append(whole)
        components.append(len(detection.components))
        for name in STAGES:
            samples[name].append(detection.stage_seconds[name])
    network = detector.bundle.manifest.network
    return {
        "model": detector.bundle.model_id,
        "device": detector.device,
        "image_size": list(images[0].shape[:2]),
        "network_size": [network.input_height, network.input_width],
        "grid_size": [network.grid_height, network.grid_width],
        "runs": runs,
        "components_median": float(np.median(components)),
        "milliseconds": {name: _percentiles(values) for name, values in samples.items()},
        "whole_to_network_ratio": float(
            np.median(np.array(samples["whole"]) / np.array(samples["network"]))
        ),
        "images_per_second": float(runs / sum(samples["whole"])),
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99)) * 1000
    return {"median": round(p50, 3), "p95": round(p95, 3), "p99": round(p99, 3)}
