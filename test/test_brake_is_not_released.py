"""An obstacle that stands before the vehicle stays there for a planner, or there is silence.

Through the pipeline with its default settings: whatever the images show of an obstacle that was
confirmed, the cloud never says that the way is clear.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from obstacle_examples import (
    HEIGHT,
    UNCALIBRATED_BUNDLE,
    WIDTH,
    camera,
    detection,
    mounting,
    pixels,
    street_image,
    upright_component,
)

from ood_perception.camera_pipeline import CameraPipeline, PipelineSettings
from ood_perception.detection import Region
from ood_perception.ego_mask import EgoMask
from ood_perception.ego_motion import EgoPose
from ood_perception.obstacle_points import obstacle_points
from ood_perception.tracking import TrackingSettings

STEP_NS = 100_000_000
BONNET_ROW = 300


def board(x_m, width_m=0.6, height_m=0.5):
    return upright_component(x_m, 0.0, width_m, height_m, camera(), mounting(), columns=21)


def cut(component, row):
    """Only what lies above an image row of it; within the image."""
    region, edge = component.region, component.lower_edge.copy()
    edge[:, 0] = np.clip(edge[:, 0], 0, WIDTH)
    edge[:, 1] = np.minimum(edge[:, 1], row)
    left, top = max(region.x, 0), max(region.y, 0)
    right = min(region.x + region.width, WIDTH)
    bottom = min(region.y + region.height, row)
    contour = np.array([[left, top], [right, top], [right, bottom], [left, bottom]], np.int32)
    box = Region(left, top, right - left, bottom - top)
    return replace(component, region=box, contour=contour, lower_edge=edge)


def scenes(frames, *, pose=None, ego_mask=None, step_ns=STEP_NS, settings=None):
    """What the pipeline says of images with these components, one after the other."""
    shown = {}
    detector = SimpleNamespace(
        bundle=UNCALIBRATED_BUNDLE, detect=lambda image: detection(shown["components"])
    )
    pipeline = CameraPipeline(detector, settings, ego_mask)
    found = []
    for number, components in enumerate(frames):
        shown["components"] = components
        where = None if pose is None else pose(number)
        stamp_ns = number * step_ns
        image = street_image(number)
        found.append(pipeline.process(image, stamp_ns, camera(), mounting(), pose=where))
    return found


def is_clear(scene):
    """Whether a planner is told that nothing is there."""
    return scene.has_valid_geometry and len(obstacle_points(scene.obstacles)) == 0


def test_braking_to_a_stop_without_odometry_leaves_a_tall_obstacle_before_the_vehicle():
    distance_m, speed_m_s, truth, frames = 12.0, 8.0, [], []
    for _ in range(70):
        truth.append(distance_m)
        frames.append([cut(board(distance_m, 1.6, 1.8), HEIGHT)])
        speed_m_s = max(0.0, speed_m_s - (0.6 if distance_m < 8.0 else 0.0))
        distance_m -= 0.1 * speed_m_s
    assert distance_m == pytest.approx(3.06), "its foot is cut off there"
    found = scenes(frames)[2:]
    nearest = [obstacle_points(scene.obstacles)[:, 0].min() for scene in found]
    assert min(nearest) >= 0.0, "never under the vehicle or behind it"
    assert (np.array(nearest) - np.array(truth[2:])).max() < 1.0, "never far behind itself"
    # Long after the stop: where it is visible, which nothing says more of.
    assert nearest[-1] == pytest.approx(3.8, abs=0.1)


def test_what_shows_only_its_upper_part_from_now_on_is_not_out_of_the_way():
    whole = board(8.0, 0.8, 1.6)
    foot = pixels([[8, y, 1.38] for y in np.linspace(0.4, -0.4, 21)], camera(), mounting()) + 0.5
    upper = replace(cut(whole, foot[:, 1].max()), lower_edge=foot)
    found = scenes([[whole]] * 15 + [[upper]] * 25)
    assert not any(is_clear(scene) for scene in found[3:])
    assert found[-1].unplaced == 1


def test_what_drives_off_beyond_the_range_silences_nothing():
    distances = [60.0 + 0.8 * k for k in range(60)]  # faster than the vehicle by 8 m/s, to 107 m
    found = scenes([[board(x, 2.0, 1.5)] for x in distances])
    assert found[5].obstacles[0].confirmed
    assert found[5].obstacles[0].relevant
    assert [scene.unplaced for scene in found] == [0] * 60
    assert is_clear(found[-1])


@pytest.mark.parametrize("odometry", [False, True])
def test_what_is_half_behind_the_own_bonnet_is_not_taken_for_a_part_of_the_vehicle(odometry):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[BONNET_ROW:] = 1
    distances = [12 - 0.4 * k for k in range(18)] + [4.9] * 40
    frames = [[cut(board(x, 0.6, 0.25), BONNET_ROW + 10)] for x in distances]
    found = scenes(
        frames,
        ego_mask=EgoMask(mask),
        pose=(lambda k: EgoPose(12 - distances[k], 0, 0)) if odometry else None,
    )
    assert found[10].obstacles[0].confirmed
    assert not any(is_clear(scene) for scene in found[10:])


def test_images_too_far_apart_to_confirm_anything_are_silence():
    found = scenes([[board(10.0)]] * 6, step_ns=1_100_000_000)
    assert not any(scene.obstacles[0].confirmed for scene in found)
    assert not any(is_clear(scene) for scene in found[1:])
    assert {scene.unconfirmable for scene in found[1:]} == {1}
    free = scenes([[]] * 3, step_ns=1_100_000_000)
    assert is_clear(free[-1]), "a road with nothing on it needs no confirmation"


def test_such_a_silence_is_an_error_that_names_the_setting():
    pytest.importorskip("diagnostic_msgs", reason="the ROS message packages are not installed")
    from ood_perception.ros.diagnostics import ERROR
    from ood_perception.ros.scene_health import scene_health

    health = scene_health(scenes([[board(10.0)]] * 2, step_ns=1_100_000_000)[-1], 0.0, "")
    assert (health.level, health.state) == (ERROR, "gap")
    assert "max_gap_s" in health.message


def test_a_gap_setting_shorter_than_the_images_interval_is_silence_too():
    settings = PipelineSettings(tracking=TrackingSettings(max_gap_s=0.05))
    found = scenes([[board(10.0)]] * 20, settings=settings)
    assert not any(is_clear(scene) for scene in found[1:])


def test_what_is_hidden_while_the_vehicle_stands_does_not_become_uncertain():
    distances = [12 - 0.5 * k for k in range(16)]
    driven = [12 - x for x in distances] + [8.5] * 100  # to 3.5 m, where it is hidden
    frames = [[board(x)] for x in distances] + [[]] * 100
    found = scenes(frames, pose=lambda k: EgoPose(driven[k], 0, 0))
    held = [scene.obstacles[0] for scene in found[16:]]
    assert all(obstacle.hidden for obstacle in held)
    assert held[-1].placement.distance_m == pytest.approx(3.5, abs=0.05)
    deviations = [obstacle.placement.distance_stddev_m for obstacle in held]
    assert max(deviations) <= 1.01 * min(deviations)
    seen = found[15].obstacles[0].placement
    lasting_m = np.sqrt(seen.distance_stddev_m**2 - seen.distance_noise_m**2)
    assert min(deviations) >= lasting_m
