"""A tf2 that answers from a table, for an installation without tf2_ros."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

STAMP_NS = 5_000_000_000
HEIGHT_M, PITCH_RAD = 1.4, 0.1


def placed(x_m=0.0, y_m=0.0, z_m=0.0, quaternion=(0.0, 0.0, 0.0, 1.0)):
    """The transform of a frame at a place, as geometry_msgs/TransformStamped has it."""
    return SimpleNamespace(
        transform=SimpleNamespace(
            rotation=SimpleNamespace(**dict(zip("xyzw", quaternion, strict=True))),
            translation=SimpleNamespace(x=x_m, y=y_m, z=z_m),
        )
    )


def transform(height_m=HEIGHT_M, pitch_rad=PITCH_RAD):
    """Optical frame to ground frame, as TF has it: turned and then moved."""
    from ood_perception.camera import Mounting

    matrix = Mounting.from_angles(1.0, pitch_rad).rotation
    w = np.sqrt(1 + np.trace(matrix)) / 2
    x, y, z = (
        (matrix[2, 1] - matrix[1, 2]) / (4 * w),
        (matrix[0, 2] - matrix[2, 0]) / (4 * w),
        (matrix[1, 0] - matrix[0, 1]) / (4 * w),
    )
    return placed(1.5, 0.2, height_m, (x, y, z, w))


def node_with_clock(clock=None):
    """What TransformMounting needs of a node. clock: a ROSClock; a new one without."""
    from rclpy.clock import ROSClock

    clock = clock or ROSClock()
    return SimpleNamespace(get_clock=lambda: clock)


@pytest.fixture
def tf2(monkeypatch):
    """A tf2_ros whose buffer knows what the test puts into `known`, by stamp in nanoseconds.

    As tf2 does, `hear` takes no transform that is more than 10 s older than the newest of its
    frame, and clear() leaves those of `/tf_static`, which the test puts into `static`.
    """
    module, known = ModuleType("tf2_ros"), {}
    module.waits, module.static, module.known = [], {}, known

    def hear(frame_id, stamp_ns, heard):
        stamps = [stamp for _, source, stamp in known if source == frame_id]
        if not stamps or stamp_ns >= max(stamps) - 10_000_000_000:
            known["base_link", frame_id, stamp_ns] = heard

    module.hear = hear

    class LookupFailedError(Exception):
        pass

    class Buffer:
        def lookup_transform(self, target, source, stamp, timeout):
            assert timeout.nanoseconds <= 100_000_000, "a frame must not wait longer"
            module.waits.append(timeout.nanoseconds / 1e9)
            found = known.get((target, source, stamp.nanoseconds))
            found = found or module.static.get((target, source))
            if found is None:
                raise LookupFailedError(f"{source} does not exist\nor is too old")
            return found

        def clear(self):
            known.clear()

    class TransformListener:
        def __init__(self, buffer, node):
            self.listens = True

        def unregister(self):
            self.listens = False

    module.TransformException = LookupFailedError
    module.Buffer, module.TransformListener = Buffer, TransformListener
    monkeypatch.setitem(sys.modules, "tf2_ros", module)
    return module
