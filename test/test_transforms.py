"""Every source of a mounting keeps one contract: a mounting, or one line that says why not.

tf2 is stood in for, as this installation may have none (``transform_stand_in``).
"""

from types import SimpleNamespace

import numpy as np
import pytest
from transform_stand_in import HEIGHT_M, PITCH_RAD, STAMP_NS, node_with_clock, tf2, transform

pytestmark = pytest.mark.ros
__all__ = ["tf2"]


@pytest.fixture(params=["parameters", "tf"])
def source(request, tf2):
    """A source that knows where the camera sat at STAMP_NS."""
    from ood_perception.camera import Mounting
    from ood_perception.ros.transforms import ParameterMounting, TransformMounting

    tf2.known["base_link", "lens", STAMP_NS] = transform()
    given = Mounting.from_angles(HEIGHT_M, PITCH_RAD, x_m=1.5, y_m=0.2, pitch_stddev_rad=0.007)
    if request.param == "parameters":
        return ParameterMounting({"camera": given})
    return TransformMounting(node_with_clock(), "base_link", {"camera": given})


def test_a_source_that_knows_answers_with_the_mounting_at_the_images_stamp(source):
    found = source.mounting("camera", "lens", STAMP_NS)
    np.testing.assert_allclose(found.translation, [1.5, 0.2, HEIGHT_M], atol=1e-12)
    forward = found.rotation @ [0.0, 0.0, 1.0]
    np.testing.assert_allclose(forward, [np.cos(PITCH_RAD), 0, -np.sin(PITCH_RAD)], atol=1e-9)
    assert found.pitch_stddev_rad == 0.007, "TF tells no deviations: those of the parameters stay"
    source.close()


@pytest.mark.parametrize("kind", ["none", "tf"])
def test_a_source_that_does_not_know_says_so_in_one_line(kind, tf2):
    from ood_perception.camera import Mounting
    from ood_perception.ros.transforms import (
        MountingUnknownError,
        NoMounting,
        TransformMounting,
    )

    given = {"camera": Mounting.from_angles(1.4, 0.1)}
    source = (
        NoMounting() if kind == "none" else TransformMounting(node_with_clock(), "base_link", given)
    )
    tf2.known["base_link", "lens", STAMP_NS] = transform()
    with pytest.raises(MountingUnknownError) as caught:
        source.mounting("camera", "lens", STAMP_NS + 1)
    assert "\n" not in str(caught.value)
    assert "camera" in str(caught.value) or "lens" in str(caught.value)
    source.close()


def test_a_camera_without_a_transform_does_not_slow_the_others(tf2, monkeypatch):
    """All cameras share one thread; one image a second still waits, should the transform come."""
    from ood_perception.camera import Mounting
    from ood_perception.ros import transform_buffer, transforms

    clock = [100.0]
    monkeypatch.setattr(transform_buffer, "monotonic", lambda: clock[0])
    given = dict.fromkeys(("camera", "other"), Mounting.from_angles(1.4, 0.1))
    source = transforms.TransformMounting(node_with_clock(), "base_link", given)

    def waited(camera="camera", frame_id="lens", stamp_ns=STAMP_NS + 1):
        clock[0] += 0.1
        try:
            source.mounting(camera, frame_id, stamp_ns)
        except transforms.MountingUnknownError:
            assert stamp_ns != STAMP_NS
        return tf2.waits[-1] > 0

    tf2.known["base_link", "lens", STAMP_NS] = transform()
    assert [waited() for _ in range(10)] == [True] * 3 + [False] * 7
    assert waited("other", "other_lens"), "each frame by itself"
    assert [waited() for _ in range(20)].count(True) == 2
    waited(stamp_ns=STAMP_NS)
    assert [waited() for _ in range(4)] == [True] * 3 + [False], "found: it is worth waiting again"


def test_a_transform_that_no_camera_can_have_is_unknown_not_wrong(tf2):
    from ood_perception.camera import Mounting
    from ood_perception.ros.transforms import MountingUnknownError, TransformMounting

    tf2.known["base_link", "lens", STAMP_NS] = transform(height_m=-0.5)
    source = TransformMounting(
        node_with_clock(), "base_link", {"camera": Mounting.from_angles(1.4, 0.1)}
    )
    with pytest.raises(MountingUnknownError, match="above the ground"):
        source.mounting("camera", "lens", STAMP_NS)


def test_without_tf2_the_parameter_is_refused_with_what_to_install(monkeypatch):
    from ood_perception.errors import OodError
    from ood_perception.ros import transforms

    monkeypatch.setattr(transforms.importlib.util, "find_spec", lambda name: None)
    settings = SimpleNamespace(mounting_source="tf", mountings={}, ground_frame_id="base_link")
    with pytest.raises(OodError, match=r"ros-.*-tf2-ros"):
        transforms.create_mounting_source(None, settings)
