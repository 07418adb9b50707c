"""The own vehicle is no obstacle, and what it hides is not taken for the obstacle's foot."""

import cv2
import numpy as np
import pytest
from obstacle_examples import HEIGHT, WIDTH, camera, edge_component, mounting

from ood_perception.detection import Region
from ood_perception.ego_mask import EgoMask, EgoMaskError, load_ego_mask
from ood_perception.ground_plane import GroundPlaneSettings
from ood_perception.image_geometry import ImageGeometry

BONNET_ROW = 300


def bonnet(width=WIDTH, height=HEIGHT):
    mask = np.zeros((height, width), bool)
    mask[BONNET_ROW * height // HEIGHT :, width // 4 : 3 * width // 4] = True
    return mask


def geometry(mask):
    return ImageGeometry(camera(), mounting(), 1.0, GroundPlaneSettings(), EgoMask(mask))


@pytest.mark.parametrize("scale", [1, 2])
def test_rows_and_cover_are_those_of_the_image_whatever_the_masks_size(scale):
    mask = EgoMask(bonnet(WIDTH * scale, HEIGHT * scale))
    rows = mask.lowest_rows(WIDTH, HEIGHT)
    assert rows.shape == (WIDTH,)
    assert rows[WIDTH // 2] == BONNET_ROW
    assert rows[10] == HEIGHT
    assert mask.covers(Region(250, 320, 60, 30), WIDTH, HEIGHT)
    assert not mask.covers(Region(250, 200, 60, 60), WIDTH, HEIGHT)
    assert not mask.covers(Region(5, 320, 60, 30), WIDTH, HEIGHT)


def test_a_part_of_the_own_vehicle_has_no_place_and_does_not_matter():
    wiper = edge_component([[300.0 + i, 350.0] for i in range(20)])
    seen = geometry(bonnet())
    assert seen.place(wiper) is None
    assert seen.is_out_of_reach(wiper)


def test_an_obstacle_that_goes_on_behind_the_bonnet_is_truncated_at_it():
    model, mask = camera(), bonnet()
    component = edge_component(
        [[300.0 + i, 310.0] for i in range(20)], region=Region(300, 200, 20, 110)
    )
    spot = geometry(mask).place(component)
    plain = ImageGeometry(model, mounting(), 1.0, GroundPlaneSettings()).place(component)
    assert (spot.truncated, plain.truncated) == (True, False)
    assert spot.distance_m > plain.distance_m
    beside = edge_component([[20.0 + i, 310.0] for i in range(20)], region=Region(20, 200, 20, 110))
    assert not geometry(mask).place(beside).truncated


def test_a_picture_file_is_a_mask(tmp_path):
    cv2.imwrite(str(tmp_path / "mask.png"), bonnet().astype(np.uint8) * 255)
    assert load_ego_mask(tmp_path / "mask.png").lowest_rows(WIDTH, HEIGHT)[320] == BONNET_ROW


def test_a_mask_that_cannot_be_used_is_refused_in_one_line(tmp_path):
    (tmp_path / "mask.png").write_text("no picture")
    for make, words in (
        (lambda: load_ego_mask(tmp_path / "mask.png"), "no readable picture"),
        (lambda: load_ego_mask(tmp_path / "missing.png"), "no readable picture"),
        (lambda: EgoMask(np.ones((4, 4))), "100% of the picture"),
        (lambda: EgoMask(np.ones((4, 4, 3))), "one channel"),
    ):
        with pytest.raises(EgoMaskError, match=words) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_a_low_wide_thing_before_a_curved_bonnet_is_not_the_bonnet():
    rows, columns = np.mgrid[:360, :640]
    rim = 300 + ((columns - 320) / 320) ** 2 * 60
    mask = EgoMask(rows > rim)
    across = np.arange(60, 581, 20)
    low = 298 + ((across - 320) / 320) ** 2 * 60
    lying = np.concatenate(
        [np.column_stack([across, low - 6]), np.column_stack([across, low])[::-1]]
    ).astype(np.int32)
    region = Region(60, 292, 521, 45)
    assert mask.covers(region, 640, 360), "its box is mostly bonnet"
    assert not mask.covers(region, 640, 360, lying)
    assert mask.covers(region, 640, 360, lying + np.array([0, 12], np.int32))
