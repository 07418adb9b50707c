"""The node over real DDS: what it publishes for good images, and how it survives bad ones."""

from __future__ import annotations

import time

import numpy as np
import pytest
from color_bundle import color_image

pytestmark = [pytest.mark.ros, pytest.mark.timeout(120)]

pytest.importorskip("rclpy", reason="rclpy is not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from ros_fixtures import (  # noqa: E402
    PICTURES,
    PLACED,
    assert_balance,
    pixels_of,
    stamp_of,
    stamps,
)
from sensor_msgs.msg import Image  # noqa: E402


def processed(bench, number, camera="camera"):
    bench.wait(lambda: bench.count("processed", camera) >= number, f"{number} processed images")


def test_each_processed_image_gets_obstacles_and_points_with_its_stamp(make_bench):
    bench = make_bench(**PLACED).activate()
    bench.send_info()
    sent = []
    for number in range(4):
        sent.append(bench.send(bench.image(color_image())))
        processed(bench, number + 1)
    wanted = [stamp_of(message) for message in sent]
    for topic in ("obstacles", "obstacle_points", "rejected"):
        bench.wait(lambda t=topic: len(bench.messages(f"camera/{t}")) == 4, topic)
        assert stamps(bench.messages(f"camera/{topic}")) == wanted, topic
    last = bench.messages("camera/obstacles")[-1]
    assert last.header.frame_id == "camera_optical"
    assert (last.image_width, last.image_height) == (128, 64)
    assert last.status == last.STATUS_OK
    assert last.ground_frame_id == "base_link"
    (obstacle,) = last.components
    assert obstacle.has_position
    assert obstacle.confirmed
    # The grey block ends at row 48 of 64: 16 pixels below the horizon, 1.4 m high, f = 100 pixels.
    assert obstacle.distance_m == pytest.approx(1.4 * 100 / 16, rel=0.1)
    assert len(bench.messages("camera/rejected")[-1].components) == 1
    first, *_, cloud = bench.messages("camera/obstacle_points")
    assert first.width == 0, "not confirmed yet: an empty cloud"
    points = np.frombuffer(cloud.data, "<f4").reshape(-1, 3)
    assert len(points) == cloud.width > 10
    assert points[:, 0].min() == pytest.approx(obstacle.position.x, abs=0.3)
    assert cloud.header.frame_id == "base_link"
    markers = bench.messages("camera/obstacle_markers")[-1].markers
    assert [stamp_of(m) for m in markers] == [wanted[-1]] * 3


def test_an_obstacle_that_leaves_the_image_below_is_marked_truncated(make_bench):
    bench = make_bench(**PLACED).activate()
    bench.send_info()
    whole = color_image()
    cut = np.concatenate([whole[:48], whole[32:48]])  # the grey block down to the last row
    for number, image in enumerate((whole, cut)):
        bench.send(bench.image(image))
        processed(bench, number + 1)
    bench.wait(lambda: len(bench.messages("camera/obstacles")) == 2, "both obstacles")
    seen = [array.components for array in bench.messages("camera/obstacles")]
    assert [[c.has_position for c in components] for components in seen] == [[True], [True]]
    assert [[c.truncated for c in components] for components in seen] == [[False], [True]]


def test_an_image_without_obstacles_gives_an_empty_array_and_an_empty_cloud(make_bench):
    bench = make_bench(**PLACED).activate()
    bench.send_info()
    image = np.empty((64, 128, 3), np.uint8)
    image[:32], image[32:] = (5, 130, 5), (250, 5, 5)
    bench.send(bench.image(image))
    (array,) = bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
    (cloud,) = bench.wait(lambda: bench.messages("camera/obstacle_points"), "points")
    assert (len(array.components), cloud.width, len(cloud.data)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("parameters", "has_info", "state"),
    [(PLACED, False, "no_camera_info"), ({}, True, "no_mounting")],
)
def test_without_geometry_obstacles_go_out_but_no_cloud(make_bench, parameters, has_info, state):
    bench = make_bench(**parameters).activate()
    if has_info:
        bench.send_info()
    bench.send(bench.image(color_image()))
    (array,) = bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
    bench.wait(lambda: bench.counters().get("state") == state, f"state {state}")
    assert bench.camera_status().level == b"\x02"
    assert array.status == (array.STATUS_NO_TRANSFORM if has_info else array.STATUS_NO_CAMERA_INFO)
    assert [c.has_position for c in array.components] == [False]
    time.sleep(0.2)
    assert bench.messages("camera/obstacle_points") == []


