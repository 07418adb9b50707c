"""Thousands of images through the node as a process of its own, with faults at random from a seed.

After every fault the node must be right again: a good image is answered with obstacles and points
of its own stamp, and the camera's state is ok. While a fault lasts, nothing that must not be
answered may be. The node must not exit, and its memory must not grow. The report says what was
injected, how often, and what the node said how soon.
`python benchmarks/soak_node.py [--frames N] [--seed N] [--bundle FOLDER] [--json FILE]`; exit code
1 when anything is not as wanted.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from memory_slope import BLOCKS, memory_slope
from numpy.typing import NDArray

from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.errors import OodError
from ood_perception.machine_facts import machine_facts
from ood_perception.process_memory import resident_bytes

ROOT = Path(__file__).resolve().parents[1]
SIZE = (640, 368)
_CALM = (10, 40)
"""Good images between two faults: at least, at most."""
_WARMUP_SHARE = 0.2
_LOST_SHARE = 0.02
_FEWEST_FOR_GROWTH = 4000
"""Good images; before, caches and allocators still fill, and a slope says nothing."""


class SoakedProcess:
    """The node under test; a context manager that ends it by SIGTERM and keeps its exit code."""

    def __init__(self, bundle: Path, log: Path, **parameters: Any) -> None:
        values = {
            "bundle": str(bundle),
            "mounting_source": "parameters",
            "camera.mounting.height_m": 1.5,
            "max_frame_age_s": 2.0,
            **parameters,
        }
        given = [part for name, value in values.items() for part in ("-p", f"{name}:={value}")]
        self._log = log.open("wb")
        self.exit_code: int | None = None
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "benchmarks" / "soaked_node.py"), "--ros-args", *given],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            },
        )

    def __enter__(self) -> SoakedProcess:
        return self

    def __exit__(self, *_: object) -> None:
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            self.exit_code = self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.exit_code = self.process.wait()
        self._log.close()

    def is_alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None


class Report:
    """What was injected, and what was said."""

    def __init__(self) -> None:
        self.faults: dict[str, dict[str, Any]] = {}
        self.wrong: list[str] = []
        self.resident: list[int] = []
        self.good_images = self.unanswered = 0

    def note(self, name: str, said_s: float, recovered_s: float, message: str) -> None:
        """A fault that was answered and overcome."""
        entry = self.faults.setdefault(
            name, {"times": 0, "slowest_said_s": 0.0, "slowest_recovered_s": 0.0, "said": ""}
        )
        entry["times"] += 1
        entry["slowest_said_s"] = max(entry["slowest_said_s"], said_s)
        entry["slowest_recovered_s"] = max(entry["slowest_recovered_s"], recovered_s)
        entry["said"] = message


def soak(
    bundle: Path,
    pictures: list[NDArray[np.uint8]],
    frames: int,
    seed: int,
    after_each: Callable[[int], None] = lambda sent: None,
    **parameters: Any,
) -> dict[str, Any]:
    """At least so many images through the node, with every fault once and then at random.

    pictures: (H, W, 3) uint8 BGR, all of one size, that the model takes for ordinary ones.
    """
    from node_driver import NodeDriver, NotAsWantedError
    from node_faults import FAULTS, Scene

    # read when the first node of this process is made; it matters to who publishes
    profile = str(ROOT / "config" / "fastdds_profile.xml")
    os.environ.setdefault("FASTRTPS_DEFAULT_PROFILES_FILE", profile)
    report, started = Report(), time.monotonic()
    height, width = pictures[0].shape[:2]
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        node = SoakedProcess(bundle, log, **parameters)
        with node, NodeDriver(node.is_alive, (width, height)) as driver:
            scene = Scene(driver, pictures, seed, focal_px=0.8 * width)
            try:
                driver.wait(lambda: driver.state != "", "the node to be active", 60.0)
                _recover(scene)
                coming = list(scene.rng.permutation(len(FAULTS)))
                while driver.sent < frames or coming:
                    number = coming.pop() if coming else int(scene.rng.integers(len(FAULTS)))
                    _calm(scene, report, node.process.pid)
                    said_s = FAULTS[number].make(scene)
                    status = driver.status
                    recovered_s = _recover(scene)
                    message = "" if status is None or said_s == 0 else str(status.message)
                    report.note(FAULTS[number].name, said_s, recovered_s, message)
                    _check_silence(scene)
                    after_each(driver.sent)
            except NotAsWantedError as error:
                report.wrong.append(f"after {driver.sent} images: {error}")
            sent = driver.sent
        text = log.read_text(encoding="utf-8", errors="replace")
    return _result(report, sent, node.exit_code, text, time.monotonic() - started)


def _calm(scene: Any, report: Report, process_id: int) -> None:
    """Good images, each answered before the next; one in a while is lost on its way."""
    for _ in range(int(scene.rng.integers(*_CALM))):
        stamp, end = scene.send_good(), time.monotonic() + 1.0

        def answered(stamp: int = stamp, end: float = end) -> bool:
            return stamp in scene.driver.obstacles or time.monotonic() > end

        scene.driver.wait(answered, "obstacles of a good image")
        report.good_images += 1
        report.unanswered += stamp not in scene.driver.obstacles
        report.resident.append(resident_bytes(process_id))


def _recover(scene: Any) -> float:
    """Seconds until a good image was answered with obstacles and points, and the state is ok."""
    start, mine = time.monotonic(), []

    def is_right() -> bool:
        mine.append(scene.send_good())
        time.sleep(0.05)
        driver = scene.driver
        if driver.state not in ("ok", "over_budget") and len(mine) % 10 == 0:
            driver.send_info(scene.focal_px)  # a volatile one is lost while nobody subscribes
        answered = any(stamp in driver.points and stamp in driver.obstacles for stamp in mine)
        return answered and driver.state in ("ok", "over_budget")

    scene.driver.wait(is_right, "the node to be right again", 15.0)
    return time.monotonic() - start


def _check_silence(scene: Any) -> None:
    """Nothing was answered that must not be; what was is forgotten."""
    from node_driver import NotAsWantedError

    driver = scene.driver
    lies = (driver.obstacles | driver.points) - scene.good
    if lies:
        raise NotAsWantedError(f"{len(lies)} images were answered that must not be")
    for stamps in (driver.obstacles, driver.points):
        stamps.clear()


def _result(
    report: Report, sent: int, exit_code: int | None, log: str, seconds: float
) -> dict[str, Any]:
    wrong = list(report.wrong)
    if exit_code != 0:
        wrong.append(f"the node ended with code {exit_code}")
    if report.unanswered > _LOST_SHARE * report.good_images + 1:
        wrong.append(f"{report.unanswered} of {report.good_images} good images not answered")
    result: dict[str, Any] = {
        "frames": sent,
        "good_frames": report.good_images,
        "good_frames_unanswered": report.unanswered,
        "faults_injected": sum(entry["times"] for entry in report.faults.values()),
        "faults": report.faults,
        "seconds": seconds,
        "tracebacks_in_log": log.count("Traceback"),
        "last_log_lines": log.splitlines()[-3:],
    }
    after = report.resident[round(_WARMUP_SHARE * len(report.resident)) :]
    if len(after) >= 3 * BLOCKS:
        slope = memory_slope(after)
        result |= {
            "resident_first_bytes": after[0],
            "resident_last_bytes": after[-1],
            "bytes_per_frame": slope.bytes_per_frame,
            "interval_95": [slope.low, slope.high],
        }
        if slope.is_growth and len(after) >= _FEWEST_FOR_GROWTH:
            wrong.append(f"memory grows by {slope.bytes_per_frame:.0f} bytes a good image")
    return {**result, "wrong": wrong}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("models/generated"))
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.frames < 1:
        parser.error("--frames must be at least 1")
    with one_line_errors():
        result = _run(arguments)
    write_json(arguments.json, {**result, "seed": arguments.seed, "machine": machine_facts()})
    print_report(result)
    sys.exit(1 if result["wrong"] else 0)


def _run(arguments: argparse.Namespace) -> dict[str, Any]:
    from ood_perception.generated_drive import CameraSetup, random_scene

    try:
        import rclpy  # noqa: F401
    except ImportError as error:
        raise OodError(
            "rclpy is not installed: source a ROS installation, or make setup"
        ) from error
    os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    camera = CameraSetup.default(*SIZE)
    pictures = [random_scene(seed, camera=camera, obstacle_count=2).image for seed in range(8)]
    with progress_bar() as bar:
        task = bar.add_task("soak the node", total=arguments.frames)
        return soak(
            *(arguments.bundle.resolve(), pictures, arguments.frames, arguments.seed),
            after_each=lambda sent: bar.update(task, completed=sent),
        )


def print_report(result: dict[str, Any]) -> None:
    """What was injected and what was said, for people."""
    print(
        f"{result['frames']} images through the node in {result['seconds']:.0f} s, "
        f"{result['faults_injected']} faults injected; {result['good_frames_unanswered']} of "
        f"{result['good_frames']} good images not answered within a second"
    )
    for name, entry in sorted(result["faults"].items()):
        print(
            f"  {entry['times']:4} x {name:34} said after at most {entry['slowest_said_s']:.2f} s, "
            f"right again after at most {entry['slowest_recovered_s']:.2f} s: {entry['said']}"
        )
    if "bytes_per_frame" in result:
        low, high = result["interval_95"]
        print(
            f"resident memory {result['resident_first_bytes'] / 1e6:.1f} MB after the warm-up, "
            f"{result['resident_last_bytes'] / 1e6:.1f} MB at the end; slope "
            f"{result['bytes_per_frame']:.0f} bytes an image, 95% interval {low:.0f} to {high:.0f}"
        )
    for line in result["wrong"] or ["everything as wanted"]:
        print(f"  {line}")


if __name__ == "__main__":
    main()
