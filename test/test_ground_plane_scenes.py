"""From the exact mask of a generated object, over the metrics grid, to its true distance.

Protects the pixel conventions between generated camera, grid, lower edge and ground plane: half a
pixel lost between any two of them is a bias that this sees.
"""

import numpy as np
import pytest
from obstacle_examples import edge_component

from ood_perception.bundle import NetworkSpec
from ood_perception.component_labels import component_pixels
from ood_perception.component_shapes import component_shapes
from ood_perception.generated_drive import random_scene
from ood_perception.generated_drive.mounted_camera import camera_model, mounting
from ood_perception.ground_plane import place
from ood_perception.letterbox import Letterbox

SEEDS = range(12)


@pytest.fixture(scope="module")
def frames():
    return [random_scene(seed, obstacle_count=3) for seed in SEEDS]


def placements(frame, grid_step):
    """(truth, placement) of every object of a frame whose foot is seen."""
    height, width = frame.image.shape[:2]
    network = NetworkSpec.of_sizes((height, width), (height // grid_step, width // grid_step))
    letterbox = Letterbox.fit(network, height, width)
    rows = np.floor(letterbox.image_y(np.arange(height // grid_step) + 0.5)).astype(int)
    columns = np.floor(letterbox.image_x(np.arange(width // grid_step) + 0.5)).astype(int)
    setup = frame.camera
    model, mount = camera_model(setup), mounting(setup)
    for truth in frame.objects:
        mask = (frame.instances == truth.id)[np.ix_(rows, columns)]
        if not truth.lower_edge_visible or not mask.any():
            continue
        shapes = component_shapes(component_pixels(mask), letterbox)
        lowest = max(
            range(len(shapes.regions)), key=lambda k: float(shapes.lower_edges[k][:, 1].max())
        )
        component = edge_component(shapes.lower_edges[lowest], region=shapes.regions[lowest])
        yield truth, place(component, model, mount, grid_cell_px=letterbox.cell_size_px[0])


@pytest.mark.parametrize("grid_step", [1, 2])
def test_distances_of_generated_objects(frames, grid_step):
    pairs = [pair for frame in frames for pair in placements(frame, grid_step)]
    assert len(pairs) >= 15
    assert all(placement is not None for _, placement in pairs)
    truth = np.array([t.distance_m for t, _ in pairs])
    error = np.array([p.distance_m for _, p in pairs]) - truth
    sigma = np.array([p.distance_stddev_m for _, p in pairs])
    near = truth < 20
    assert np.median(np.abs(error / truth)[near]) < 0.02
    assert np.abs(np.median((error / truth)[near])) < 0.01
    assert (np.abs(error) < 2 * sigma).mean() >= 0.95
    widths = np.array([p.width_m / t.width_m for t, p in pairs])
    assert np.median(widths) == pytest.approx(1, abs=0.1)
