"""The node runs a bundle of each method by nothing but the bundle's name in its parameters."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from method_bundles import METHODS, write_method_bundle  # noqa: E402
from ros_fixtures import Bench, stamp_of, stamps  # noqa: E402
from sensor_msgs.msg import Image  # noqa: E402

from ood_perception.ros.model_loading import load_detector  # noqa: E402


@pytest.mark.parametrize("method", METHODS)
def test_the_node_answers_an_image_with_the_bundle_of_any_method(tmp_path, method):
    bundle = write_method_bundle(tmp_path / method, method)
    bench = Bench(load_detector, bundle=str(tmp_path / method))
    try:
        bench.activate()
        bench.send_info(128, 96, 100.0)
        scores = bench.listen("camera/anomaly_score", Image)
        bench.wait(lambda: scores.get_publisher_count() == 1, "the score's publisher")
        pixels = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
        sent = bench.send(bench.image(pixels))
        (array,) = bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
        assert stamps([array]) == [stamp_of(sent)]
        assert array.model_id == bundle.model_id
        (picture,) = bench.wait(lambda: bench.messages("camera/anomaly_score"), "a score picture")
        values = np.frombuffer(bytes(picture.data), np.float32)
        assert picture.encoding == "32FC1"
        assert 0 <= values.min() < values.max() <= 1
    finally:
        bench.close()
