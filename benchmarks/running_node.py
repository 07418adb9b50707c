"""The real node in this process, with an executor's thread of its own, for benchmarks."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

import rclpy
from rclpy.parameter import Parameter

from ood_perception.ros.camera_monitor import CameraMonitor
from ood_perception.ros.frame_counts import FrameCounts
from ood_perception.ros.frame_timings import FrameTiming
from ood_perception.ros.lifecycle_node import OodPerceptionNode
from ood_perception.ros.model_loading import DetectorFactory, load_detector
from ood_perception.ros.node_thread import NodeThread


class RunningNode:
    """A context manager: configured and active inside."""

    def __init__(self, factory: DetectorFactory = load_detector, **parameters: Any) -> None:
        """parameters: by name, with __ in place of a dot."""
        os.environ.setdefault("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        self._context = rclpy.Context()
        rclpy.init(context=self._context)
        values = {name.replace("__", "."): value for name, value in parameters.items()}
        self.node = OodPerceptionNode(
            detector_factory=factory,
            context=self._context,
            parameter_overrides=[Parameter(name, value=value) for name, value in values.items()],
        )
        if not self.node.autostart():
            raise SystemExit("the node does not start, see above")
        self._thread = NodeThread(self.node)

    def __enter__(self) -> RunningNode:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.stop()
        self.node.end()
        self.node.destroy_node()
        rclpy.shutdown(context=self._context)

    def counts(self, camera: str) -> FrameCounts:
        """The account of one camera at this moment."""
        return self._monitor(camera).account.read()

    def collect(self, camera: str) -> list[FrameTiming]:
        """A list to which the times of every image published from now on are added."""
        collected: list[FrameTiming] = []
        timings = self._monitor(camera).timings
        keep = timings.add

        def add(timing: FrameTiming) -> None:
            collected.append(timing)
            keep(timing)

        timings.add = add  # type: ignore[method-assign]
        return collected

    def hold_up(self, seconds: float) -> None:
        """Keeps the executor from its work for so long, from now on."""
        self._thread.submit(lambda: time.sleep(seconds))

    def wait(self, condition: Callable[[], bool], limit_s: float, what: str) -> None:
        """Until it holds; SystemExit when it takes longer."""
        end = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > end:
                raise SystemExit(f"waited {limit_s:.0f} s in vain for {what}")
            time.sleep(0.02)

    def _monitor(self, camera: str) -> CameraMonitor:
        session = self.node._session
        assert session is not None
        return session.monitor(camera)
