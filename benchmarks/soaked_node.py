"""The node as a process whose detector fails when the image itself says so, for the soak.

`python benchmarks/soaked_node.py --ros-args ...`: as `ood_perception.ros.node`, but the first two
pixels of an image may order a fault: the first is MARK, the blue of the second is the order.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

MARK = (7, 77, 177)
RAISE, NO_MEMORY, HANG = 1, 2, 3
HANG_S = 1.2


def order(image: NDArray[np.uint8], what: int) -> NDArray[np.uint8]:
    """A copy of the image that orders a fault."""
    marked = image.copy()
    marked[0, 0], marked[0, 1] = MARK, (what, 0, 0)
    return marked


class ObedientDetector:
    """The real detector, before which an ordered fault happens."""

    def __init__(self, detector: Any) -> None:
        self._detector = detector
        self.bundle, self.device = detector.bundle, detector.device

    def detect(self, image: NDArray[np.uint8]) -> Any:
        """As the detector, unless the image orders otherwise."""
        if tuple(image[0, 0].tolist()) == MARK:
            what = int(image[0, 1, 0])
            if what == RAISE:
                raise RuntimeError("ordered: the accelerator is gone")
            if what == NO_MEMORY:
                raise MemoryError("ordered: no more memory")
            if what == HANG:
                time.sleep(HANG_S)
        return self._detector.detect(image)


def main() -> int:
    """The node's own main with another detector."""
    from ood_perception.ros import lifecycle_node, node
    from ood_perception.ros.model_loading import load_detector

    class SoakedNode(lifecycle_node.OodPerceptionNode):
        def __init__(self) -> None:
            super().__init__(
                detector_factory=lambda *given: ObedientDetector(load_detector(*given))
            )

    lifecycle_node.OodPerceptionNode = SoakedNode  # type: ignore[assignment, misc]
    return node.main(sys.argv)


if __name__ == "__main__":
    sys.exit(main())
