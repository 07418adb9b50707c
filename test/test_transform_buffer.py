"""Transforms of a run that began anew are taken, those of any frame, and none makes others wait."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
from transform_stand_in import STAMP_NS, node_with_clock, placed, tf2, transform

pytestmark = pytest.mark.ros
__all__ = ["tf2"]

pytest.importorskip("rclpy", reason="rclpy is not installed")

from builtin_interfaces.msg import Time as Stamp  # noqa: E402
from rclpy.clock import ROSClock  # noqa: E402
from rclpy.serialization import serialize_message  # noqa: E402
from rclpy.time import Time  # noqa: E402
from sensor_msgs.msg import Image, PointCloud2, PointField  # noqa: E402
from std_msgs.msg import Header  # noqa: E402

from ood_perception.camera import CameraModel, Mounting  # noqa: E402
from ood_perception.errors import ImageError  # noqa: E402
from ood_perception.ros import transform_buffer  # noqa: E402
from ood_perception.ros.camera_processor import CameraProcessor  # noqa: E402
from ood_perception.ros.depth_input import DepthInput  # noqa: E402
from ood_perception.ros.transform_buffer import TransformUnknownError  # noqa: E402
from ood_perception.ros.transforms import (  # noqa: E402
    NoMounting,
    ParameterMounting,
    TransformMounting,
)

END_NS = STAMP_NS + 60_000_000_000


def source_of(clock=None):
    given = {"camera": Mounting.from_angles(1.4, 0.1)}
    return TransformMounting(node_with_clock(clock), "base_link", given)


def simulated(at_ns):
    clock = ROSClock()
    clock._set_ros_time_is_active(True)
    clock.set_ros_time_override(Time(nanoseconds=at_ns))
    return clock


def test_a_clock_that_goes_back_lets_old_transforms_in_again(tf2):
    """A bag that loops: tf2 alone would refuse every transform of its second run."""
    clock = simulated(END_NS)
    source = source_of(clock)
    tf2.static["base_link", "roof"] = placed(z_m=2.0)
    tf2.hear("lens", END_NS, transform())
    tf2.hear("lens", STAMP_NS, transform())
    with pytest.raises(TransformUnknownError):
        source.to_ground("lens", STAMP_NS)
    clock.set_ros_time_override(Time(nanoseconds=STAMP_NS - 1))
    tf2.hear("lens", STAMP_NS, transform())
    assert source.to_ground("lens", STAMP_NS).translation[2] == 1.4
    assert source.to_ground("roof", STAMP_NS).translation[2] == 2.0, "what never changes stays"


def test_a_clock_that_goes_on_costs_nothing(tf2):
    clock = simulated(STAMP_NS)
    source = source_of(clock)
    tf2.hear("lens", STAMP_NS, transform())
    for second in range(1, 20):
        clock.set_ros_time_override(Time(nanoseconds=STAMP_NS + second * 1_000_000_000))
    assert source.to_ground("lens", STAMP_NS).translation[2] == 1.4


def test_after_close_the_clock_is_left_alone(tf2):
    clock = simulated(END_NS)
    source_of(clock).close()
    tf2.hear("lens", END_NS, transform())
    clock.set_ros_time_override(Time(nanoseconds=STAMP_NS))
    assert tf2.known


def test_stamps_that_go_back_let_old_transforms_in_again(tf2, monkeypatch):
    """A bag that loops without /clock. The second camera's word of it takes nothing away."""
    now_s = [100.0]
    monkeypatch.setattr(transform_buffer, "monotonic", lambda: now_s[0])
    source = source_of()
    tf2.hear("lens", END_NS, transform())
    source.reset()
    tf2.hear("lens", STAMP_NS, transform())
    now_s[0] += 0.1
    source.reset()
    assert source.to_ground("lens", STAMP_NS).translation[2] == 1.4
    now_s[0] += 5.0
    source.reset()
    assert not tf2.known, "the next time around"


@pytest.mark.parametrize("source", [NoMounting(), ParameterMounting({})])
def test_without_tf_a_frame_is_unknown_and_named_and_there_is_nothing_to_forget(source):
    source.reset()
    with pytest.raises(TransformUnknownError, match=r"'lidar'.*mounting_source") as caught:
        source.to_ground("lidar", STAMP_NS)
    assert "\n" not in str(caught.value)
    source.close()


