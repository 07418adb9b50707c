"""What RViz shows is what the last message said: no ghosts, and nothing once the node is silent.

RViz keeps markers by namespace and id. DELETEALL takes those of its own namespace, or all of the
topic where it names none; a marker goes by itself when its lifetime ends, 0 meaning never.
"""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from obstacle_examples import camera, mounting, upright_component

pytest.importorskip("visualization_msgs", reason="the ROS message packages are not installed")
pytest.importorskip("ood_detection", reason="the messages of ood_detection are not built")

from builtin_interfaces.msg import Time
from visualization_msgs.msg import Marker

from ood_perception.ground_plane import place
from ood_perception.ros.obstacle_messages import marker_array
from ood_perception.scene import Obstacle


def markers_of(*track_ids):
    component = upright_component(10.0, 0.0, 0.3, 0.3, camera(), mounting())
    spot = place(component, camera(), mounting())
    obstacles = [Obstacle(component, number, spot, True, True) for number in track_ids]
    return marker_array(SimpleNamespace(obstacles=obstacles), Time(), "base_link", "front").markers


def after(shown, markers):
    """The keys of the markers on the screen after one message."""
    shown = set(shown)
    for marker in markers:
        if marker.action == Marker.DELETEALL:
            shown = {key for key in shown if marker.ns and key[0] != marker.ns}
        elif marker.action == Marker.ADD:
            shown.add((marker.ns, marker.id))
    return shown


def test_what_the_last_message_does_not_name_is_gone():
    shown = set()
    for track_ids in ((1,), (1, 2), (3,), ()):
        shown = after(shown, markers_of(*track_ids))
        assert {number for _, number in shown} == set(track_ids)
        assert len(shown) == 2 * len(track_ids), "a box and a text each"


def test_nothing_stays_when_the_node_is_silent():
    for marker in markers_of(1, 2)[1:]:
        assert 1 <= marker.lifetime.sec <= 2
