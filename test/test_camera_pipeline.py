"""One camera's frames become scenes; a blind camera becomes silence; nothing kept is dropped."""

from dataclasses import replace

import numpy as np
import pytest
from obstacle_examples import (
    HEIGHT,
    UNCALIBRATED_BUNDLE,
    WIDTH,
    camera,
    detection,
    edge_component,
    mounting,
    street_image,
    upright_component,
)

from ood_perception.camera import CameraModel
from ood_perception.camera_pipeline import CameraPipeline, PipelineSettings
from ood_perception.errors import BackendError, BlindCameraError, ImageError
from ood_perception.ground_plane import GroundPlaneSettings
from ood_perception.image_geometry import grid_cell_px
from ood_perception.image_health import HealthSettings
from ood_perception.scene import Status

FRAME_NS = 100_000_000


class FakeDetector:
    """Answers every image with the same components, and counts how often it was asked."""

    bundle = UNCALIBRATED_BUNDLE

    def __init__(self, *components):
        self.seen = detection(components)
        self.calls = 0

    def detect(self, image):
        self.calls += 1
        return self.seen


def board(x_m=12.0, y_m=0.0, **changes):
    return upright_component(x_m, y_m, 0.6, 0.5, camera(), mounting(), **changes)


def run(pipeline, frames, model=None, mount=None, start=0):
    return [
        pipeline.process(street_image(start + i), (start + i) * FRAME_NS, model, mount)
        for i in range(frames)
    ]


def test_components_that_were_left_out_are_told():
    detector = FakeDetector(board())
    detector.seen = replace(detector.seen, left_out=7)
    (scene,) = run(CameraPipeline(detector), 1, camera(), mounting())
    assert scene.notes == (
        "7 anomalous components left out, all smaller than the 1 that were looked at",
    )
    assert len(scene.obstacles) == 1


def test_a_kept_component_becomes_a_placed_confirmed_obstacle():
    detector = FakeDetector(board(), board(20, 3, label=2, kept=False))
    scenes = run(CameraPipeline(detector), 3, camera(), mounting())
    assert [scene.obstacles[0].confirmed for scene in scenes] == [False, True, True]
    assert {scene.obstacles[0].track_id for scene in scenes} == {1}
    last = scenes[-1]
    assert last.stamp_ns == 2 * FRAME_NS
    assert last.image_size == (HEIGHT, WIDTH)
    assert last.status is Status.OK
    assert last.has_valid_geometry
    assert last.obstacles[0].placement.distance_m == pytest.approx(12.0, abs=1e-6)
    assert last.obstacles[0].relevant
    assert [component.label for component in last.rejected] == [2]
    assert set(last.stage_seconds) >= {"health", "detect", "place", "track"}


def test_an_empty_scene_is_valid_and_clear():
    [scene] = run(CameraPipeline(FakeDetector()), 1, camera(), mounting())
    assert scene.obstacles == ()
    assert scene.has_valid_geometry


def test_status_numbers_are_those_of_the_message():
    assert {status.name: int(status) for status in Status} == {
        "OK": 0,
        "NO_CAMERA_INFO": 1,
        "NO_TRANSFORM": 2,
        "DEGRADED": 3,
    }


@pytest.mark.parametrize(
    ("model", "mount", "status"),
    [
        (None, mounting(), Status.NO_CAMERA_INFO),
        (None, None, Status.NO_CAMERA_INFO),
        (camera(), None, Status.NO_TRANSFORM),
    ],
)
def test_without_geometry_obstacles_are_reported_without_a_place(model, mount, status):
    scene = run(CameraPipeline(FakeDetector(board())), 2, model, mount)[-1]
    assert scene.status is status
    assert not scene.has_valid_geometry, "no cloud: an empty one would say clear"
    assert scene.unplaced == 0
    [obstacle] = scene.obstacles
    assert obstacle.placement is None
    assert obstacle.confirmed
    assert obstacle.relevant


