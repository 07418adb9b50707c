"""Thousands of changing frames through the whole pipeline: does its memory stay where it is?

Resident memory is read after every frame; its slope after the warm-up, with a 95% interval, is
wanted indistinguishable from zero. `python benchmarks/soak.py [--frames N] [--folder PICTURES]
[--bundle FOLDER] [--json FILE]`; exit code 1 when memory grows.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from changing_frames import changing_frames
from memory_slope import BLOCKS, MemorySlope, block_floors, memory_slope
from numpy.typing import NDArray

from ood_perception.bundle import load_bundle
from ood_perception.camera_pipeline import CameraPipeline, SceneDetector
from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.detector import Detector
from ood_perception.errors import ImageError, OodError
from ood_perception.generated_drive import CameraSetup
from ood_perception.generated_drive.mounted_camera import camera_model, mounting
from ood_perception.machine_facts import machine_facts
from ood_perception.process_memory import resident_bytes

WARMUP_FRAMES = 500
_FRAME_NS = 100_000_000


def soak(
    detector: SceneDetector,
    frames: Iterator[NDArray[np.uint8]],
    size: tuple[int, int],
    count: int,
    seconds: float = float("inf"),
    after_each: Callable[[], None] = lambda: None,
) -> tuple[NDArray[np.int64], dict[str, int]]:
    """`count` frames through one camera's pipeline; resident bytes after each, and what was seen.

    size: (width, height) of the frames. A frame that the pipeline refuses (too dark, say) is
    counted and belongs to the run. After so many `seconds` the run ends early.
    """
    setup = CameraSetup.default(*size)
    camera, mounted = camera_model(setup), mounting(setup)
    pipeline = CameraPipeline(detector)
    resident = np.full(count, 0, np.int64)  # written once, so that it takes its memory now
    seen = {"components": 0, "most_components": 0, "obstacles": 0, "refused": 0}
    frames = islice(frames, count)
    started = perf_counter()
    for number, image in enumerate(frames):
        try:
            scene = pipeline.process(image, number * _FRAME_NS, camera, mounted)
        except ImageError:
            seen["refused"] += 1
        else:
            components = len(scene.detection.components)
            seen["components"] += components
            seen["most_components"] = max(seen["most_components"], components)
            seen["obstacles"] += len(scene.obstacles)
        resident[number] = resident_bytes()
        after_each()
        if perf_counter() - started > seconds:
            return resident[: number + 1], seen
    return resident, seen


def summary(resident: NDArray[np.int64], warmup: int) -> tuple[MemorySlope, dict[str, Any]]:
    """The slope after the warm-up, and the figures for people."""
    after = resident[warmup:]
    slope = memory_slope(after.tolist())
    return slope, {
        "frames": len(resident),
        "warmup_frames": warmup,
        "bytes_per_frame": slope.bytes_per_frame,
        "interval_95": [slope.low, slope.high],
        "grows": slope.is_growth,
        "resident_first_bytes": int(after[0]),
        "resident_last_bytes": int(after[-1]),
        "resident_largest_bytes": int(after.max()),
        "resident_by_block_bytes": block_floors(after.tolist()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("models/generated"))
    parser.add_argument("--frames", type=int, default=10_000)
    parser.add_argument("--warmup", type=int, default=WARMUP_FRAMES)
    parser.add_argument("--scenes", type=int, default=100, help="different generated scenes")
    parser.add_argument("--folder", type=Path, help="real pictures for every other frame")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="end earlier")
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.warmup < 0 or arguments.frames - arguments.warmup < 3 * BLOCKS:
        parser.error(f"--frames: at least {3 * BLOCKS} more than --warmup")
    if arguments.minutes <= 0 or arguments.scenes < 1:
        parser.error("--minutes must be above 0, --scenes at least 1")
    with one_line_errors():
        slope = _run(arguments)
    sys.exit(1 if slope.is_growth else 0)


def _run(arguments: argparse.Namespace) -> MemorySlope:
    bundle = load_bundle(arguments.bundle)
    network = bundle.manifest.network
    size = (network.input_width, network.input_height)
    detector = Detector(bundle, arguments.backend)
    started = perf_counter()
    with progress_bar() as bar:
        made = bar.add_task("generate", total=arguments.scenes)
        frames = changing_frames(
            size, arguments.scenes, arguments.folder, lambda: bar.advance(made)
        )
        task = bar.add_task("soak", total=arguments.frames)
        resident, seen = soak(
            *(detector, frames, size, arguments.frames, 60 * arguments.minutes),
            after_each=lambda: bar.advance(task),
        )
    if len(resident) - arguments.warmup < 3 * BLOCKS:
        raise OodError(f"only {len(resident)} frames in --minutes: too few for a slope")
    slope, figures = summary(resident, arguments.warmup)
    result = {"model": bundle.model_id, **figures, **seen, "seconds": perf_counter() - started}
    write_json(arguments.json, {**result, "machine": machine_facts()})
    print(
        f"{len(resident)} frames of {size[0]}x{size[1]} through {bundle.model_id} in "
        f"{result['seconds']:.0f} s: {seen['components']} components (at most "
        f"{seen['most_components']} in a frame), {seen['obstacles']} obstacles, "
        f"{seen['refused']} frames refused"
    )
    print(
        f"resident memory after the first {arguments.warmup}: "
        f"{figures['resident_first_bytes'] / 1e6:.1f} MB, at the end "
        f"{figures['resident_last_bytes'] / 1e6:.1f} MB; slope {slope.bytes_per_frame:.0f} bytes "
        f"a frame, 95% interval {slope.low:.0f} to {slope.high:.0f}: "
        + ("it GROWS" if slope.is_growth else "indistinguishable from zero")
    )
    return slope


if __name__ == "__main__":
    main()
