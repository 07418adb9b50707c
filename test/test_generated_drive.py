"""Generated scenes: repeatable, exactly labelled, and true to the pinhole camera."""

from __future__ import annotations

import json
import math

import cv2
import numpy as np
import pytest
import yaml

from ood_perception.errors import OodError
from ood_perception.generated_drive import (
    CLASSES,
    FAMILIES,
    IGNORE_ID,
    LIGHT_KINDS,
    ROAD_STYLES,
    UNKNOWN_ID,
    CameraSetup,
    ClassId,
    Drive,
    Frame,
    lost_objects,
    proxy_objects,
    random_scene,
    write_dataset,
)
from ood_perception.generated_drive.camera import ground_coordinates
from ood_perception.generated_drive.clipping import cut_before
from ood_perception.generated_drive.ground import RoadLine
from ood_perception.generated_drive.mesh_drawing import nearest_contact
from ood_perception.generated_drive.object_families import MAX_SIZE_M, MIN_SIZE_M, random_object
from ood_perception.generated_drive.solids import box, cylinder

SMALL = CameraSetup.default(320, 180)


def same(a: Frame, b: Frame) -> bool:
    return (
        np.array_equal(a.image, b.image)
        and np.array_equal(a.labels, b.labels)
        and np.array_equal(a.instances, b.instances)
        and a.objects == b.objects
    )


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    first = random_scene(4, camera=SMALL)
    assert same(first, random_scene(4, camera=SMALL))
    assert not np.array_equal(first.image, random_scene(5, camera=SMALL).image)


def test_a_frame_of_a_drive_does_not_depend_on_the_frames_drawn_before() -> None:
    def drive() -> Drive:
        return Drive(3, camera=SMALL, duration_s=1.0)

    in_order = list(drive())
    assert same(in_order[7], drive().frame(7))


@pytest.mark.parametrize("family", FAMILIES)
def test_labels_are_classes_or_unknown_and_agree_with_the_instances(family: str) -> None:
    known = {int(row.id) for row in CLASSES}
    for seed in range(8):
        frame = random_scene(seed, camera=SMALL, family=family)
        assert frame.image.shape == (180, 320, 3)
        assert frame.image.dtype == frame.labels.dtype == np.uint8
        assert frame.instances.dtype == np.int32
        assert set(np.unique(frame.labels)) <= known | {UNKNOWN_ID}
        assert np.array_equal(frame.labels == UNKNOWN_ID, frame.instances > 0)
        assert set(np.unique(frame.instances)) - {0} == {item.id for item in frame.objects}
        for item in frame.objects:
            mask = (frame.instances == item.id).astype(np.uint8)
            assert cv2.boundingRect(mask) == tuple(item.box)
            assert item.visible_px == mask.sum()


def test_the_class_table_is_one_to_one() -> None:
    assert [row.id for row in CLASSES] == list(range(len(CLASSES)))
    assert len({row.name for row in CLASSES}) == len({row.color_rgb for row in CLASSES})
    assert len(CLASSES) < UNKNOWN_ID < IGNORE_ID


def test_a_street_shows_the_classes_in_plausible_places() -> None:
    frame = Drive(1, style="urban", obstacle_count=0).frame(0)
    present = set(np.unique(frame.labels))
    expected = {ClassId.ROAD, ClassId.PAVEMENT, ClassId.BUILDING, ClassId.SKY, ClassId.POLE}
    assert expected <= present
    # straight before the vehicle there is road, and no sky below the horizon
    assert frame.labels[-1, 320] == ClassId.ROAD
    assert not (frame.labels[round(frame.camera.horizon_row) + 3 :] == ClassId.SKY).any()


@pytest.mark.parametrize("seed", range(6))
def test_the_lowest_pixel_lies_at_the_stated_distance(seed: int) -> None:
    """Distance is what a user of the generator measures with: a pixel's ray must give it back."""
    checked = 0
    for distance_m in (8.0, 14.0, 22.0, 40.0):
        for family in FAMILIES:
            frame = Drive(
                seed, obstacle_distance_m=distance_m, family=family, duration_s=0.1
            ).frame(0)
            (item,) = frame.objects
            assert item.distance_m == pytest.approx(distance_m, abs=1e-5)
            if not item.lower_edge_visible:
                continue
            checked += 1
            x, y = item.nearest_contact_m
            assert math.hypot(x, y) == pytest.approx(item.distance_m)
            pixels, _ = frame.camera.project(np.array([[x, y, 0.0]]))
            assert pixels[0] == pytest.approx(item.contact_px)
            lowest_row = np.flatnonzero((frame.instances == item.id).any(axis=1))[-1]
            # the lower border of the lowest pixel is half a pixel below its centre
            assert abs(lowest_row - item.contact_px[1]) <= 1.0
    assert checked >= 6