def test_an_obstacle_on_the_road_that_cannot_be_placed_is_degraded():
    hanging = edge_component([[300 + i, 60.0] for i in range(9)], road_border_share=0.5)
    [scene] = run(CameraPipeline(FakeDetector(board(), hanging)), 1, camera(), mounting())
    assert scene.unplaced == 1
    assert scene.status is Status.DEGRADED
    assert not scene.has_valid_geometry


@pytest.mark.parametrize("x_m", [100.0, 1e6])
def test_an_obstacle_beyond_the_range_is_reported_but_not_relevant(x_m):
    far = board(x_m, road_border_share=0.5)
    [scene] = run(CameraPipeline(FakeDetector(far)), 1, camera(), mounting())
    [obstacle] = scene.obstacles
    assert obstacle.placement is None
    assert not obstacle.relevant
    assert scene.has_valid_geometry


def test_an_obstacle_off_the_road_is_reported_but_not_relevant():
    beside = edge_component([[300 + i, 60.0] for i in range(9)], road_border_share=0.0)
    [scene] = run(CameraPipeline(FakeDetector(beside)), 1, camera(), mounting())
    assert not scene.obstacles[0].relevant
    assert scene.has_valid_geometry


def test_camera_info_of_another_size_is_scaled():
    large = camera().scaled_to(2 * WIDTH, 2 * HEIGHT)
    [scene] = run(CameraPipeline(FakeDetector(board())), 1, large, mounting())
    assert scene.obstacles[0].placement.distance_m == pytest.approx(12.0, abs=1e-6)


def test_camera_info_of_another_aspect_gives_no_place_and_says_so():
    matrix = [500, 0, 320, 0, 500, 240, 0, 0, 1]
    other = CameraModel.from_camera_info(640, 480, matrix, [], "")
    [scene] = run(CameraPipeline(FakeDetector(board())), 1, other, mounting())
    assert scene.status is Status.NO_CAMERA_INFO
    assert len(scene.obstacles) == 1
    assert "aspect" in scene.notes[0]


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((HEIGHT, WIDTH, 3), np.uint8),
        np.full((HEIGHT, WIDTH, 3), 255, np.uint8),
        np.full((1, 1, 3), 90, np.uint8),
        np.zeros((HEIGHT, WIDTH), np.uint8),
    ],
)
def test_a_blind_camera_is_silence_and_the_next_good_image_is_seen(image):
    detector = FakeDetector(board())
    pipeline = CameraPipeline(detector)
    with pytest.raises(ImageError):
        pipeline.process(image, 0, camera(), mounting())
    assert detector.calls == 0
    [scene] = run(pipeline, 1, camera(), mounting(), start=1)
    assert len(scene.obstacles) == 1


def test_a_frozen_camera_is_silence_until_it_moves():
    settings = PipelineSettings(health=HealthSettings(frozen_frames=3))
    pipeline, image = CameraPipeline(FakeDetector(), settings), street_image()
    for i in range(2):
        pipeline.process(image, i * FRAME_NS, None, None)
    for i in range(2, 4):
        with pytest.raises(ImageError, match="frozen"):
            pipeline.process(image, i * FRAME_NS, None, None)
    assert run(pipeline, 1, start=5)[0].obstacles == ()


def test_time_that_jumps_back_resets_and_says_so_once():
    pipeline = CameraPipeline(FakeDetector(board()))
    assert run(pipeline, 3, start=50)[-1].obstacles[0].confirmed
    again = run(pipeline, 2, start=10)
    assert "jumped back" in again[0].notes[0]
    assert again[1].notes == ()
    assert [scene.obstacles[0].confirmed for scene in again] == [False, True]
    assert again[0].obstacles[0].track_id == 2


def test_a_scene_that_is_all_unknown_is_silence_and_not_a_list_of_obstacles():
    detector = FakeDetector(board())
    detector.seen = replace(detector.seen, score=np.ones_like(detector.seen.score))
    pipeline = CameraPipeline(detector)
    with pytest.raises(BlindCameraError, match="unknown to the model"):
        run(pipeline, 1, camera(), mounting())
    lenient = PipelineSettings(health=HealthSettings(max_anomalous_share=1.0))
    assert len(run(CameraPipeline(detector, lenient), 1, camera(), mounting())[0].obstacles) == 1


