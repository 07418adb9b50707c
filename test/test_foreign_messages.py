"""Obstacles in other projects' messages: every field exists there, and says what was seen."""

from __future__ import annotations

from math import atan2, hypot, pi

import numpy as np
import pytest
from foreign_definitions import DEFINITIONS
from obstacle_examples import camera, detection, mounting, upright_component
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from ood_perception.autoware_object_fields import detected_objects_fields
from ood_perception.ground_plane import place
from ood_perception.message_types import make_message
from ood_perception.scene import Obstacle, Scene, Status
from ood_perception.vision_message_fields import (
    UNKNOWN_OBSTACLE,
    detections_2d_fields,
    detections_3d_fields,
    label_info_fields,
    score_of,
)

STAMP_NS = 1_700_000_000_250_000_000
LATERAL_M = 2.0


def obstacle(track_id=7, x_m=12.0, y_m=LATERAL_M, **changes):
    component = upright_component(x_m, y_m, 0.6, 0.4, camera(), mounting())
    fields = {
        "component": component,
        "track_id": track_id,
        "placement": place(component, camera(), mounting()),
        "confirmed": True,
        "relevant": True,
    }
    return Obstacle(**{**fields, **changes})


def scene(*obstacles):
    components = [item.component for item in obstacles]
    return Scene(STAMP_NS, Status.OK, (360, 640), detection(components), obstacles, (), 0)


@pytest.fixture(scope="module")
def typestore():
    store = get_typestore(Stores.ROS2_JAZZY)
    for name, definition in DEFINITIONS.items():
        store.register(get_types_from_msg(definition, name))
    return store


@pytest.fixture
def through_the_wire(typestore, monkeypatch):
    """The message that a receiver gets; a field that the type lacks or that is missing fails."""
    monkeypatch.setattr("ood_perception.message_types.message_typestore", lambda: typestore)

    def send(typename, fields):
        message = make_message(typename, fields)
        assert set(fields) == set(message.__dataclass_fields__) - {"__msgtype__"}
        return typestore.deserialize_cdr(typestore.serialize_cdr(message, typename), typename)

    return send


def test_every_kept_obstacle_is_a_2d_detection_in_pixels(through_the_wire):
    shown = scene(obstacle(1), obstacle(2, placement=None, confirmed=False, relevant=False))
    fields = detections_2d_fields(shown, "front_optical_frame")
    message = through_the_wire("vision_msgs/msg/Detection2DArray", fields)
    assert message.header.frame_id == "front_optical_frame"
    assert (message.header.stamp.sec, message.header.stamp.nanosec) == divmod(STAMP_NS, 10**9)
    assert [entry.id for entry in message.detections] == ["1", "2"]
    box, region = message.detections[0].bbox, shown.obstacles[0].component.region
    assert box.center.position.x - box.size_x / 2 == pytest.approx(region.x)
    assert box.center.position.y + box.size_y / 2 == pytest.approx(region.y + region.height)
    found = message.detections[0].results[0].hypothesis
    assert (found.class_id, found.score) == (UNKNOWN_OBSTACLE, pytest.approx(0.9))


def test_a_3d_detection_stands_where_the_obstacle_stands(through_the_wire):
    fields = detections_3d_fields(scene(obstacle()), "base_link")
    message = through_the_wire("vision_msgs/msg/Detection3DArray", fields)
    box = message.detections[0].bbox
    assert message.header.frame_id == "base_link"
    assert box.size.y == pytest.approx(0.6, abs=0.1)
    assert box.center.position.z == pytest.approx(box.size.z / 2)
    yaw = 2 * atan2(box.center.orientation.z, box.center.orientation.w)
    assert yaw == pytest.approx(atan2(LATERAL_M, 12.0), abs=0.02), "x looks away from the camera"
    spot = place(obstacle().component, camera(), mounting())
    near = hypot(box.center.position.x, box.center.position.y) - box.size.x / 2
    assert near == pytest.approx(spot.distance_m, abs=0.05)


def test_the_covariance_is_wide_along_the_line_of_sight():
    item = obstacle(y_m=12.0, x_m=12.0)
    pose = detections_3d_fields(scene(item), "base_link")["detections"][0]["results"][0]["pose"]
    plane = np.array(pose["covariance"]).reshape(6, 6)[:2, :2]
    values, vectors = np.linalg.eigh(plane)
    spot = item.placement
    assert np.sqrt(values) == pytest.approx([spot.lateral_stddev_m, spot.distance_stddev_m])
    assert atan2(vectors[1, 1], vectors[0, 1]) % pi == pytest.approx(pi / 4, abs=0.05)


@pytest.mark.parametrize("fields_of", [detections_3d_fields, detected_objects_fields])
@pytest.mark.parametrize(
    "changes", [{"confirmed": False}, {"relevant": False}, {"placement": None}]
)
def test_what_a_vehicle_may_act_upon_is_what_the_cloud_holds(fields_of, changes):
    fields = fields_of(scene(obstacle(1), obstacle(2, **changes)), "base_link")
    (entries,) = (value for key, value in fields.items() if key != "header")
    assert len(entries) == 1


def test_autoware_gets_an_unknown_polygon_without_a_speed(through_the_wire):
    item = obstacle()
    fields = detected_objects_fields(scene(item), "base_link")
    message = through_the_wire("autoware_perception_msgs/msg/DetectedObjects", fields)
    (found,) = message.objects
    assert found.existence_probability == pytest.approx(0.9)
    assert found.classification[0].label == 0, "UNKNOWN"
    kinematics = found.kinematics
    assert not kinematics.has_twist
    assert kinematics.has_position_covariance
    position = kinematics.pose_with_covariance.pose.position
    corners = [(p.x + position.x, p.y + position.y) for p in found.shape.footprint.points]
    assert found.shape.type == 2, "POLYGON"
    assert np.allclose(corners, item.placement.footprint, atol=1e-5)


def test_label_info_names_the_ids_of_the_segmentation_and_the_unknown_obstacle(through_the_wire):
    fields = label_info_fields(["road", "sky"], 0.6, STAMP_NS, "front")
    message = through_the_wire("vision_msgs/msg/LabelInfo", fields)
    names = {entry.class_id: entry.class_name for entry in message.class_map}
    assert names == {0: "road", 1: "sky", 254: UNKNOWN_OBSTACLE}
    assert message.threshold == pytest.approx(0.6)


def test_a_model_without_meta_classifier_gives_its_highest_score():
    component = obstacle().component
    assert score_of(component) == component.obstacle_probability
    unsure = upright_component(
        9, 0, 0.5, 0.5, camera(), mounting(), obstacle_probability=float("nan")
    )
    assert score_of(unsure) == unsure.max_score


def test_without_obstacles_the_messages_are_empty_and_stamped(through_the_wire):
    for typename, fields in (
        ("vision_msgs/msg/Detection2DArray", detections_2d_fields(scene(), "front")),
        ("vision_msgs/msg/Detection3DArray", detections_3d_fields(scene(), "base_link")),
        (
            "autoware_perception_msgs/msg/DetectedObjects",
            detected_objects_fields(scene(), "base_link"),
        ),
    ):
        message = through_the_wire(typename, fields)
        assert message.header.stamp.sec == STAMP_NS // 10**9
