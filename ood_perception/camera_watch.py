"""Stops at images that show too little, before and after the detector has seen them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.detection import Detection
from ood_perception.errors import BlindCameraError
from ood_perception.image_health import (
    FrozenDetector,
    HealthSettings,
    ImageHealth,
    check_anomalous_share,
    check_image,
)


class CameraWatch:
    """The health of one camera, frame after frame.

    manifest: of the model, which says how much of a scene is usually unknown to it.
    """

    def __init__(self, manifest: Any, settings: HealthSettings) -> None:
        self._settings = settings
        self._threshold: float = manifest.score.threshold
        limit = settings.max_anomalous_share
        self._max_share = manifest.health.max_anomalous_share if limit is None else limit
        self._frozen = FrozenDetector(settings)

    def reset(self) -> None:
        """Forgets earlier images."""
        self._frozen.reset()

    def look(self, image: NDArray[np.uint8], stamp_ns: int) -> None:
        """Takes the next image, (H, W, 3) uint8 BGR, and its stamp in nanoseconds.

        Raises BlindCameraError when it shows nothing, or the same as before for too long, and
        ImageError when it is no such array.
        """
        _stop_when_blind(check_image(image, self._settings))
        repeats = self._frozen.update(image, stamp_ns)
        if self._frozen.is_frozen:
            raise BlindCameraError(
                f"the camera is frozen: the same image {repeats} times in a row; "
                "check the camera driver"
            )

    def check_detection(self, detection: Detection) -> None:
        """Raises BlindCameraError when the model knows hardly anything of what it was shown."""
        _stop_when_blind(check_anomalous_share(detection.score >= self._threshold, self._max_share))


def _stop_when_blind(health: ImageHealth) -> None:
    if not health.ok:
        raise BlindCameraError(f"the camera cannot see: {'; '.join(health.reasons)}")
