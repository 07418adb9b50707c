"""What the node adds to the detector: from an image's arrival to its published obstacles.

A process of its own publishes raw images over DDS more slowly than the node can work; of every
image the time from arrival to publication, less the detector's own call, is taken, so waking up,
reading, decoding, checks, places, tracking and publishing are in it. The detector is the bundle's.
`python benchmarks/bench_node_overhead.py [--bundle FOLDER] [--frames N] [--json FILE]`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from outcome import NODE_NEEDS, claim, is_left_out, write_outcome

from ood_perception.command_line import progress_bar

SIZE = (1280, 720)
MEDIAN_MS, P99_MS = 8.0, 20.0
"""Bounds of the overhead on an otherwise idle machine."""
WARMUP = 10


def measure(bundle: Path, frames: int, rate_hz: float) -> dict[str, Any]:
    """Milliseconds of the overhead and of the detector over so many images."""
    from camera_process import CameraProcess
    from running_node import RunningNode

    parameters = {
        "bundle": str(bundle),
        "mounting_source": "parameters",
        "max_frame_age_s": 0.0,
        "health__frozen_frames": 0,
    }
    with RunningNode(**parameters) as node, progress_bar() as bar:
        task = bar.add_task("node overhead", total=frames + WARMUP)
        timings = node.collect("camera")
        with CameraProcess(("camera",), rate_hz, SIZE):

            def done() -> bool:
                bar.update(task, completed=len(timings))
                return len(timings) >= frames + WARMUP

            node.wait(done, 60 + 5 * (frames + WARMUP) / rate_hz, f"{frames} images")
        counts = node.counts("camera")
    used = timings[WARMUP : WARMUP + frames]
    overhead = 1e3 * np.array([timing.overhead for timing in used])
    detector = 1e3 * np.array([timing.detector for timing in used])
    return {
        "frames": len(used),
        "rate_hz": rate_hz,
        "overhead_median_ms": float(np.median(overhead)),
        "overhead_p99_ms": float(np.percentile(overhead, 99)),
        "detector_median_ms": float(np.median(detector)),
        "detector_p99_ms": float(np.percentile(detector, 99)),
        "dropped": counts.dropped + counts.refused,
    }


def main() -> None:
    """Print and report; not enforced: a busy machine is no broken program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("models/generated"))
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--rate", type=float, default=4.0, help="images a second (default 4)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.frames < 1 or arguments.rate <= 0:
        parser.error("--frames and --rate must be above 0")
    if is_left_out("node overhead", arguments.json, NODE_NEEDS):
        return
    result = measure(arguments.bundle.resolve(), arguments.frames, arguments.rate)
    print(
        f"node overhead at {SIZE[0]}x{SIZE[1]} raw over {result['frames']} images: median "
        f"{result['overhead_median_ms']:.1f} ms (wanted: at most {MEDIAN_MS:g}), 99th percentile "
        f"{result['overhead_p99_ms']:.1f} ms (wanted: at most {P99_MS:g}); the detector's own "
        f"median {result['detector_median_ms']:.0f} ms; {result['dropped']} images not processed"
    )
    what = f"node overhead at {SIZE[0]}x{SIZE[1]} raw, ms, beside a detector of "
    what += f"{result['detector_median_ms']:.0f} ms:"
    claims = [
        claim(f"{what} median", result["overhead_median_ms"], at_most=MEDIAN_MS),
        claim(f"{what} 99th percentile", result["overhead_p99_ms"], at_most=P99_MS),
    ]
    write_outcome(arguments.json, result, claims, threads=None)


if __name__ == "__main__":
    main()
