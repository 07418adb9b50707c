"""The overlay video runs as fast as the drive did, and pictures replace it without a codec."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from ood_perception.bag_writing import image_message
from ood_perception.message_types import IMAGE_TYPE, message_typestore
from ood_perception.ros import overlay_video
from ood_perception.ros.overlay_video import OverlayVideo


def overlay_message(stamp_ns: int, value: int, height: int = 48) -> bytes:
    pixels = np.full((height, 64, 3), value, np.uint8)
    message = image_message(pixels, stamp_ns, "camera")
    return bytes(message_typestore().serialize_cdr(message, IMAGE_TYPE))


def video_frames(path: Path) -> list[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        read, image = capture.read()
        if not read:
            return frames
        frames.append(image)


def test_the_overlay_video_keeps_the_pace_where_frames_are_missing(tmp_path):
    with OverlayVideo(tmp_path, 10.0) as video:
        for stamp_s, value in ((5.0, 10), (5.1, 60), (5.4, 200)):
            video.add(overlay_message(round(stamp_s * 1e9), value))
    assert video.stamps_ns == [5_000_000_000, 5_100_000_000, 5_400_000_000]
    levels = [frame.mean() for frame in video_frames(tmp_path / "overlay.mp4")]
    assert levels == pytest.approx([10, 60, 60, 60, 200], abs=6)


def test_an_image_of_another_size_does_not_end_the_video(tmp_path):
    with OverlayVideo(tmp_path, 10.0) as video:
        video.add(overlay_message(0, 10))
        video.add(overlay_message(100_000_000, 60, height=96))
    assert [f.shape for f in video_frames(tmp_path / "overlay.mp4")] == [(48, 64, 3)] * 2


def test_without_a_codec_there_are_pictures(tmp_path, monkeypatch):
    class NoCodec:
        fourcc = staticmethod(cv2.VideoWriter.fourcc)

        def __init__(self, *_: object) -> None:
            pass

        def isOpened(self) -> bool:  # noqa: N802
            return False

    monkeypatch.setattr(overlay_video.cv2, "VideoWriter", NoCodec)
    with OverlayVideo(tmp_path, 10.0) as video:
        for index in range(3):
            video.add(overlay_message(index * 100_000_000, 50))
    assert video.path == tmp_path / "overlay"
    assert sorted(p.name for p in video.path.iterdir()) == [f"00000{i}.png" for i in range(3)]
