"""Known classes in the cloud: every region at its own place, none made up, none lost in silence."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from color_bundle import BLUE, CLASSES, GREEN, RED, color_manifest, write_color_bundle
from obstacle_examples import HEIGHT, UNCALIBRATED_BUNDLE, WIDTH, camera, detection, mounting
from obstacle_examples import pixels as pixels_of_points

from ood_perception.camera_pipeline import CameraPipeline, PipelineSettings
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_perception.known_regions import (
    KnownObstacleSettings,
    known_class_ids,
    known_regions,
)
from ood_perception.obstacle_points import obstacle_points
from ood_perception.relevance import RelevanceSettings
from ood_perception.scene import Status

ROAD, TREE, CAR = range(3)
FRAME_NS = 100_000_000
CARS = PipelineSettings(known_obstacles=KnownObstacleSettings(classes=("car",)))


@pytest.fixture(scope="module")
def detector(tmp_path_factory):
    return Detector(write_color_bundle(tmp_path_factory.mktemp("bundle") / "color"))


class LabelDetector:
    """Sees these labels, pixel by pixel, and nothing unknown."""

    bundle = type("Bundle", (), {"manifest": color_manifest()})

    def __init__(self, labels):
        self.seen = replace(detection([]), labels=labels)

    def detect(self, image):
        return self.seen


def street():
    labels = np.full((HEIGHT, WIDTH), ROAD, np.uint8)
    labels[: HEIGHT // 2] = TREE
    return labels


def stand(labels, class_id, x_m, y_m, width_m=1.8, height_m=1.4):
    """Draws an upright board on the ground as this class."""
    ends = [[x_m, y_m + width_m / 2, 0.0], [x_m, y_m - width_m / 2, height_m]]
    (left, bottom), (right, top) = np.rint(pixels_of_points(ends, camera(), mounting()) + 0.5)
    labels[max(0, int(top)) : int(bottom), max(0, int(left)) : int(right)] = class_id
    return labels


def run(labels, frames=3, settings=CARS, model=camera(), mount=mounting()):
    pipeline = CameraPipeline(LabelDetector(labels), settings)
    images = np.random.default_rng(0).integers(0, 255, (frames, HEIGHT, WIDTH, 3), dtype=np.uint8)
    return [pipeline.process(image, i * FRAME_NS, model, mount) for i, image in enumerate(images)]


def test_names_become_ids_and_an_unknown_one_is_answered_with_the_classes():
    assert known_class_ids(color_manifest(), ["car", "tree", "car"]) == (TREE, CAR)
    assert known_class_ids(color_manifest(), []) == ()
    with pytest.raises(OodError, match=r"'bicycle'.*road, tree, car") as caught:
        known_class_ids(color_manifest(), ["car", "bicycle"])
    assert "\n" not in str(caught.value)
    with pytest.raises(OodError, match="'road' is what color drives on"):
        known_class_ids(color_manifest(), [CLASSES[ROAD]])


def test_a_region_has_the_size_and_surroundings_that_were_drawn():
    labels = street()
    labels[200:260, 300:340] = CAR
    [region] = known_regions(replace(detection([]), labels=labels), [CAR], [ROAD])
    assert region.whole.region == (300, 200, 40, 60)
    assert region.whole.area_px == pytest.approx(40 * 60)
    assert region.whole.road_border_share == 1.0
    assert region.whole.kept
    assert np.isnan(region.whole.obstacle_probability)
    np.testing.assert_array_equal(region.whole.lower_edge[:, 1], 260)


def test_small_regions_are_left_out_and_classes_never_merge():
    labels = street()
    labels[200:210, 100:110] = CAR
    labels[200:260, 300:340] = CAR
    labels[200:260, 340:380] = TREE
    seen = replace(detection([]), labels=labels)
    settings = KnownObstacleSettings(min_area_px=150)
    assert [r.whole.region.x for r in known_regions(seen, [CAR], [ROAD], settings)] == [300]
    settings = KnownObstacleSettings(min_area_px=100)
    assert [r.whole.region.x for r in known_regions(seen, [CAR], [ROAD], settings)] == [100, 300]
    both = known_regions(seen, [TREE, CAR], [ROAD])
    assert sorted(r.whole.region.x for r in both if r.whole.region.y == 200) == [300, 340]


@pytest.mark.parametrize("width", [1, 23, 24, 25, 100])
def test_strips_cover_the_region_without_gap_or_overlap(width):
    labels = street()
    labels[200:260, 300 : 300 + width] = CAR
    settings = KnownObstacleSettings(min_area_px=0, strip_width_px=24)
    [region] = known_regions(replace(detection([]), labels=labels), [CAR], [ROAD], settings)
    ends = [(s.region.x, s.region.x + s.region.width) for s in region.strips]
    assert ends[0][0] == 300
    assert ends[-1][1] == 300 + width
    assert all(left[1] == right[0] for left, right in pairwise(ends))
    assert max(right - left for left, right in ends) <= 24
    edges = np.concatenate([s.lower_edge for s in region.strips])
    np.testing.assert_array_equal(edges, region.whole.lower_edge)


def test_the_cloud_holds_a_known_class_only_where_the_parameter_names_it():
    labels = stand(street(), CAR, 12.0, 0.0)
    assert run(labels, settings=PipelineSettings())[-1].known == ()
    scene = run(labels)[-1]
    assert scene.status is Status.OK
    assert scene.obstacles == ()
    points = obstacle_points((*scene.obstacles, *scene.known))
    assert points[:, 0].min() == pytest.approx(12.0, abs=0.3)
    assert points[:, 1].min() == pytest.approx(-0.9, abs=0.2)
    assert points[:, 1].max() == pytest.approx(0.9, abs=0.2)


def test_it_is_confirmed_by_the_same_rule_as_the_unknown():
    scenes = run(stand(street(), CAR, 12.0, 0.0))
    assert [{o.confirmed for o in scene.known} for scene in scenes] == [{False}, {True}, {True}]
    assert {o.track_id for scene in scenes for o in scene.known} == {1}


def test_a_row_of_parked_cars_blocks_only_the_ground_that_it_stands_on():
    """One region from 6 m on the right to 40 m far ahead: no wall across the lane at 6 m."""
    labels = street()
    for x_m in np.linspace(40, 6, 80):
        stand(labels, CAR, x_m, -2.5, width_m=0.3)
    assert len(known_regions(replace(detection([]), labels=labels), [CAR], [ROAD])) == 1
    points = obstacle_points(run(labels)[-1].known)
    near = points[points[:, 0] < 15]
    assert near[:, 1].max() < -1.5, "the lane beside the row is free"
    assert points[:, 0].min() < 7
    assert points[:, 0].max() > 20


def test_a_known_obstacle_that_cannot_be_placed_is_no_clear_road():
    labels = street()
    labels[60:110, 300:380] = CAR
    labels[110:170, 280:400] = ROAD
    scene = run(labels)[-1]
    assert scene.unplaced == 1
    assert scene.status is Status.DEGRADED
    assert not scene.has_valid_geometry


def test_overhang_without_a_foot_does_not_silence_the_cloud():
    """A mirror that ends above the horizon beside a body that stands on the road."""
    labels = stand(street(), CAR, 6.0, 0.0, width_m=2.0, height_m=2.6)
    column = int(np.flatnonzero((labels == CAR).any(axis=0))[0])
    labels[90:110, column - 60 : column + 1] = CAR
    scene = run(labels)[-1]
    assert scene.unplaced == 0
    assert scene.has_valid_geometry
    assert obstacle_points(scene.known)[:, 0].min() == pytest.approx(6.0, abs=0.3)


def test_beside_the_road_it_is_not_in_the_cloud():
    labels = np.full((HEIGHT, WIDTH), TREE, np.uint8)
    scene = run(stand(labels, CAR, 12.0, 0.0))[-1]
    assert scene.known == ()
    assert scene.has_valid_geometry


def test_outside_the_corridor_it_is_not_in_the_cloud():
    settings = replace(CARS, relevance=RelevanceSettings(corridor_half_width_m=1.5))
    points = [
        len(obstacle_points(run(stand(street(), CAR, 12.0, y_m), settings=settings)[-1].known))
        for y_m in (0.0, 4.0)
    ]
    assert points[0] > 0
    assert points[1] == 0


def test_without_camera_or_mounting_nothing_is_placed():
    labels = stand(street(), CAR, 12.0, 0.0)
    for model, mount in ((None, mounting()), (camera(), None)):
        scene = run(labels, model=model, mount=mount)[-1]
        assert scene.known == ()
        assert not scene.has_valid_geometry


def test_a_class_that_the_model_lacks_is_refused_before_any_frame():
    settings = PipelineSettings(known_obstacles=KnownObstacleSettings(classes=("bicycle",)))
    with pytest.raises(OodError, match="bicycle"):
        CameraPipeline(LabelDetector(street()), settings)


def test_no_class_asks_nothing_of_the_model():
    detector = LabelDetector(street())
    detector.bundle = UNCALIBRATED_BUNDLE
    assert CameraPipeline(detector).settings.known_obstacles.classes == ()


def test_a_real_detectors_grid_is_brought_to_image_pixels(detector):
    image = np.empty((128, 256, 3), np.uint8)
    image[:], image[:64], image[80:112, 96:160] = BLUE, GREEN, RED
    [region] = known_regions(detector.detect(image), [CAR], [ROAD])
    x, y, width, height = region.whole.region
    assert (x, y) == (pytest.approx(96, abs=6), pytest.approx(80, abs=6))
    assert (width, height) == (pytest.approx(64, abs=10), pytest.approx(32, abs=10))
    assert region.whole.lower_edge[:, 1].max() == pytest.approx(112, abs=6)
    assert len(region.strips) == pytest.approx(width / 32, abs=1)
