"""Bags written here hold what went in, and every bad source or bag is answered in one line."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader

from ood_perception import message_types
from ood_perception.bag_reading import camera_info_topic, camera_name
from ood_perception.bag_writing import BagWriter, camera_info_message, image_message
from ood_perception.bags import Intrinsics, choose_image_topic, list_topics, make_bag, read_images
from ood_perception.camera import CameraModel
from ood_perception.errors import BagError, ImageError, OodError
from ood_perception.message_types import (
    CAMERA_INFO_TYPE,
    COMPRESSED_IMAGE_TYPE,
    IMAGE_TYPE,
    OBSTACLES_TYPE,
    definitions_folder,
    make_message,
    message_typestore,
)

STORAGES = ["mcap", "sqlite3"]
START_NS = 1_700_000_000_123_456_789
LENS = Intrinsics(50.0, 51.0, 20.5, 15.25, (0.1, -0.05, 0.001, 0.002, 0.0))


def frames(count: int = 4, height: int = 30, width: int = 40) -> list:
    random = np.random.default_rng(7)
    return [
        (START_NS + index * 100_000_000, random.integers(0, 256, (height, width, 3), np.uint8))
        for index in range(count)
    ]


def write_images(folder: Path, count: int = 3, suffix: str = ".png") -> list:
    folder.mkdir()
    images = [image for _, image in frames(count)]
    for index, image in enumerate(images):
        assert cv2.imwrite(str(folder / f"frame_{index:03d}{suffix}"), image)
    return images


def write_video(path: Path, count: int = 5) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 20.0, (64, 48))
    for index in range(count):
        writer.write(np.full((48, 64, 3), 20 * index, np.uint8))
    writer.release()
    return path


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


def test_the_own_messages_come_from_the_msg_files():
    store = message_typestore()
    for name in ("ObstacleComponent", "ObstacleComponentArray"):
        lines = (definitions_folder() / f"{name}.msg").read_text().splitlines()
        code = [line.split("#")[0].split() for line in lines]
        names = [words[1] for words in code if len(words) == 2 and "=" not in words[1]]
        assert [field for field, _ in store.fielddefs[f"ood_detection/msg/{name}"][1]] == names


def test_a_message_with_a_missing_field_is_not_made():
    with pytest.raises(KeyError, match="ground_frame_id"):
        make_message(
            OBSTACLES_TYPE, {"header": {"stamp": {"sec": 0, "nanosec": 0}, "frame_id": ""}}
        )


@pytest.mark.parametrize("by_environment", [False, True])
def test_the_msg_files_of_an_installed_package_are_found(tmp_path, monkeypatch, by_environment):
    prefix = tmp_path / "prefix"
    share = prefix / "share" / "ood_detection" / "msg"
    module = prefix / "lib" / "python3" / "site-packages" / "ood_perception" / "message_types.py"
    monkeypatch.delenv("AMENT_PREFIX_PATH", raising=False)
    if by_environment:
        module = tmp_path / "elsewhere" / "ood_perception" / "message_types.py"
        monkeypatch.setenv("AMENT_PREFIX_PATH", f"/nowhere:{prefix}")
    source = definitions_folder()
    monkeypatch.setattr(message_types, "__file__", str(module))
    with pytest.raises(BagError, match="not installed"):
        definitions_folder()
    share.mkdir(parents=True)
    for file in source.glob("*.msg"):
        (share / file.name).write_text(file.read_text())
    assert definitions_folder() == share
