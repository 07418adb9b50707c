"""How long the bundles of a comparison take for a picture, all taking turns in one run."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.bundle import load_bundle
from ood_perception.command_line import progress_bar, write_json
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_perception.machine_facts import cpu_name, usable_cores
from ood_training.comparison.configuration import ComparisonConfiguration
from ood_training.comparison.record import file_hash
from ood_training.evaluation_run import open_evaluation_data

LATENCY_NAME = "latency.json"
_PICTURES, _ROUNDS, _WARMUP = 6, 4, 2


def measure_latency(
    comparison: ComparisonConfiguration, bundles: Mapping[str, Path]
) -> dict[str, Any] | None:
    """Of each method's bundle; measured anew when one of them is another than before.

    Returns ``{"methods": {name: {"milliseconds", "ratio"}}, "pictures", "rounds", "cpu", "cores"}``
    with the median over all calls of ``Detector.detect`` and its ratio to the first method's; None
    without bundles.
    """
    if not bundles:
        return None
    first = next(iter(comparison.evaluations.values()))
    key = {
        "bundles": {name: file_hash(path / "manifest.json") for name, path in bundles.items()},
        "data": first.model_dump(mode="json", exclude={"figures", "protocol"}),
    }
    known = known_latency(comparison)
    if known is not None and known["measured"] == key:
        return known
    dataset = open_evaluation_data(first.request)
    chosen = dataset.every(max(1, len(dataset) // _PICTURES))
    pictures = [chosen[index].read_image() for index in range(min(_PICTURES, len(chosen)))]
    detectors = {name: Detector(load_bundle(path)) for name, path in bundles.items()}
    medians = median_milliseconds(detectors, pictures, _ROUNDS)
    reference = next(iter(medians.values()))
    result = {
        "methods": {
            name: {"milliseconds": value, "ratio": value / reference}
            for name, value in medians.items()
        },
        "reference": next(iter(medians)),
        "pictures": len(pictures),
        "rounds": _ROUNDS,
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "measured": key,
    }
    write_json(comparison.output / LATENCY_NAME, result)
    return result


def known_latency(comparison: ComparisonConfiguration) -> dict[str, Any] | None:
    """What was measured before, None where nothing was."""
    path = comparison.output / LATENCY_NAME
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise OodError(f"{path}: no record of latencies: remove it") from error
    return content


def median_milliseconds(
    detectors: Mapping[str, Detector], pictures: Sequence[NDArray[np.uint8]], rounds: int
) -> dict[str, float]:
    """Of every detector over all pictures and rounds; the first rounds of all are not counted."""
    samples: dict[str, list[float]] = {name: [] for name in detectors}
    with progress_bar() as bar:
        for number in bar.track(range(_WARMUP + rounds), description="latency"):
            for picture in pictures:
                # in turns, so that a busy moment of the machine meets all of them
                for name, detector in detectors.items():
                    begin = perf_counter()
                    detector.detect(picture)
                    if number >= _WARMUP:
                        samples[name].append(1000.0 * (perf_counter() - begin))
    return {name: float(np.median(values)) for name, values in samples.items()}
