"""How long each stage of the detector takes, side by side in one run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

import numpy as np

from ood_perception.detector import Detector
from ood_perception.drawing import draw_overlay
from ood_perception.image_decoding import decode_compressed
from ood_perception.machine_facts import machine_facts
from ood_perception.process_memory import forget_peak, peak_bytes, resident_bytes

STAGES = ("decode", "preprocess", "network", "score", "components", "meta", "shapes", "drawing")
"""In the order of the data's way. `score` is there only for models that do it outside the graph."""
SUMS = ("whole", "with decode and drawing")
"""whole: image in memory to obstacles."""
_OF_THE_CALL = ("preprocess", "network")
"""Stages that a batch goes through at once: each of its detections tells the time of all."""


def benchmark_detector(
    detector: Detector,
    pictures: Sequence[bytes],
    runs: int,
    *,
    batch: int = 1,
    warmup: int = 3,
    after_each: Callable[[], None] = lambda: None,
) -> dict[str, Any]:
    """Time `runs` calls, taking the pictures in turn, after `warmup` uncounted ones.

    Args:
        pictures: each a whole JPEG or PNG file, decoded anew every time.
        runs: at least 1.
        batch: images in a call, at least 1; the times are those of the whole call.
        after_each: called after every call, counted or not.

    Returns milliseconds a call of each stage that the model has (median, p95, p99), the whole and
    its ratio to the network, throughput, memory in bytes, and what it ran on. Raises ImageError for
    a picture that cannot be decoded, BackendError where the graph takes no such batch.
    """
    samples: dict[str, list[float]] = {}
    components: list[int] = []
    memory_before = resident_bytes()
    for run in range(warmup + runs):
        if run == warmup:
            forget_peak()
        chosen = [pictures[(run * batch + place) % len(pictures)] for place in range(batch)]
        seconds, found, image_size = _call(detector, chosen)
        after_each()
        if run < warmup:
            continue
        components += found
        for stage, value in seconds.items():
            samples.setdefault(stage, []).append(value)
    ratios = np.array(samples["whole"]) / np.array(samples["network"])
    network = detector.bundle.manifest.network
    return {
        "model": detector.bundle.model_id,
        "device": detector.device,
        "runs": runs,
        "warmup": warmup,
        "batch": batch,
        "pictures": len(pictures),
        "image_size": list(image_size),
        "network_size": [network.input_height, network.input_width],
        "grid_size": [network.grid_height, network.grid_width],
        "components_median": float(np.median(components)),
        "components_largest": max(components),
        "milliseconds": {name: _percentiles(samples[name]) for name in in_order(samples)},
        "whole_to_network_ratio": float(np.median(ratios)),
        "images_per_second": batch * runs / sum(samples["whole"]),
        "peak_memory_bytes": peak_bytes(),
        "memory_before_bytes": memory_before,
        "machine": machine_facts(),
    }


def _call(
    detector: Detector, pictures: Sequence[bytes]
) -> tuple[dict[str, float], list[int], tuple[int, int]]:
    """Seconds of each stage of one call, components of each image, (height, width) of the last."""
    bundle = detector.bundle
    colors_bgr = [color[::-1] for color in bundle.class_colors]
    started = perf_counter()
    images = [decode_compressed(picture) for picture in pictures]
    decoded = perf_counter()
    detections = detector.detect_batch(images)
    detected = perf_counter()
    for image, detection in zip(images, detections, strict=True):
        draw_overlay(image, detection, colors_bgr, bundle.class_names)
    drawn = perf_counter()
    seconds = {
        stage: value if stage in _OF_THE_CALL else sum(d.stage_seconds[stage] for d in detections)
        for stage, value in detections[0].stage_seconds.items()
    }
    seconds |= {
        "decode": decoded - started,
        "drawing": drawn - detected,
        "whole": detected - decoded,
        "with decode and drawing": drawn - started,
    }
    return seconds, [len(d.components) for d in detections], detections[-1].image_size


def in_order(names: Sequence[str] | dict[str, Any]) -> list[str]:
    """Stages by the data's way, ones that are not known here after them, the sums last."""
    other = [name for name in names if name not in STAGES + SUMS]
    return [name for name in (*STAGES, *other, *SUMS) if name in names]


def _percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Median, 95th and 99th percentile in milliseconds."""
    p50, p95, p99 = np.percentile(seconds, (50, 95, 99)) * 1000
    return {"median": round(p50, 3), "p95": round(p95, 3), "p99": round(p99, 3)}