def test_an_obstacle_that_is_missed_for_an_image_stays_in_the_scene_as_held():
    detector = FakeDetector(board())
    pipeline = CameraPipeline(detector)
    run(pipeline, 3, camera(), mounting())
    detector.seen = detection([])
    [scene] = run(pipeline, 1, camera(), mounting(), start=3)
    assert scene.raw == ()
    [obstacle] = scene.confirmed
    assert obstacle.held
    assert obstacle.relevant
    assert obstacle.placement.distance_m == pytest.approx(12.0, abs=0.1)
    assert scene.has_valid_geometry
    [gone] = run(pipeline, 1, camera(), mounting(), start=20)
    assert gone.obstacles == ()


def test_a_held_obstacle_moves_in_the_image_as_it_comes_nearer():
    detector = FakeDetector()
    pipeline = CameraPipeline(detector)
    for k in range(10):
        detector.seen = detection([board(20.0 - k)])
        run(pipeline, 1, camera(), mounting(), start=k)
    detector.seen = detection([])
    for k in range(10, 14):
        [scene] = run(pipeline, 1, camera(), mounting(), start=k)
    held, expected = scene.obstacles[0].component.region, board(20.0 - 13).region
    assert np.allclose(held, expected, atol=6)
    assert scene.obstacles[0].component.label == 0


def test_a_rejected_component_keeps_a_confirmed_obstacle_and_starts_none():
    detector = FakeDetector(board(kept=False))
    pipeline = CameraPipeline(detector)
    assert run(pipeline, 3, camera(), mounting())[-1].obstacles == ()
    detector.seen = detection([board()])
    run(pipeline, 3, camera(), mounting(), start=3)
    detector.seen = detection([board(kept=False)])
    scenes = run(pipeline, 12, camera(), mounting(), start=6)
    assert all(scene.obstacles[0].held for scene in scenes)


def test_what_stands_above_every_road_is_reported_but_not_relevant():
    settings = PipelineSettings(ground_plane=GroundPlaneSettings(horizon_margin_deg=5.0))
    bridge = edge_component([[300 + i, 60.0] for i in range(9)], road_border_share=0.5)
    pipeline = CameraPipeline(FakeDetector(bridge), settings)
    [scene] = run(pipeline, 1, camera(), mounting())
    assert not scene.obstacles[0].relevant
    assert scene.has_valid_geometry


def test_an_error_of_the_detector_passes_through_and_leaves_the_pipeline_usable():
    class FailsOnce(FakeDetector):
        def detect(self, image):
            if not self.calls:
                self.calls += 1
                raise BackendError("the device is gone")
            return super().detect(image)

    pipeline = CameraPipeline(FailsOnce(board()))
    with pytest.raises(BackendError):
        run(pipeline, 1)
    assert len(run(pipeline, 1, start=1)[0].obstacles) == 1


def test_a_coarser_grid_makes_a_place_less_certain():
    fine, coarse = FakeDetector(board()), FakeDetector(board())
    coarse.seen = detection([board()], grid_step=4)
    assert grid_cell_px(coarse.seen) == 4
    spots = [
        run(CameraPipeline(d), 1, camera(), mounting())[0].obstacles[0].placement
        for d in (fine, coarse)
    ]
    assert spots[1].distance_stddev_m > 1.2 * spots[0].distance_stddev_m


def test_an_image_of_another_size_in_between_is_no_problem():
    pipeline = CameraPipeline(FakeDetector(board()))
    run(pipeline, 1, camera(), mounting())
    small = street_image()[: HEIGHT // 2, : WIDTH // 2]
    scene = pipeline.process(small, FRAME_NS, camera(), mounting())
    assert scene.image_size == (HEIGHT // 2, WIDTH // 2)


def test_settings_can_be_replaced():
    settings = replace(PipelineSettings(), health=HealthSettings(min_side_px=1000))
    with pytest.raises(ImageError, match="smaller than 1000"):
        run(CameraPipeline(FakeDetector(), settings), 1)