def test_distances_and_ids_follow_the_ego_motion() -> None:
    drive = Drive(11, speed_mps=10.0, frame_rate_hz=10.0, duration_s=3.0, obstacle_distance_m=40.0)
    frames = list(drive)
    assert len(frames) == len(drive) == 30
    distances = [frame.objects[0].distance_m for frame in frames]
    assert {frame.objects[0].id for frame in frames} == {1}
    assert len({frame.objects[0].shape for frame in frames}) == 1
    assert [frame.stamp_s for frame in frames] == pytest.approx(np.arange(30) / 10)
    # in the middle of its own lane an object comes nearer by almost the whole way driven
    assert np.diff(distances) == pytest.approx(-np.ones(29), abs=0.02)


def test_an_object_stays_at_its_place_in_the_world_on_a_bend() -> None:
    drive = Drive(2, duration_s=2.0, curvature_per_m=1 / 200, obstacle_distance_m=40.0)
    places = []
    for frame in drive:
        (x, y), pose = frame.objects[0].nearest_contact_m, frame.ego_pose
        (middle_x, middle_y) = frame.objects[0].position_m
        assert math.hypot(middle_x - x, middle_y - y) < 1.5
        cos, sin = math.cos(pose.yaw_rad), math.sin(pose.yaw_rad)
        places.append((pose.x_m + cos * x - sin * y, pose.y_m + sin * x + cos * y))
    assert drive.frame(19).ego_pose.yaw_rad > 0.05
    # the nearest point moves along the object's foot as the view turns, the object does not
    assert np.ptp(np.array(places), axis=0).max() < 0.6


def test_road_coordinates_and_the_ground_frame_are_inverse() -> None:
    for bend in (0.0, 1 / 250, -1 / 250):
        line = RoadLine(bend, -1.7)
        for s, d in ((5.0, 0.0), (30.0, 3.0), (60.0, -4.0)):
            x, y, direction = line.to_ground(s, d, 0.0)
            assert direction == pytest.approx(bend * s)
            back = line.to_road(np.float32([[x]]), np.float32([[y]]))
            assert (float(back[0][0, 0]), float(back[1][0, 0])) == pytest.approx((s, d), abs=0.02)


@pytest.mark.parametrize("roll_rad", [0.0, 0.05])
def test_ground_coordinates_are_the_inverse_of_the_projection(roll_rad: float) -> None:
    camera = CameraSetup.default(320, 180, roll_rad=roll_rad)
    first_row, forward, left = ground_coordinates(camera)
    for row, column in ((100, 20), (140, 160), (179, 300)):
        x, y = forward[row - first_row, column], left[row - first_row, column]
        pixels, depth = camera.project(np.array([[x, y, 0.0]], np.float64))
        assert pixels[0] == pytest.approx((column, row), abs=0.01)
        assert depth[0] > 0
    # row before the first one: nothing but sky
    assert first_row == pytest.approx(camera.horizon_row, abs=1 + abs(roll_rad) * 170)


def test_the_camera_looks_where_it_says() -> None:
    level = CameraSetup.default(pitch_rad=0.0)
    assert level.horizon_row == level.principal_point[1]
    assert CameraSetup.default(pitch_rad=-0.05).horizon_row < level.horizon_row
    pixels, _ = level.project(np.array([[20.0, 0.0, level.height_m], [20.0, 2.0, 0.0]]))
    assert pixels[0] == pytest.approx(level.principal_point)
    assert pixels[1, 0] < level.principal_point[0]  # y is to the left
    assert pixels[1, 1] == pytest.approx(179.5 + 576 * 1.4 / 20)
    right_side_down, _ = CameraSetup.default(pitch_rad=0.0, roll_rad=0.1).project(
        np.array([[20.0, -5.0, 1.4]])
    )
    assert right_side_down[0, 1] < level.principal_point[1]  # so the right of the scene goes up


def test_the_nearest_contact_is_on_the_edge_that_faces_the_camera() -> None:
    assert nearest_contact(box((1, 2, 1), (0, 0, 0)).moved(10, 0.5)) == pytest.approx((9.5, 0.0))
    barrel = cylinder(0.5, 1.0, (0, 0, 0), sides=64).moved(0, 8)
    assert nearest_contact(barrel) == pytest.approx((0.0, 7.5), abs=0.01)


def test_a_polygon_is_cut_off_before_the_camera() -> None:
    square = np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 1.0], [0.0, 1.0]])
    cut = cut_before(square, axis=0, least=0.5)
    assert cut[:, 0].min() == 0.5
    assert cv2.contourArea(cut.astype(np.float32)) == pytest.approx(1.5)
    assert len(cut_before(square, axis=0, least=3.0)) == 0
    assert cut_before(square, axis=0, least=-1.0) is square