BAD_IMAGES = {
    "empty": lambda b: Image(header=b.image(color_image()).header, encoding="bgr8"),
    "empty data": lambda b: b.image(color_image(), data=b""),
    "step": lambda b: b.image(color_image(), step=100),
    "encoding": lambda b: b.image(color_image(), encoding="klingon8"),
    "cut off": lambda b: b.image(color_image(), data=b"\x01" * 100),
    "1x1": lambda b: b.image(color_image()[:1, :1]),
    "black": lambda b: b.image(color_image() * 0),
}


def test_every_bad_image_is_reported_and_the_next_good_one_processed(make_bench):
    bench = make_bench().activate()
    good_sizes = [(64, 128), (96, 128), (64, 200), (48, 96), (64, 128), (128, 256), (70, 130)]
    for number, (name, make) in enumerate(BAD_IMAGES.items()):
        start = time.monotonic()
        bench.send(make(bench))
        bench.wait(lambda n=number: bench.count("refused") == n + 1, f"refusal of {name}", 1.0)
        bad = [s for s in bench.statuses("ood_perception: camera") if s.level == b"\x02"][-1]
        assert time.monotonic() - start < 1.0, name
        assert bad.message, name
        assert bench.counters()["last_refusal"], name
        assert len(bench.messages("camera/obstacles")) == number, f"nothing published for {name}"
        good = bench.send(bench.image(color_image(*good_sizes[number])))
        processed(bench, number + 1)
        bench.wait(lambda n=number: len(bench.messages("camera/obstacles")) == n + 1, "obstacles")
        assert stamps(bench.messages("camera/obstacles"))[-1] == stamp_of(good)
    assert_balance(bench.camera_status())
    assert bench.count("pending") == 0


def test_compressed_images_work_and_truncated_ones_are_refused(make_bench):
    bench = make_bench(compressed=True).activate()
    bench.send(bench.jpeg(color_image(), keep=0.6))
    bench.wait(lambda: bench.count("refused") == 1, "refusal", 1.0)
    assert "cut off" in bench.counters()["last_refusal"]
    good = bench.send(bench.jpeg(color_image(96, 160)))
    (array,) = bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
    assert stamp_of(array) == stamp_of(good)
    assert (array.image_height, array.image_width) == (96, 160)


def test_pictures_have_the_images_size_and_right_encodings(make_bench):
    bench = make_bench(**PLACED)
    for name in PICTURES:
        bench.listen(f"camera/{name}", Image)
    bench.activate()
    bench.send_info()
    bench.wait(
        lambda: all(
            p.get_subscription_count() for p in bench.node._outputs["camera"]._pictures.values()
        ),
        "listeners",
    )
    image = color_image(70, 151)
    sent = bench.send(bench.image(image))
    pictures = {
        name: bench.wait(lambda n=name: bench.messages(f"camera/{n}"), name)[0] for name in PICTURES
    }
    encodings = {name: message.encoding for name, message in pictures.items()}
    assert encodings == {
        "segmentation": "mono8",
        "segmentation_color": "bgr8",
        "anomaly_score": "32FC1",
        "overlay": "bgr8",
    }
    for name, message in pictures.items():
        assert pixels_of(message).shape[:2] == (70, 151), name
        assert stamp_of(message) == stamp_of(sent), name
        assert message.header.frame_id == "camera_optical", name
    score = pixels_of(pictures["anomaly_score"])
    assert 0 <= score.min() < 0.2
    assert 0.8 < score.max() <= 1
    assert score[45, 95] > 0.8 > score[5, 5], "the grey block is the anomaly"
    assert pixels_of(pictures["segmentation"])[5, 5] == 0
    colour = pixels_of(pictures["segmentation_color"])[5, 5]
    wanted = bench.node._detector.bundle.class_colors[0]
    assert tuple(colour[::-1]) == tuple(wanted), "BGR on the topic, RGB in the manifest"


