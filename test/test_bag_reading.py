"""Which images and camera_info a bag gives, and how a bad bag is answered."""

from pathlib import Path

import numpy as np
import pytest
from bag_examples import START_NS, frames

from ood_perception.bag_reading import camera_info_topic, camera_name
from ood_perception.bag_writing import BagWriter, camera_info_message, image_message
from ood_perception.bags import Intrinsics, choose_image_topic, list_topics, make_bag, read_images
from ood_perception.errors import BagError, ImageError
from ood_perception.message_types import (
    CAMERA_INFO_TYPE,
    COMPRESSED_IMAGE_TYPE,
    IMAGE_TYPE,
)


def write_topics(path: Path, topics: dict) -> Path:
    with BagWriter(path) as writer:
        for topic, typename in topics.items():
            writer.add_topic(topic, typename)
    return path


def test_several_image_topics_must_be_chosen_from(tmp_path):
    topics = {"/a/image": IMAGE_TYPE, "/b/image/compressed": COMPRESSED_IMAGE_TYPE}
    bag = write_topics(tmp_path / "bag", topics)
    with pytest.raises(BagError, match="/a/image, /b/image/compressed"):
        choose_image_topic(bag)
    assert choose_image_topic(bag, "/a/image").typename == IMAGE_TYPE
    with pytest.raises(BagError, match="no image topic /c/image; its image topics are /a/image"):
        choose_image_topic(bag, "/c/image")


def test_a_bag_without_images_says_what_it_has(tmp_path):
    bag = write_topics(tmp_path / "bag", {"/front/camera_info": CAMERA_INFO_TYPE})
    with pytest.raises(BagError, match=r"/front/camera_info \(sensor_msgs/msg/CameraInfo\)"):
        list(read_images(bag))


def test_what_is_no_bag_is_refused(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.txt").write_text("hello")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "metadata.yaml").write_text("nothing: here")
    for suffix in (".mcap", ".db3"):
        (tmp_path / f"broken{suffix}").write_bytes(b"hello")
    for name in ("folder", "text.txt", "broken", "broken.mcap", "broken.db3", "missing"):
        with pytest.raises(BagError) as caught:
            list_topics(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.2, 0.7, 0.95])
@pytest.mark.parametrize(("storage", "suffix"), [("mcap", ".mcap"), ("sqlite3", ".db3")])
def test_a_truncated_bag_is_a_bag_error(tmp_path, storage, suffix, share):
    make_bag(frames(6, 100, 200), tmp_path / "bag", storage=storage)
    file = tmp_path / "bag" / f"bag{suffix}"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])
    with pytest.raises(BagError):
        list(read_images(tmp_path / "bag"))


def test_overwritten_bytes_in_an_mcap_are_a_bag_error(tmp_path):
    make_bag(frames(6, 100, 200), tmp_path / "bag")
    file = tmp_path / "bag" / "bag.mcap"
    data = bytearray(file.read_bytes())
    start, end = int(0.3 * len(data)), int(0.6 * len(data))
    data[start:end] = b"\xff" * (end - start)
    file.write_bytes(data)
    with pytest.raises(BagError):
        list(read_images(tmp_path / "bag"))


def test_one_damaged_message_does_not_end_the_reading(tmp_path):
    with BagWriter(tmp_path / "bag") as writer:
        for stamp, image in frames(3):
            writer.write("/camera/image", IMAGE_TYPE, stamp, image_message(image, stamp, "lens"))
            if stamp == START_NS:
                garbage = b"\x00\x01\x00\x00\x05"
                writer.write_serialised("/camera/image", IMAGE_TYPE, stamp + 1, garbage)
    got = list(read_images(tmp_path / "bag"))
    assert [bool(message.defect) for message in got] == [False, True, False, False]
    with pytest.raises(ImageError, match="/camera/image is damaged"):
        got[1].decode()


def test_the_last_camera_info_before_an_image_counts_else_the_first(tmp_path):
    image = np.zeros((30, 40, 3), np.uint8)
    with BagWriter(tmp_path / "bag") as writer:
        for stamp, focal in ((100, 1.0), (200, 2.0)):
            camera = Intrinsics(focal, focal, 20, 15).for_image(40, 30)
            info = camera_info_message(camera, stamp, "lens")
            writer.write("/camera/camera_info", CAMERA_INFO_TYPE, stamp, info)
        for stamp in (50, 150, 200, 999):
            message = image_message(image, stamp, "lens")
            writer.write("/camera/image_raw", IMAGE_TYPE, stamp, message)
    assert [m.camera_info.k[0] for m in read_images(tmp_path / "bag")] == [1, 1, 2, 2]


@pytest.mark.parametrize(
    ("topic", "info", "name"),
    [
        ("/camera/image", "/camera/camera_info", "camera"),
        ("/sensors/front/image_raw/compressed", "/sensors/front/camera_info", "front"),
        ("/image", "/camera_info", "camera"),
    ],
)
def test_a_topic_names_its_camera(topic, info, name):
    assert camera_info_topic(topic) == info
    assert camera_name(topic) == name
