"""The node with the model that the package ships for its generated drive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from ros_fixtures import Bench, stamp_of, stamps  # noqa: E402

from ood_perception.generated_drive import Drive  # noqa: E402
from ood_perception.ros.demo_input import mounting_parameters  # noqa: E402
from ood_perception.ros.model_loading import load_detector  # noqa: E402

MODEL = Path(__file__).resolve().parents[1] / "models" / "generated"


@pytest.mark.skipif(
    not (MODEL / "manifest.json").is_file(), reason="models/generated has not been made yet"
)
def test_a_generated_drive_gives_placed_obstacles():
    drive = Drive(3, frame_rate_hz=10.0, duration_s=0.5, light="clear", obstacle_count=2)
    camera = drive.camera
    bench = Bench(load_detector, bundle="generated", **mounting_parameters(camera))
    try:
        bench.activate()
        bench.send_info(camera.width, camera.height, camera.focal_px)
        sent = []
        for number, frame in enumerate(drive):
            sent.append(bench.send(bench.image(np.ascontiguousarray(frame.image))))
            bench.wait(lambda n=number: bench.count("processed") > n, "a processed image")
        arrays = bench.wait(
            lambda: (
                len(bench.messages("camera/obstacles")) == len(sent)
                and bench.messages("camera/obstacles")
            ),
            "obstacles for every image",
        )
        assert stamps(arrays) == [stamp_of(message) for message in sent]
        assert {array.model_id for array in arrays} == {bench.node._detector.bundle.model_id}
        placed = [c for array in arrays for c in array.components if c.has_position]
        for array in arrays:
            assert array.status in (array.STATUS_OK, array.STATUS_DEGRADED)
        for component in placed:
            assert 0 < component.distance_m < 100
            assert component.distance_stddev_m > 0
        valid = [a for a in arrays if a.status == a.STATUS_OK]
        bench.wait(lambda: len(bench.messages("camera/obstacle_points")) == len(valid), "clouds")
    finally:
        bench.close()