@pytest.mark.parametrize("z_m", [0.0, -0.4])
def test_a_frame_on_or_below_the_ground_is_a_frame(tf2, z_m):
    """base_footprint, odom, map: only a camera has to be above the ground."""
    turned_left = (0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5))
    tf2.known["base_link", "odom", STAMP_NS] = placed(-100.0, 3.0, z_m, turned_left)
    found = source_of().to_ground("odom", STAMP_NS)
    moved = found.apply(np.array([[2.0, 0.0, 0.5], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(moved, [[-100, 5, z_m + 0.5], [-100, 3, z_m]], atol=1e-12)


def test_a_sensor_whose_transform_never_comes_does_not_make_the_cameras_wait(tf2, monkeypatch):
    """The lens is found each time: that must not renew the patience with the lidar."""
    now_s = [100.0]
    monkeypatch.setattr(transform_buffer, "monotonic", lambda: now_s[0])
    source = source_of()
    tf2.static["base_link", "lens"] = transform()
    waits = []
    for _ in range(9):
        now_s[0] += 0.1
        source.mounting("camera", "lens", STAMP_NS)
        with pytest.raises(TransformUnknownError, match="'lidar'"):
            source.to_ground("lidar", STAMP_NS)
        waits.append(tf2.waits[-1])
    assert [wait > 0 for wait in waits] == [True] * 3 + [False] * 6


def test_frames_without_end_are_not_all_remembered(tf2):
    source = source_of()
    for number in range(250):
        with pytest.raises(TransformUnknownError):
            source.to_ground(f"frame_{number}", STAMP_NS)
    assert len(source._transforms._patience) <= 100


def test_a_camera_whose_stamps_jump_back_says_so_to_the_source_of_transforms():
    def refuse(message):
        raise ImageError("not looked at")

    source = Mock()
    camera = CameraProcessor(
        "camera",
        Mock(),
        Mock(),
        Mock(),
        source,
        message_type=Image,
        decode=refuse,
        max_frame_age_s=0.0,
        now_ns=lambda: END_NS,
        is_stopping=lambda: False,
        logger=Mock(),
    )
    told = []
    for second in (60, 61, 5, 6):
        image = Image(header=Header(stamp=Stamp(sec=second)), height=1, width=1, encoding="mono8")
        image.step, image.data = 1, b"1"
        camera.prepare(Mock(serialised=serialize_message(image)))
        told.append(source.reset.call_count)
    assert told == [0, 0, 1, 1]


@pytest.mark.parametrize("frame_id", ["base_footprint", "odom", "lens", "base_link"])
def test_a_cloud_in_any_frame_that_tf_knows_is_seen_where_it_is(tf2, frame_id):
    tf2.static["base_link", "lens"] = transform()
    tf2.static["base_link", "base_footprint"] = placed()
    tf2.static["base_link", "odom"] = placed(-100.0, 3.0, -0.4)
    shift = {"odom": (100.0, -3.0, 0.4)}.get(frame_id, (0.0, 0.0, 0.0))
    source = source_of()
    mounting = source.mounting("camera", "lens", STAMP_NS)
    points = np.array([[10.0, 0.5, 0.3]] * 8)
    if frame_id == "lens":
        given = (points - mounting.translation) @ mounting.rotation
    else:
        given = points + shift
    settings = SimpleNamespace(depth="points", ground_frame_id="base_link", depth_max_offset_s=0.05)
    depth = DepthInput(None, "camera", settings, source)
    cloud = PointCloud2(
        header=Header(stamp=Stamp(sec=5), frame_id=frame_id),
        height=1,
        width=8,
        fields=[PointField(name=n, offset=4 * k, datatype=7, count=1) for k, n in enumerate("xyz")],
        point_step=12,
        row_step=96,
        data=given.astype("<f4").tobytes(),
    )
    depth._take_points(cloud)
    camera = CameraModel.from_camera_info(640, 360, [576, 0, 319.5, 0, 576, 179.5, 0, 0, 1], [], "")
    view = depth.at(STAMP_NS, Header(frame_id="lens"))(camera, mounting)
    seen = view.points @ mounting.rotation.T + mounting.translation
    np.testing.assert_allclose(seen, points, atol=1e-4)
