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
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from core_wait import Patience, waited_for_core_s
from numpy.typing import NDArray
from soak_report import Report, print_report, result_of
from soaked_node_process import SoakedProcess

from ood_perception.command_line import one_line_errors, progress_bar, write_json
from ood_perception.errors import OodError
from ood_perception.machine_facts import machine_facts
from ood_perception.process_memory import resident_bytes

ROOT = Path(__file__).resolve().parents[1]
SIZE = (640, 368)
_CALM = (10, 40)
"""Good images between two faults: at least, at most."""
_TOLD_EVERY = 500
"""Images between two lines of a log that shows no bar."""


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
        process_id = node.process.pid
        with node, NodeDriver(node.is_alive, (width, height), process_id) as driver:
            scene = Scene(driver, pictures, seed, focal_px=0.8 * width)
            try:
                driver.wait(lambda: driver.state != "", "the node to be active", 60.0)
                _recover(scene)
                coming = list(scene.rng.permutation(len(FAULTS)))
                while driver.sent < frames or coming:
                    number = coming.pop() if coming else int(scene.rng.integers(len(FAULTS)))
                    _calm(scene, report, process_id)
                    said_s = FAULTS[number].make(scene)
                    status = driver.status
                    recovered_s = _recover(scene)
                    message = "" if status is None or said_s == 0 else str(status.message)
                    report.note(FAULTS[number].name, said_s, recovered_s, message)
                    _check_silence(scene)
                    report.waited_for_core_s = waited_for_core_s(os.getpid(), process_id)
                    after_each(driver.sent)
            except NotAsWantedError as error:
                report.wrong.append(f"after {driver.sent} images: {error}")
            sent = driver.sent
        text = log.read_text(encoding="utf-8", errors="replace")
    return result_of(report, sent, node.exit_code, text, time.monotonic() - started)


def _calm(scene: Any, report: Report, process_id: int) -> None:
    """Good images, each answered before the next; one in a while is lost on its way."""
    for _ in range(int(scene.rng.integers(*_CALM))):
        stamp, patience = scene.send_good(), scene.driver.patience(1.0)

        def answered(stamp: int = stamp, patience: Patience = patience) -> bool:
            return stamp in scene.driver.obstacles or patience.is_over()

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bundle", type=Path, default=Path("models/generated"))
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    if arguments.frames < 1:
        parser.error("--frames must be at least 1")
    signal.signal(signal.SIGTERM, _stop)
    with one_line_errors():
        result = _run(arguments)
    write_json(arguments.json, {**result, "seed": arguments.seed, "machine": machine_facts()})
    print_report(result)
    sys.exit(1 if result["wrong"] else 0)


def _stop(*_: object) -> None:
    """A run of an hour that is stopped reports what it saw."""
    from node_driver import NotAsWantedError

    raise NotAsWantedError("stopped by SIGTERM")


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
        told = 0

        def tell(sent: int) -> None:
            nonlocal told
            bar.update(task, completed=sent)
            if not sys.stdout.isatty() and sent - told >= _TOLD_EVERY:
                told = sent
                print(f"{sent} of {arguments.frames} images", flush=True)

        return soak(
            *(arguments.bundle.resolve(), pictures, arguments.frames, arguments.seed),
            after_each=tell,
        )


if __name__ == "__main__":
    main()
