"""A replay writes for every usable image what the pipeline saw, and counts every other image."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from color_bundle import LENS, MOUNTING, START_NS, color_image
from rosbags.highlevel import AnyReader

from ood_perception.bag_writing import (
    BagWriter,
    compressed_image_message,
)
from ood_perception.bags import list_topics, make_bag, read_images
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.errors import BackendError, BagError
from ood_perception.message_stamp import stamp_ns_of
from ood_perception.message_types import (
    COMPRESSED_IMAGE_TYPE,
    IMAGE_TYPE,
)
from ood_perception.obstacle_json import scene_to_json
from ood_perception.replay import ReplaySettings, replay

PERIOD_NS = 100_000_000
OBSTACLES, REJECTED = "/ood_perception/camera/obstacles", "/ood_perception/camera/rejected"


def drive(count: int = 4) -> list:
    """Frames with one block that the meta classifier keeps, and one speck that it drops."""
    frames = []
    for index in range(count):
        image = color_image()
        image[0, 0] = index  # no two alike: the camera is not frozen
        frames.append((START_NS + index * PERIOD_NS, image))
    return frames


def messages(bag: Path, topic: str) -> list:
    with AnyReader([bag]) as reader:
        wanted = [c for c in reader.connections if c.topic == topic]
        return [
            (time, reader.deserialize(raw, c.msgtype))
            for c, time, raw in (reader.messages(wanted) if wanted else ())
        ]


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
@pytest.mark.parametrize("compressed", [False, True])
def test_every_image_gives_both_arrays_with_its_stamp(
    tmp_path, color_pipeline, storage, compressed
):
    make_bag(drive(), tmp_path / "in", storage=storage, compressed=compressed, camera=LENS)
    settings = ReplaySettings(mounting=MOUNTING, storage=storage, ground_frame_id="ground")
    summary = replay(tmp_path / "in", tmp_path / "out", color_pipeline, settings)
    assert (summary.frames, summary.processed, summary.refused) == (4, 4, 0)
    assert summary.topics == {OBSTACLES: 4, REJECTED: 4}
    kept, dropped = messages(tmp_path / "out", OBSTACLES), messages(tmp_path / "out", REJECTED)
    for index, ((time, array), (_, rest)) in enumerate(zip(kept, dropped, strict=True)):
        stamp = START_NS + index * PERIOD_NS
        for message in (array, rest):
            assert stamp_ns_of(message) == time == stamp
            assert message.header.frame_id == "camera_optical_frame"
            assert (message.image_width, message.image_height) == (128, 64)
            assert message.model_id == color_pipeline.detector.bundle.model_id
            assert message.threshold == pytest.approx(0.7)
            assert message.status == message.STATUS_OK
            assert message.latency.sec * 10**9 + message.latency.nanosec > 0
        (obstacle,) = array.components
        assert obstacle.has_position
        assert obstacle.range_source == obstacle.RANGE_SOURCE_GROUND_PLANE
        assert 0 < obstacle.distance_m < 80
        assert len(obstacle.footprint.points) == 4
        assert obstacle.id == 1
        assert obstacle.reason_metrics[0] == "S"
        assert array.ground_frame_id == "ground"
        (speck,) = rest.components
        assert (speck.id, speck.has_position) == (0, False)
        assert np.isnan([speck.distance_m, speck.position.x, speck.width_m]).all()
        assert rest.ground_frame_id == ""


def test_an_obstacle_that_leaves_the_image_below_is_marked_truncated(tmp_path, color_pipeline):
    whole = color_image()
    cut = np.concatenate([whole[:48], whole[32:48]])  # the grey block down to the last row
    frames = [(START_NS, whole), (START_NS + PERIOD_NS, cut)]
    make_bag(frames, tmp_path / "in", camera=LENS)
    replay(tmp_path / "in", tmp_path / "out", color_pipeline, ReplaySettings(mounting=MOUNTING))
    seen = [array.components for _, array in messages(tmp_path / "out", OBSTACLES)]
    assert [[c.has_position for c in components] for components in seen] == [[True], [True]]
    assert [[c.truncated for c in components] for components in seen] == [[False], [True]]


def test_without_a_mounting_obstacles_have_no_place(tmp_path, color_pipeline):
    make_bag(drive(2), tmp_path / "in", camera=LENS)
    replay(tmp_path / "in", tmp_path / "out", color_pipeline)
    for _, array in messages(tmp_path / "out", OBSTACLES):
        assert array.status == array.STATUS_NO_TRANSFORM
        assert array.ground_frame_id == ""
        assert [c.has_position for c in array.components] == [False]


def test_a_camera_can_be_given_where_the_bag_has_none(tmp_path, color_pipeline):
    make_bag(drive(2), tmp_path / "in")
    replay(tmp_path / "in", tmp_path / "plain", color_pipeline, ReplaySettings(mounting=MOUNTING))
    settings = ReplaySettings(mounting=MOUNTING, camera=LENS.for_image(128, 64))
    replay(tmp_path / "in", tmp_path / "given", color_pipeline, settings)
    assert messages(tmp_path / "plain", OBSTACLES)[0][1].status == 1
    assert messages(tmp_path / "given", OBSTACLES)[0][1].status == 0


def test_an_uncalibrated_camera_info_is_noted_and_no_place_is_made_up(tmp_path, color_pipeline):
    bag = tmp_path / "in"
    make_bag(drive(2), tmp_path / "calibrated", camera=LENS)
    with BagWriter(bag) as writer:
        for image in read_images(tmp_path / "calibrated"):
            info, stamp = replace(image.camera_info, k=np.zeros(9)), image.stamp_ns
            writer.write("/camera/image", IMAGE_TYPE, stamp, image.message)
            writer.write("/camera/camera_info", "sensor_msgs/msg/CameraInfo", stamp, info)
    summary = replay(bag, tmp_path / "out", color_pipeline, ReplaySettings(mounting=MOUNTING))
    (note,) = summary.notes
    assert "focal length" in note
    assert messages(tmp_path / "out", OBSTACLES)[0][1].status == 1


def test_unusable_images_are_counted_and_give_no_message(tmp_path, color_pipeline):
    good = drive(2)
    jpeg = compressed_image_message(good[0][1], 0, "lens")
    cut = replace(jpeg, data=jpeg.data[: len(jpeg.data) // 2])
    tiny = compressed_image_message(np.zeros((1, 1, 3), np.uint8), 0, "lens")
    dark = compressed_image_message(np.zeros((64, 128, 3), np.uint8), 0, "lens")
    topic = "/camera/image/compressed"
    with BagWriter(tmp_path / "in") as writer:
        queue = [good[0][1], cut, tiny, dark, cut, good[1][1]]
        for index, entry in enumerate(queue):
            stamp = START_NS + index * PERIOD_NS
            if isinstance(entry, np.ndarray):
                message = compressed_image_message(entry, stamp, "lens")
            else:
                header = replace(entry.header, stamp=jpeg.header.stamp.__class__(stamp // 10**9, 0))
                message = replace(entry, header=header)
            writer.write(topic, COMPRESSED_IMAGE_TYPE, stamp, message)
    summary = replay(tmp_path / "in", tmp_path / "out", color_pipeline)
    assert (summary.frames, summary.processed, summary.refused) == (6, 2, 4)
    assert sorted(summary.refused_reasons.values()) == [1, 1, 2]
    reasons = " / ".join(summary.refused_reasons)
    assert all(words in reasons for words in ("cut off", "too dark", "smaller than"))
    kept = messages(tmp_path / "out", OBSTACLES)
    assert [time for time, _ in kept] == [START_NS, START_NS + 5 * PERIOD_NS]
    assert [array.dropped_frames for _, array in kept] == [0, 4]


def test_a_bag_of_refused_images_has_the_topics_without_messages(tmp_path, color_pipeline):
    make_bag([(START_NS, np.zeros((64, 128, 3), np.uint8))], tmp_path / "in")
    summary = replay(tmp_path / "in", tmp_path / "out", color_pipeline)
    assert (summary.processed, summary.latency_median_ms) == (0, None)
    assert {t.name: t.count for t in list_topics(tmp_path / "out")} == {OBSTACLES: 0, REJECTED: 0}
    assert "no latency" in summary.line()


def test_overlays_have_the_size_and_stamp_of_their_images(tmp_path, color_pipeline):
    make_bag(drive(2), tmp_path / "in")
    replay(tmp_path / "in", tmp_path / "out", color_pipeline, ReplaySettings(overlays=True))
    pictures = list(read_images(tmp_path / "out", "/ood_perception/camera/overlay/compressed"))
    assert [p.stamp_ns for p in pictures] == [START_NS, START_NS + PERIOD_NS]
    for picture, (_, image) in zip(pictures, drive(2), strict=True):
        drawn = picture.decode()
        assert drawn.shape == image.shape
        assert np.abs(drawn.astype(int) - image).mean() > 2


@pytest.mark.parametrize("storage", ["mcap", "sqlite3"])
def test_the_input_is_copied_unchanged_and_in_order(tmp_path, color_pipeline, storage):
    make_bag(drive(), tmp_path / "in", storage=storage, camera=LENS)
    settings = ReplaySettings(copy_input=True)
    summary = replay(tmp_path / "in", tmp_path / "out", color_pipeline, settings)
    assert summary.topics["/camera/image"] == summary.topics["/camera/camera_info"] == 4
    with AnyReader([tmp_path / "in"]) as source, AnyReader([tmp_path / "out"]) as result:
        sent = [(c.topic, time, bytes(raw)) for c, time, raw in source.messages()]
        got = [(c.topic, time, bytes(raw)) for c, time, raw in result.messages()]
        types = {c.topic: c.digest for c in result.connections}
    assert [entry for entry in got if entry[0].startswith("/camera/")] == sent
    assert [time for _, time, _ in got] == sorted(time for _, time, _ in got)
    assert types["/camera/image"].startswith("RIHS01_")


def test_a_replayed_bag_can_be_replayed_again(tmp_path, color_pipeline):
    make_bag(drive(2), tmp_path / "in")
    settings = ReplaySettings(copy_input=True, overlays=True)
    replay(tmp_path / "in", tmp_path / "once", color_pipeline, settings)
    settings = replace(settings, topic="/camera/image")
    summary = replay(tmp_path / "once", tmp_path / "twice", color_pipeline, settings)
    assert {topic.count for topic in list_topics(tmp_path / "twice")} == {2}
    assert any("written anew" in note for note in summary.notes)


def test_the_summary_adds_up_and_is_json(tmp_path, color_pipeline):
    make_bag(drive(5), tmp_path / "in", camera_name="front")
    seen, scenes = [], []
    summary = replay(
        tmp_path / "in",
        tmp_path / "out",
        color_pipeline,
        on_scene=lambda scene, image: scenes.append(scene_to_json(scene)),
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(i, 5) for i in range(1, 6)]
    assert (summary.obstacles, summary.tracks, summary.rejected) == (5, 1, 5)
    assert summary.duration_s == pytest.approx(0.5)
    assert summary.real_time_factor == pytest.approx(0.5 / summary.wall_s, rel=0.01)
    assert summary.latency_median_ms <= summary.latency_p99_ms
    assert "/ood_perception/front/obstacles" in summary.topics
    assert json.loads(json.dumps(summary.to_json(), allow_nan=False))["frames"] == 5
    assert "5 frames in, 5 processed" in summary.line()
    assert json.loads(json.dumps(scenes, allow_nan=False))[0]["stamp_ns"] == START_NS


def test_the_pipeline_starts_without_a_past(tmp_path, color_pipeline):
    make_bag(drive(3), tmp_path / "in")
    first = replay(tmp_path / "in", tmp_path / "one", color_pipeline)
    second = replay(tmp_path / "in", tmp_path / "two", color_pipeline)
    assert first.notes == second.notes == {}
    confirmed = [
        [array.components[0].confirmed for _, array in messages(tmp_path / name, OBSTACLES)]
        for name in ("one", "two")
    ]
    assert confirmed[0] == confirmed[1]
    assert not confirmed[1][0]


def test_an_empty_topic_a_taken_name_and_a_failing_detector_leave_no_bag(tmp_path, color_pipeline):
    with BagWriter(tmp_path / "empty") as writer:
        writer.add_topic("/camera/image", IMAGE_TYPE)
    with pytest.raises(BagError, match="holds no message"):
        replay(tmp_path / "empty", tmp_path / "out", color_pipeline)
    make_bag(drive(2), tmp_path / "in")
    with pytest.raises(BagError, match="already exists"):
        replay(tmp_path / "in", tmp_path / "in", color_pipeline)

    class Broken:
        bundle = color_pipeline.detector.bundle

        def detect(self, image):
            raise BackendError("the network is gone")

    with pytest.raises(BackendError):
        replay(tmp_path / "in", tmp_path / "out", CameraPipeline(Broken(), color_pipeline.settings))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["empty", "in"]
