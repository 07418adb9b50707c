"""Transforms that TF tells, from any frame to the ground frame, at a stamp."""

from __future__ import annotations

from threading import Lock
from time import monotonic
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rclpy.clock import JumpThreshold
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.time import Time

from ood_perception.errors import OodError

_TF_TIMEOUT_S = 0.05
_WAITS_IN_VAIN = 3
_NEXT_WAIT_S = 1.0
_NEXT_RESET_S = 1.0
_MOST_FRAMES = 100
_ANY_STEP_BACK = JumpThreshold(
    min_forward=None, min_backward=Duration(nanoseconds=-1), on_clock_change=True
)


class TransformUnknownError(OodError):
    """A transform that TF does not tell."""


class FrameTransform(NamedTuple):
    """Where a frame lies in the ground frame; anywhere, also below the ground.

    rotation: (3, 3) float64, turns vectors of the frame into the ground frame.
    translation: (3,) float64, the frame's origin in the ground frame, metres.
    """

    rotation: NDArray[np.float64]
    translation: NDArray[np.float64]

    def apply(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, 3) metres in the frame to (n, 3) metres in the ground frame."""
        return np.asarray(points @ self.rotation.T + self.translation)


class _Patience:
    """How long to wait for the transform of one frame.

    All cameras share the thread that waits: a transform that never comes must slow nobody. After
    three waits in vain only one look-up a second waits, until one finds the transform.
    """

    def __init__(self) -> None:
        self._in_vain = 0
        self._last_s = 0.0

    def wait_s(self) -> float:
        """Seconds, for the look-up at hand."""
        now_s = monotonic()
        if self._in_vain >= _WAITS_IN_VAIN and now_s - self._last_s < _NEXT_WAIT_S:
            return 0.0
        self._last_s = now_s
        return _TF_TIMEOUT_S

    def note(self, found: bool) -> None:
        """Whether the look-up at hand found its transform."""
        self._in_vain = 0 if found else self._in_vain + 1


class TransformBuffer:
    """Listens to TF, and forgets it when time goes back.

    tf2 keeps the last seconds of each transform and takes no older one: after a bag has started
    again it would refuse every transform until the bag's end. What never changes (/tf_static)
    stays known.
    """

    def __init__(self, node: Node, ground_frame_id: str) -> None:
        import tf2_ros

        self._errors = tf2_ros.TransformException
        self._ground_frame_id = ground_frame_id
        self._patience: dict[str, _Patience] = {}
        self._lock = Lock()
        self._last_reset_s = -_NEXT_RESET_S
        self._buffer = tf2_ros.Buffer()
        self._listener = tf2_ros.TransformListener(self._buffer, node)
        self._jumps = node.get_clock().create_jump_callback(
            _ANY_STEP_BACK, post_callback=lambda jump: self._buffer.clear()
        )

    def to_ground(self, frame_id: str, stamp_ns: int) -> FrameTransform:
        """Waits up to 50 ms for a transform that is not known to be missing.

        stamp_ns: of what was measured in the frame. Raises TransformUnknownError with one line.
        """
        patience = self._patience_with(frame_id)
        try:
            found = self._buffer.lookup_transform(
                self._ground_frame_id,
                frame_id,
                Time(nanoseconds=stamp_ns),
                Duration(seconds=patience.wait_s()),
            ).transform
        except self._errors as error:
            patience.note(found=False)
            raise TransformUnknownError(
                f"no transform from {frame_id!r} to {self._ground_frame_id!r} at its stamp: "
                f"{' '.join(str(error).split())}"
            ) from error
        patience.note(found=True)
        origin = found.translation
        return FrameTransform(
            rotation_matrix(found.rotation), np.array([origin.x, origin.y, origin.z])
        )

    def reset(self) -> None:
        """Forgets what was heard of a time that has not come yet: stamps went back.

        At most once a second, as all cameras notice the same jump one after the other: each would
        take away what came since. A clock that goes back is noticed here without being told.
        """
        with self._lock:
            now_s = monotonic()
            if now_s - self._last_reset_s < _NEXT_RESET_S:
                return
            self._last_reset_s = now_s
        self._buffer.clear()

    def close(self) -> None:
        """Stops to listen, to TF and to the clock."""
        self._jumps.unregister()
        self._listener.unregister()

    def _patience_with(self, frame_id: str) -> _Patience:
        if frame_id not in self._patience and len(self._patience) >= _MOST_FRAMES:
            self._patience.clear()  # a sender that names a new frame each time
        return self._patience.setdefault(frame_id, _Patience())


def rotation_matrix(quaternion: Any) -> NDArray[np.float64]:
    """(3, 3) float64 of a geometry_msgs/Quaternion, which is brought to unit length."""
    values = np.array([quaternion.x, quaternion.y, quaternion.z, quaternion.w], dtype=np.float64)
    x, y, z, w = values / max(1e-12, float(np.linalg.norm(values)))
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
