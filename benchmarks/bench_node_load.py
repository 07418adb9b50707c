"""Three cameras against one, and 30 Hz into 5 Hz: throughput, fairness, age, account and memory.

The detector is the bundle's, held to a fixed time a call, so that the node and not the network is
measured; the cameras are a process of their own that publishes raw images over DDS. One camera and
three take turns. `python benchmarks/bench_node_load.py [--bundle FOLDER] [--json FILE]`.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from outcome import NODE_NEEDS, claim, is_left_out, write_outcome

from ood_perception.command_line import progress_bar
from ood_perception.process_memory import resident_bytes

CAMERAS = ("front", "left", "right")
SIZE = (640, 368)
CALL_S = 0.12
FAST_HZ, SLOW_S = 30.0, 0.2
QUEUE_FILLS_S = 1.5
TURNS = 3


class PacedDetector:
    """A detector each of whose calls takes the same time, as long as it needs no more."""

    def __init__(self, bundle: str, seconds: float) -> None:
        from ood_perception.ros.model_loading import load_detector

        self._detector = load_detector(bundle, "onnxruntime")
        self._answers: dict[int, Any] = {}
        self.bundle, self.device = self._detector.bundle, self._detector.device
        self.seconds = seconds

    @property
    def pictures(self) -> int:
        """How many different ones it has seen."""
        return len(self._answers)

    def detect(self, image: Any) -> Any:
        """The real answer, computed once a picture: the camera repeats a few."""
        end = time.perf_counter() + self.seconds
        key = hash(image[::16, ::16].tobytes())
        if key not in self._answers:
            self._answers[key] = self._detector.detect(image)
        time.sleep(max(0.0, end - time.perf_counter()))
        return self._answers[key]


def session(
    bundle: str,
    cameras: tuple[str, ...],
    rate_hz: float,
    pace_s: float,
    seconds: float,
    held_up_s: float = 0.0,
) -> dict[str, Any]:
    """One node with these cameras for so long: counts of each, times of all, memory.

    held_up_s: that the whole node stands still before it is measured. What then arrives fills the
    queue of the subscription (30 images), whose memory stays taken whatever comes; on a machine
    that holds the node up now and then it would be taken somewhere in between.
    """
    from camera_process import SCENES, CameraProcess
    from running_node import RunningNode

    parameters = {
        "bundle": bundle,
        "cameras": list(cameras),
        "max_frame_age_s": 0.0,
        "max_batch": 1,
        "health__frozen_frames": 0,
    }
    detector = PacedDetector(bundle, pace_s)
    with RunningNode(lambda *_: detector, **parameters) as node:
        timings = {camera: node.collect(camera) for camera in cameras}
        with CameraProcess(cameras, rate_hz, SIZE) as driver:
            # Until every picture has been answered the answers kept for later make memory grow;
            # from then on only the pace counts. One more picture: the grey one of the warm-up.
            node.wait(lambda: detector.pictures > SCENES, 120, "every picture")
            node.wait(lambda: all(len(t) >= 8 for t in timings.values()), 120, "the first images")
            if held_up_s:
                _hold_up(node, detector, timings[cameras[0]], held_up_s)
            first = {camera: len(timings[camera]) for camera in cameras}
            before, started = {c: node.counts(c) for c in cameras}, time.monotonic()
            resident = [resident_bytes()]
            while time.monotonic() < started + seconds:
                time.sleep(0.25)
                resident.append(resident_bytes())
            after, span_s = {c: node.counts(c) for c in cameras}, time.monotonic() - started
        node.wait(lambda: all(node.counts(c).pending == 0 for c in cameras), 30, "the last image")
        settled = [node.counts(c) for c in cameras]
    done = {c: after[c].processed - before[c].processed for c in cameras}
    # From when an image was out: a driver that was held up after its stamp is not the node.
    ages = [
        timing.start_age - driver.published_s.get(timing.stamp_ns, 0.0)
        for camera in cameras
        for timing in timings[camera][first[camera] :]
    ]
    return {
        "hz": sum(done.values()) / span_s,
        "done": done,
        "oldest_s": max(ages),
        "median_age_s": median(ages),
        "received": sum(c.received for c in settled),
        "accounted": sum(c.processed + c.refused + c.dropped for c in settled),
        "dropped": sum(c.dropped for c in settled),
        "lost_in_transport": sum(c.lost_in_transport for c in settled),
        "memory_ratio": float(np.mean(resident[-4:]) / np.mean(resident[:4])),
    }


def _hold_up(node: Any, detector: PacedDetector, timings: list[Any], seconds: float) -> None:
    """Keeps the worker and the executor from their images; returns when they work again."""
    pace_s, done = detector.seconds, len(timings)
    detector.seconds = seconds
    node.wait(lambda: len(timings) > done, 30, "an image")  # the next one is the slow one
    node.hold_up(seconds)
    time.sleep(seconds)
    detector.seconds = pace_s
    node.wait(lambda: len(timings) > done + 3, 30, "the node to go on")


def measure(bundle: str, seconds: float) -> dict[str, Any]:
    """One camera and three in turns, then the overload."""
    ones, threes = [], []
    with progress_bar() as bar:
        task = bar.add_task("node under load", total=2 * TURNS + 1)
        for _ in range(TURNS):
            # the same number of images a second in all
            ones.append(session(bundle, CAMERAS[:1], FAST_HZ, CALL_S, seconds))
            bar.advance(task)
            threes.append(session(bundle, CAMERAS, FAST_HZ / 3, CALL_S, seconds))
            bar.advance(task)
        overload = session(bundle, CAMERAS[:1], FAST_HZ, SLOW_S, 3 * seconds, QUEUE_FILLS_S)
        bar.advance(task)
    shares = np.sum([[three["done"][camera] for camera in CAMERAS] for three in threes], axis=0)
    return {
        "throughput_ratio": median(t["hz"] / o["hz"] for t, o in zip(threes, ones, strict=True)),
        "one_hz": median(one["hz"] for one in ones),
        "three_hz": median(three["hz"] for three in threes),
        "largest_share": float(shares.max() / shares.mean()),
        "smallest_share": float(shares.min() / shares.mean()),
        "overload": overload,
    }


def main() -> None:
    """Print and report; not enforced: a busy machine is no broken program."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("models/generated"))
    parser.add_argument("--seconds", type=float, default=10.0, help="of each turn (default 10)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.seconds <= 0:
        parser.error("--seconds must be above 0")
    if is_left_out("node under load", arguments.json, NODE_NEEDS):
        return
    result = measure(str(arguments.bundle.resolve()), arguments.seconds)
    overload = result["overload"]
    limit_s = 1 / FAST_HZ + SLOW_S
    print(
        f"three cameras {result['three_hz']:.2f} Hz in all, one {result['one_hz']:.2f} Hz: "
        f"{result['throughput_ratio']:.3f}; shares {result['smallest_share']:.3f} to "
        f"{result['largest_share']:.3f} of an equal one"
    )
    print(
        f"{FAST_HZ:g} Hz into {1 / SLOW_S:g} Hz: oldest image {1e3 * overload['oldest_s']:.0f} ms "
        f"when its turn came (median {1e3 * overload['median_age_s']:.0f}; limit "
        f"{1e3 * limit_s:.0f}), {overload['accounted']} of {overload['received']} accounted for, "
        f"{overload['dropped']} dropped, memory x {overload['memory_ratio']:.3f}"
    )
    what = f"{FAST_HZ:g} Hz into {1 / SLOW_S:g} Hz:"
    claims = [
        claim("total rate of three cameras / one", result["throughput_ratio"], at_least=0.95),
        claim("largest share of three cameras / equal", result["largest_share"], at_most=1.05),
        claim("smallest share of three cameras / equal", result["smallest_share"], at_least=0.95),
        claim(
            f"{what} oldest image at its start / (interval + processing)",
            overload["oldest_s"] / limit_s,
            at_most=1.0,
        ),
        claim(
            f"{what} accounted for / received",
            overload["accounted"] / overload["received"],
            at_least=1.0,
            at_most=1.0,
        ),
        claim(f"{what} memory at the end / at the start", overload["memory_ratio"], at_most=1.02),
    ]
    write_outcome(arguments.json, result, claims, threads=None)


if __name__ == "__main__":
    main()
