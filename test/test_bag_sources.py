"""What bags are made from; a bad source or option is answered in one line and leaves nothing."""

from pathlib import Path

import numpy as np
import pytest
from bag_examples import START_NS, frames, write_images, write_video

from ood_perception.bags import make_bag, read_images
from ood_perception.errors import BagError, OodError


def test_a_folder_of_images_is_read_in_the_order_of_names(tmp_path):
    images = write_images(tmp_path / "in")
    make_bag(tmp_path / "in", tmp_path / "bag", fps=4.0, start_ns=START_NS)
    got = list(read_images(tmp_path / "bag"))
    assert [m.stamp_ns - START_NS for m in got] == [0, 250_000_000, 500_000_000]
    for image, message in zip(images, got, strict=True):
        np.testing.assert_array_equal(message.decode(), image)


def test_a_video_keeps_its_own_frame_rate(tmp_path):
    video = write_video(tmp_path / "drive.avi")
    seen = []
    summary = make_bag(
        video, tmp_path / "bag", start_ns=START_NS, progress=lambda *done: seen.append(done)
    )
    got = list(read_images(tmp_path / "bag"))
    assert summary.frames == 5
    assert [m.stamp_ns - START_NS for m in got] == [i * 50_000_000 for i in range(5)]
    assert [round(float(m.decode().mean())) for m in got] == pytest.approx(
        [0, 20, 40, 60, 80], abs=2
    )
    assert seen == [(i, 5) for i in range(1, 6)]


def test_without_a_start_stamps_are_of_today(tmp_path):
    write_images(tmp_path / "in", 1)
    make_bag(tmp_path / "in", tmp_path / "bag")
    (message,) = read_images(tmp_path / "bag")
    assert message.stamp_ns > START_NS


def bad_sources(tmp_path: Path) -> dict:
    (tmp_path / "no_video.mp4").write_bytes(b"this is not a video")
    (tmp_path / "empty").mkdir()
    write_images(tmp_path / "damaged", suffix=".jpg")
    jpeg = tmp_path / "damaged" / "frame_001.jpg"
    jpeg.write_bytes(jpeg.read_bytes()[:300])
    return {
        "missing": (tmp_path / "missing.mp4", "does not exist"),
        "no video": (tmp_path / "no_video.mp4", "cannot be opened as a video"),
        "no frames": (write_video(tmp_path / "none.avi", 0), "video"),
        "empty folder": (tmp_path / "empty", "holds no image"),
        "damaged image": (tmp_path / "damaged", "frame_001.jpg"),
        "no frame": ([], "no frame"),
        "grey frame": ([(0, np.zeros((4, 4), np.uint8))], r"\(H, W, 3\) uint8"),
        "negative stamp": ([(-5, np.zeros((4, 4, 3), np.uint8))], "negative"),
    }


@pytest.mark.parametrize(
    "case",
    [
        "missing",
        "no video",
        "no frames",
        "empty folder",
        "damaged image",
        "no frame",
        "grey frame",
        "negative stamp",
    ],
)
def test_a_bad_source_is_refused_and_leaves_nothing(tmp_path, case):
    source, words = bad_sources(tmp_path)[case]
    (tmp_path / "out").mkdir()
    with pytest.raises(OodError, match=words) as caught:
        make_bag(source, tmp_path / "out" / "bag")
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"storage": "rocksdb"}, "mcap, sqlite3"),
        ({"quality": 0}, "quality"),
        ({"camera_name": "my camera"}, "topic"),
        ({"fps": 10.0}, "own stamps"),
    ],
)
def test_bad_options_are_refused(tmp_path, options, words):
    with pytest.raises(OodError, match=words):
        make_bag(frames(1), tmp_path / "bag", **options)


def test_a_frame_rate_must_be_positive(tmp_path):
    write_images(tmp_path / "in")
    with pytest.raises(BagError, match="positive"):
        make_bag(tmp_path / "in", tmp_path / "bag", fps=0.0)


def test_nothing_is_overwritten_unless_asked_and_then_only_bags(tmp_path):
    make_bag(frames(1), tmp_path / "bag")
    with pytest.raises(BagError, match="already exists"):
        make_bag(frames(2), tmp_path / "bag")
    assert len(list(read_images(tmp_path / "bag"))) == 1
    make_bag(frames(2), tmp_path / "bag", overwrite=True)
    assert len(list(read_images(tmp_path / "bag"))) == 2
    (tmp_path / "precious").mkdir()
    with pytest.raises(BagError, match="not a bag"):
        make_bag(frames(1), tmp_path / "precious", overwrite=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bag", "precious"]


def test_a_failed_overwrite_keeps_the_old_bag(tmp_path):
    make_bag(frames(1), tmp_path / "bag")
    with pytest.raises(BagError):
        make_bag([*frames(2), (0, np.zeros((0, 0, 3), np.uint8))], tmp_path / "bag", overwrite=True)
    assert len(list(read_images(tmp_path / "bag"))) == 1
