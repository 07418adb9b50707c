"""Keeps tests that need ROS away from each other's network, and skips them by name without it."""

from __future__ import annotations

import importlib.util
import os
import random
import sys

import pytest

os.environ.setdefault("ROS_DOMAIN_ID", str(random.SystemRandom().randint(1, 99)))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


@pytest.fixture(autouse=True)
def _numbers_of_every_size():
    """A trainer that a test builds by hand flushes tiny numbers; the next test has them again."""
    yield
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.set_flush_denormal(False)


def missing_for_ros() -> str:
    """Why tests marked ``ros`` cannot run here, or an empty text."""
    if importlib.util.find_spec("rclpy") is None:
        return "rclpy is not installed: run `make test` or source a ROS installation"
    if importlib.util.find_spec("ood_detection") is None:
        return "the messages of ood_detection are not built: run `make test`"
    return ""


@pytest.fixture(scope="module")
def color_detector(tmp_path_factory):
    """The detector of the small model that knows classes by their colours."""
    from color_bundle import write_color_bundle

    from ood_perception.detector import Detector

    return Detector(write_color_bundle(tmp_path_factory.mktemp("models") / "color"))


@pytest.fixture
def color_pipeline(color_detector):
    """A camera's pipeline that has seen nothing yet."""
    from ood_perception.camera_pipeline import CameraPipeline, PipelineSettings
    from ood_perception.tracking import TrackingSettings

    # The small model's meta classifier weighs no evidence.
    settings = PipelineSettings(tracking=TrackingSettings(confirm_evidence=0.0))
    return CameraPipeline(color_detector, settings)


@pytest.fixture
def make_bench(color_detector):
    """Starts nodes with the small model, each with a client beside it, and ends them all."""
    # only tests marked `ros` ask for it, and only they have rclpy
    from ros_fixtures import benches_with

    with benches_with(color_detector) as make:
        yield make


def pytest_collection_modifyitems(items):
    reason = missing_for_ros()
    for item in items:
        if not item.get_closest_marker("ros"):
            continue
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))
        else:
            # real processes and real time on a machine that others use: a second try, which the
            # summary names and counts
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