def test_a_free_road_holds_no_unknown_object() -> None:
    for frame in Drive(5, camera=SMALL, obstacle_count=0, duration_s=0.5):
        assert frame.objects == ()
        assert not (frame.labels == UNKNOWN_ID).any()
    assert random_scene(6, camera=SMALL, obstacle_count=0).objects == ()


def test_the_stated_number_of_objects_lies_on_the_road() -> None:
    drive = Drive(8, camera=SMALL, duration_s=10.0, speed_mps=12.0, obstacle_count=3)
    ids = {item.id for index in range(0, 100, 4) for item in drive.frame(index).objects}
    assert ids == {1, 2, 3}


def test_a_hidden_lower_edge_is_not_called_visible() -> None:
    """A planner must not be judged by a distance that no one can see."""
    drive = Drive(11, speed_mps=10.0, duration_s=4.0, obstacle_distance_m=30.0)
    near = [item for frame in drive for item in frame.objects if item.contact_px[1] > 361]
    assert near
    assert not any(item.lower_edge_visible for item in near)


def test_the_families_share_no_shape_and_no_pattern() -> None:
    assert not set(proxy_objects.NAMES) & set(lost_objects.NAMES)
    assert not set(proxy_objects.PATTERNS) & set(lost_objects.PATTERNS)


@pytest.mark.parametrize("family", FAMILIES)
def test_objects_stand_on_the_ground_and_have_a_plausible_size(family: str) -> None:
    names = set()
    for seed in range(60):
        made = random_object(np.random.default_rng(seed), family)
        names.add(made.shape)
        assert made.mesh.vertices[:, 2].min() == pytest.approx(0, abs=1e-9)
        # it was turned after it got its size: its diagonal is all that can be longer
        assert MIN_SIZE_M * 0.7 <= made.mesh.size().max() <= MAX_SIZE_M * math.sqrt(2) + 1e-9
    assert len(names) >= 8


def test_every_style_and_light_can_be_drawn() -> None:
    for style in ROAD_STYLES:
        for light in LIGHT_KINDS:
            frame = Drive(1, camera=SMALL, style=style, light=light, duration_s=0.1).frame(0)
            assert frame.image.std() > 8


def test_other_image_sizes_and_mountings_work() -> None:
    for camera in (
        CameraSetup.default(96, 64),
        CameraSetup.default(1280, 720),
        CameraSetup.default(321, 181, roll_rad=-0.1, pitch_rad=-0.2, height_m=2.2),
    ):
        frame = random_scene(9, camera=camera, vary_camera=False)
        assert frame.labels.shape == (camera.height, camera.width)
        assert frame.camera == camera


def test_a_dataset_is_written_whole(tmp_path) -> None:
    folder = write_dataset(tmp_path / "set", 3, seed=1, camera=SMALL)
    truth = json.loads((folder / "truth.json").read_text())
    assert sorted(truth) == ["000000", "000001", "000002"]
    for name, record in truth.items():
        labels = cv2.imread(str(folder / "labels" / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        image = cv2.imread(str(folder / "images" / f"{name}.png"))
        again = random_scene(record["seed"], camera=SMALL)
        assert np.array_equal(labels, again.labels)
        assert np.array_equal(image, again.image)
        assert [item["id"] for item in record["objects"]] == [o.id for o in again.objects]
    table = yaml.safe_load((folder / "classes.yaml").read_text())
    assert [row["name"] for row in table["classes"]] == [row.name for row in CLASSES]
    assert (table["unknown_id"], table["ignore_id"]) == (UNKNOWN_ID, IGNORE_ID)
    assert json.loads((folder / "camera.json").read_text())["width"] == 320
    assert [path.name for path in tmp_path.iterdir()] == ["set"]
    with pytest.raises(OodError, match="not an empty folder"):
        write_dataset(folder, 1, seed=1)


def test_bad_arguments_are_refused_in_one_line() -> None:
    for arguments in (
        {"family": "toys"},
        {"style": "moon"},
        {"light": "disco"},
        {"frame_rate_hz": 0},
        {"obstacle_distance_m": 1.0},
        {"curvature_per_m": 0.5},
        {"obstacle_count": -1},
    ):
        with pytest.raises(OodError) as caught:
            Drive(1, camera=SMALL, **arguments)
        assert "\n" not in str(caught.value)
    with pytest.raises(OodError):
        CameraSetup.default(8, 8)
    with pytest.raises(IndexError):
        Drive(1, camera=SMALL, duration_s=0.5).frame(5)
