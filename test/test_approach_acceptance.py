"""An object on the road at 40 m, approached at 10 m/s: through the real node, DDS and /clock.

Default settings, the shipped model, objects of a family that it never saw. Everything is measured
from the published messages; each figure is printed (`pytest -s`).
"""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(600)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))

from approach_drive import SPEED_MPS, approach, through_the_node  # noqa: E402
from approach_figures import figures  # noqa: E402

from ood_perception.bundle import load_bundle  # noqa: E402
from ood_perception.detector import Detector  # noqa: E402
from ood_perception.generated_drive.camera import CameraSetup  # noqa: E402
from ood_perception.ros.demo_processes import isolate_network  # noqa: E402
from ood_perception.ros.package_files import PROFILE, package_file  # noqa: E402

MODEL = ROOT / "models" / "generated"
# A lens that looks ahead: through the drive's own, of 58 degrees, such an object is ten pixels wide
# at 40 m, and most are confirmed too late (docs/results.md).
VIEW_DEG = 31.0
# The first seeds of the benchmark whose object is at least 0.4 m wide and high.
SEEDS = (80001, 80004)
OVERHANGS = {80004: "it overhangs its nearest contact by 0.37 m: up to 6% short"}
MIN_PROCESSED = 0.95
MARGIN = 3.0  # player, recorder and node share the machine with the network


def rate_for(drive):
    """How fast to play, so that every image has its turn; /clock keeps the time of the bag."""
    detector, image = Detector(load_bundle(MODEL)), drive.frame(0).image
    seconds = []
    for _ in range(4):
        start = perf_counter()
        detector.detect(image)
        seconds.append(perf_counter() - start)
    return float(np.clip(1 / drive.frame_rate_hz / (MARGIN * median(seconds[1:])), 0.05, 1.0))


@pytest.fixture(scope="module", params=SEEDS)
def measured(request, tmp_path_factory):
    """The figures of one approach."""
    if not (MODEL / "manifest.json").is_file():
        pytest.skip("models/generated has not been made yet")
    drive = approach(request.param, CameraSetup.with_view(VIEW_DEG))
    variables = ("FASTRTPS_DEFAULT_PROFILES_FILE", "FASTDDS_DEFAULT_PROFILES_FILE")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("ROS_DOMAIN_ID", "ROS_AUTOMATIC_DISCOVERY_RANGE", *variables):
            environment.setenv(name, "")
        isolate_network(package_file(PROFILE))
        rate = rate_for(drive)
        for slower in (1, 2, 4):  # on a machine that others use the first may be too fast
            work = tmp_path_factory.mktemp(f"approach_{request.param}")
            published = through_the_node(drive, MODEL, work, rate / slower)
            if len(published) >= MIN_PROCESSED * len(drive):
                break
    found = {
        "seed": request.param,
        "frames": len(drive),
        "processed": len(published),
        **figures(published, SPEED_MPS),
    }
    print(f"\nseed {request.param}:", *(f"\n  {key}: {value}" for key, value in found.items()))
    if found["processed"] < MIN_PROCESSED * found["frames"]:
        pytest.skip(
            f"this machine is too slow to judge: {found['processed']} of {found['frames']} images"
        )
    return found


def test_it_is_confirmed_by_30_m(measured):
    assert measured["confirmed_at_m"] >= 30.0


def test_it_is_held(measured):
    assert measured["held_share"] >= 0.95
    assert measured["in_cloud_share"] >= 0.95, "a planner must not see it vanish"
    assert measured["ids"] == 1


@pytest.fixture
def shows_its_contact(measured, request):
    """Counts a known shortfall where an object's lowest pixel is not where it meets the road."""
    if measured["seed"] in OVERHANGS:
        request.applymarker(pytest.mark.xfail(reason=OVERHANGS[measured["seed"]]))


@pytest.mark.usefixtures("shows_its_contact")
def test_its_distance_is_right_and_so_is_what_is_said_of_it(measured):
    assert abs(measured["distance_error_near_worst"]) <= 0.05
    assert measured["within_two_deviations_share"] >= 0.9
    assert measured["relative_deviation_at_20_m_median"] < 0.05
    assert measured["placed_near"] >= 10, "too few frames with a place to judge by"


def test_its_points_move_at_the_speed_of_the_approach(measured):
    assert abs(measured["speed_error_near_worst"]) <= 0.15
    assert measured["speeds_near"] >= 10, "too few speeds to judge by"
