"""What is nearer than the image shows is hidden, whatever the lens, the yaw and the own bonnet."""

import numpy as np
import pytest
from obstacle_examples import HEIGHT, LENSES, WIDTH, camera, mounting

from ood_perception.ground_projection import ground_points
from ood_perception.visible_ground import VisibleGround


@pytest.mark.parametrize("lens", LENSES)
@pytest.mark.parametrize("pose", [{}, {"yaw_rad": 1.2, "x_m": 1.5}])
def test_the_images_lower_edge_divides_hidden_from_seen(lens, pose):
    model, mount = camera(lens), mounting(**pose)
    ground = VisibleGround(model, mount)
    for x in (60, WIDTH / 2, WIDTH - 60):
        edge = ground_points(np.array([[x, HEIGHT - 1.0]]), model, mount)[0]
        foot = mount.translation[:2]
        assert ground.hides(foot + 0.9 * (edge - foot))
        assert not ground.hides(foot + 1.2 * (edge - foot))


def test_what_lies_beside_the_view_is_hidden_only_where_it_is_near():
    ground = VisibleGround(camera(), mounting())
    assert not ground.hides(np.array([5.0, 30.0]))
    assert ground.hides(np.array([0.5, 1.0]))


def test_the_own_bonnet_hides_more():
    rows = np.full(WIDTH, 280.0)
    ground = VisibleGround(camera(), mounting(), rows)
    edge = ground_points(np.array([[WIDTH / 2, 279.5]]), camera(), mounting())[0]
    assert ground.hides(0.9 * edge)
    assert not VisibleGround(camera(), mounting()).hides(0.9 * edge)


def test_a_camera_that_looks_up_hides_nothing():
    assert not VisibleGround(camera(), mounting(pitch_rad=-1.0)).hides(np.array([2.0, 0.0]))
