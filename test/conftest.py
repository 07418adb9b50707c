"""Keeps tests that need ROS away from each other's network, and skips them by name without it."""

from __future__ import annotations

import importlib.util
import os
import random

import pytest

os.environ.setdefault("ROS_DOMAIN_ID", str(random.SystemRandom().randint(1, 99)))
os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")


def missing_for_ros() -> str:
    """Why tests marked ``ros`` cannot run here, or an empty text."""
    if importlib.util.find_spec("rclpy") is None:
        return "rclpy is not installed: run `make test` or source a ROS installation"
    if importlib.util.find_spec("ood_detection") is None:
        return "the messages of ood_detection are not built: run `make test`"
    return ""


def pytest_collection_modifyitems(items):
    reason = missing_for_ros()
    for item in items:
        if reason and item.get_closest_marker("ros"):
            item.add_marker(pytest.mark.skip(reason=reason))
