"""A soak of the small model in a process of its own, where no other test's memory comes and goes.

`python soaked_process.py FRAMES WARMUP LEAK_BYTES`: JSON of the figures; with LEAK_BYTES above 0
the detector keeps so many bytes of every frame, as a forgotten cache would.
"""

from __future__ import annotations

import json
import mmap
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np
from color_bundle import BLUE, GREEN, GREY, write_color_bundle

sys.path.append(str(Path(__file__).resolve().parent.parent / "benchmarks"))

from soak import soak, summary

from ood_perception.detector import Detector

SIZE = (256, 128)


def color_frames():
    """Grey blocks and specks that come and go before green and blue."""
    rng = np.random.default_rng(0)
    while True:
        image = np.empty((SIZE[1], SIZE[0], 3), np.uint8)
        image[:64], image[64:] = GREEN, BLUE
        for _ in range(int(rng.integers(1, 12))):
            x, y = rng.integers(0, SIZE).tolist()
            side = int(rng.integers(4, 40))
            cv2.rectangle(image, (x, y), (x + side, y + side), GREY, -1)
        yield image + rng.integers(0, 5, image.shape, np.uint8)


class LeakingDetector:
    """Keeps pages of its own for every image: an allocator's free list cannot serve them."""

    def __init__(self, detector: Detector, leaked_bytes: int) -> None:
        self.detector, self.bundle = detector, detector.bundle
        self.leaked_bytes = leaked_bytes
        self.kept: list[mmap.mmap] = []

    def detect(self, image):
        if self.leaked_bytes:
            pages = mmap.mmap(-1, self.leaked_bytes)
            pages.write(b"\xff" * self.leaked_bytes)
            self.kept.append(pages)
        return self.detector.detect(image)


def main() -> None:
    frames, warmup, leaked_bytes = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        detector = Detector(write_color_bundle(Path(folder) / "color"))
        leaking = LeakingDetector(detector, leaked_bytes)
        resident, seen = soak(leaking, color_frames(), SIZE, frames)
    _, figures = summary(resident, warmup)
    print(json.dumps({**figures, **seen}))


if __name__ == "__main__":
    main()