def test_obstacles_and_points_leave_before_any_picture(make_bench, monkeypatch):
    bench = make_bench(**PLACED)
    for name in PICTURES:
        bench.listen(f"camera/{name}", Image)
    bench.activate()
    bench.send_info()
    outputs = bench.node._outputs["camera"]
    publishers = {
        "obstacles": outputs._obstacles,
        "points": outputs._points,
        "rejected": outputs._rejected,
        "markers": outputs._markers,
        **outputs._pictures,
    }
    order = []
    for name, publisher in publishers.items():
        original = publisher.publish
        monkeypatch.setattr(
            publisher, "publish", lambda m, n=name, o=original: (order.append(n), o(m))
        )
    bench.wait(
        lambda: all(p.get_subscription_count() for p in outputs._pictures.values()), "listeners"
    )
    bench.send(bench.image(color_image()))
    bench.wait(lambda: len(order) == len(publishers), "all outputs")
    assert order[:2] == ["obstacles", "points"]
    assert set(order[-4:]) == set(PICTURES)


def test_pictures_cost_nothing_while_nobody_listens(make_bench, monkeypatch):
    drawn = []
    monkeypatch.setattr(
        "ood_perception.ros.camera_outputs.draw_overlay", lambda *_: drawn.append("overlay")
    )
    bench = make_bench().activate()
    bench.send(bench.image(color_image()))
    processed(bench, 1)
    time.sleep(0.1)
    assert drawn == []


@pytest.mark.parametrize("fault", [RuntimeError("the accelerator is gone"), MemoryError("no more")])
def test_a_failing_backend_is_reported_and_the_next_image_tried(make_bench, fault):
    broken = []

    def fail(image):
        if broken:
            raise broken.pop()

    bench = make_bench(fail, **PLACED).activate()
    bench.send_info()
    broken.append(fault)
    bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.count("dropped_failed") == 1, "the failure", 1.0)
    failed = [s for s in bench.statuses("ood_perception: camera") if s.level == b"\x02"][-1]
    assert str(fault) in failed.message
    assert bench.messages("camera/obstacles") == bench.messages("camera/obstacle_points") == []
    good = bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.messages("camera/obstacles"), "obstacles")
    assert stamps(bench.messages("camera/obstacles")) == [stamp_of(good)]


def test_a_picture_that_cannot_be_drawn_fails_no_frame(make_bench, monkeypatch):
    def fail(*_):
        raise ValueError("no ink")

    monkeypatch.setattr("ood_perception.ros.camera_outputs.draw_overlay", fail)
    bench = make_bench()
    bench.listen("camera/overlay", Image)
    bench.activate()
    overlay = bench.node._outputs["camera"]._pictures["overlay"]
    bench.wait(overlay.get_subscription_count, "a listener")
    bench.send(bench.image(color_image()))
    bench.wait(lambda: "no ink" in bench.counters().get("last_error", ""), "the report")
    counters = bench.counters()
    assert (counters["processed"], counters["dropped"]) == ("1", "0")


def test_a_frame_of_noise_is_cut_to_the_largest_components_said_and_counted(
    make_bench, color_detector, monkeypatch
):
    monkeypatch.setattr(color_detector, "max_components", 1)
    bench = make_bench(**PLACED).activate()
    bench.send_info()
    bench.send(bench.image(color_image()))
    processed(bench, 1)
    bench.wait(lambda: bench.count("components_left_out") == 1, "the count of limited images")
    bench.wait(lambda: len(bench.messages("camera/obstacles")) == 1, "obstacles")
    (obstacle,) = bench.messages("camera/obstacles")[0].components
    assert obstacle.region_of_interest.width > 10, "the block, which is larger than the speck"
    assert bench.messages("camera/rejected")[0].components == []


def test_where_the_points_cannot_be_made_the_obstacles_do_not_go_out_either(
    make_bench, monkeypatch
):
    """Such an image counts as failed: nothing is published on either topic."""

    def fail(*_):
        raise ValueError("no points")

    bench = make_bench(**PLACED).activate()
    bench.send_info()
    with monkeypatch.context() as broken:
        broken.setattr("ood_perception.ros.camera_outputs.obstacle_points", fail)
        bench.send(bench.image(color_image()))
        bench.wait(lambda: bench.count("dropped_failed") == 1, "the failure")
    good = bench.send(bench.image(color_image()))
    bench.wait(lambda: bench.messages("camera/obstacle_points"), "points")
    assert stamps(bench.messages("camera/obstacles")) == [stamp_of(good)]
