"""Bags written here hold what went in, for every reader of bags."""

import numpy as np
import pytest
import yaml
from bag_examples import LENS, START_NS, STORAGES, frames
from rosbags.highlevel import AnyReader

from ood_perception.bags import Intrinsics, list_topics, make_bag, read_images
from ood_perception.camera import CameraModel
from ood_perception.message_types import (
    IMAGE_TYPE,
)


@pytest.mark.parametrize("storage", STORAGES)
def test_raw_frames_come_back_bit_for_bit(tmp_path, storage):
    sent = frames()
    summary = make_bag(sent, tmp_path / "bag", storage=storage, frame_id="lens")
    got = list(read_images(tmp_path / "bag"))
    assert summary.frames == len(got) == 4
    assert summary.topics == {"/camera/image": 4}
    assert summary.duration_s == pytest.approx(0.3)
    for (stamp, image), message in zip(sent, got, strict=True):
        assert (message.stamp_ns, message.log_time_ns) == (stamp, stamp)
        assert message.frame_id == "lens"
        assert message.camera_info is None
        np.testing.assert_array_equal(message.decode(), image)


@pytest.mark.parametrize("storage", STORAGES)
def test_compressed_frames_come_back_close(tmp_path, storage):
    smooth = np.dstack([np.tile(np.arange(80, dtype=np.uint8), (60, 1))] * 3)
    make_bag([(START_NS, smooth)], tmp_path / "bag", storage=storage, compressed=True, quality=95)
    (message,) = read_images(tmp_path / "bag")
    assert message.topic == "/camera/image/compressed"
    assert "jpeg" in message.message.format
    assert np.abs(message.decode().astype(int) - smooth).max() <= 4


def test_a_lower_quality_takes_less_room(tmp_path):
    sizes = [
        make_bag(frames(1), tmp_path / str(q), compressed=True, quality=q).size_bytes
        for q in (10, 95)
    ]
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("compressed", [False, True])
def test_each_frame_has_the_camera_info_of_its_stamp(tmp_path, compressed):
    make_bag(frames(), tmp_path / "bag", compressed=compressed, camera=LENS, camera_name="front")
    assert {topic.name: topic.count for topic in list_topics(tmp_path / "bag")} == {
        "/front/image" + ("/compressed" if compressed else ""): 4,
        "/front/camera_info": 4,
    }
    for message in read_images(tmp_path / "bag"):
        info = message.camera_info
        assert info.header.stamp.nanosec == message.message.header.stamp.nanosec
        assert info.header.frame_id == message.frame_id == "front_optical_frame"
        camera = CameraModel.from_camera_info(
            info.width, info.height, info.k, info.d, info.distortion_model
        )
        assert (camera.width, camera.height, camera.distortion_model) == (40, 30, "plumb_bob")
        np.testing.assert_array_equal(camera.matrix, [[50, 0, 20.5], [0, 51, 15.25], [0, 0, 1]])
        np.testing.assert_array_equal(camera.distortion, LENS.distortion)


@pytest.mark.parametrize(
    ("count", "model"), [(0, "plumb_bob"), (4, "plumb_bob"), (8, "rational_polynomial")]
)
def test_the_number_of_coefficients_names_the_distortion_model(tmp_path, count, model):
    lens = Intrinsics(50.0, 50.0, 20.0, 15.0, [0.01] * count)
    make_bag(frames(1), tmp_path / "bag", camera=lens)
    (message,) = read_images(tmp_path / "bag")
    assert message.camera_info.distortion_model == model
    assert len(message.camera_info.d) == (count or 5)


def test_a_camera_model_is_scaled_to_the_frames(tmp_path):
    big = CameraModel(80, 60, np.array([[100, 0, 39.5], [0, 100, 29.5], [0, 0, 1]]), np.empty(0))
    make_bag(frames(1), tmp_path / "bag", camera=big)
    (message,) = read_images(tmp_path / "bag")
    assert (message.camera_info.width, message.camera_info.height) == (40, 30)
    np.testing.assert_allclose(message.camera_info.k, [50, 0, 19.5, 0, 50, 14.5, 0, 0, 1])


@pytest.mark.parametrize("storage", STORAGES)
def test_the_metadata_is_what_humble_and_jazzy_read(tmp_path, storage):
    make_bag(frames(), tmp_path / "drive", storage=storage, camera=LENS)
    text = (tmp_path / "drive" / "metadata.yaml").read_text()
    info = yaml.safe_load(text)["rosbag2_bagfile_information"]
    suffix = {"mcap": ".mcap", "sqlite3": ".db3"}[storage]
    assert info["storage_identifier"] == storage
    assert info["relative_file_paths"] == [f"drive{suffix}"]
    assert sorted(p.name for p in (tmp_path / "drive").iterdir()) == [
        f"drive{suffix}",
        "metadata.yaml",
    ]
    assert info["message_count"] == 8
    assert info["starting_time"]["nanoseconds_since_epoch"] == START_NS
    assert info["duration"]["nanoseconds"] == 300_000_000
    for topic in info["topics_with_message_count"]:
        assert topic["message_count"] == 4
        metadata = topic["topic_metadata"]
        assert metadata["serialization_format"] == "cdr"
        assert metadata["type_description_hash"].startswith("RIHS01_")
        # A string with YAML inside and numbered policies, up to version 8; Humble reads only that.
        (profile,) = yaml.safe_load(metadata["offered_qos_profiles"])
        assert (profile["history"], profile["depth"]) == (1, 10)
        assert (profile["reliability"], profile["durability"]) == (1, 2)
    assert info["version"] == 8


@pytest.mark.parametrize("storage", STORAGES)
def test_another_reader_finds_the_types_in_the_bag(tmp_path, storage):
    make_bag(frames(1), tmp_path / "bag", storage=storage, camera=LENS)
    with AnyReader([tmp_path / "bag"]) as reader:
        messages = {c.topic: reader.deserialize(raw, c.msgtype) for c, _, raw in reader.messages()}
        digests = {c.msgtype: c.digest for c in reader.connections}
    assert messages["/camera/image"].encoding == "bgr8"
    # The hash of sensor_msgs/msg/Image as ROS 2 Jazzy publishes it.
    assert digests[IMAGE_TYPE] == (
        "RIHS01_d31d41a9a4c4bc8eae9be757b0beed306564f7526c88ea6a4588fb9582527d47"
    )


@pytest.mark.parametrize(("storage", "suffix"), [("mcap", ".mcap"), ("sqlite3", ".db3")])
def test_a_bare_storage_file_and_a_folder_without_metadata_are_read(tmp_path, storage, suffix):
    make_bag(frames(), tmp_path / "bag", storage=storage)
    assert len(list(read_images(tmp_path / "bag" / f"bag{suffix}"))) == 4
    (tmp_path / "bag" / "metadata.yaml").unlink()
    assert len(list(read_images(tmp_path / "bag"))) == 4
