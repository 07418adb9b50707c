"""RViz and Foxglove show what the node publishes: every topic that they name exists, by type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ood_perception.errors import OodError
from ood_perception.rviz_view import view_of, write_view

ROOT = Path(__file__).resolve().parents[1]
RVIZ = ROOT / "config" / "ood_perception.rviz"
FOXGLOVE = ROOT / "config" / "foxglove_layout.json"

IMAGES = {"image", "overlay", "segmentation", "segmentation_color", "anomaly_score"}
KINDS = {
    "rviz_default_plugins/Image": IMAGES,
    "rviz_default_plugins/MarkerArray": {"obstacle_markers"},
    "rviz_default_plugins/PointCloud2": {"obstacle_points"},
}
"""Which topics below a camera's name a display of RViz can show."""


def displays(text):
    return yaml.safe_load(text)["Visualization Manager"]["Displays"]


def topics_of(text):
    return [d["Topic"]["Value"] for d in displays(text) if "Topic" in d]


def foxglove_topics(value):
    """Every text in the layout that names a topic of the node, without a path into its message."""
    if isinstance(value, dict):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        parts = value
    else:
        named = isinstance(value, str) and value.startswith("/ood_perception/")
        return {value.partition(".")[0]} if named else set()
    return set().union(*(foxglove_topics(part) for part in parts))


def panels(layout):
    if isinstance(layout, str):
        return [layout]
    return [*panels(layout["first"]), *panels(layout["second"])]


def test_rviz_shows_it_all_at_once():
    manager = yaml.safe_load(RVIZ.read_text(encoding="utf-8"))["Visualization Manager"]
    names = {topic.rpartition("/")[2] for topic in topics_of(RVIZ.read_text(encoding="utf-8"))}
    assert names == IMAGES - {"segmentation"} | {"obstacle_markers", "obstacle_points"}
    assert manager["Global Options"]["Fixed Frame"] == "base_link"
    assert all(display["Enabled"] for display in manager["Displays"])
    assert "rviz_default_plugins/TF" in {display["Class"] for display in manager["Displays"]}


def test_each_display_can_show_its_topic():
    for display in displays(RVIZ.read_text(encoding="utf-8")):
        if "Topic" in display:
            node, camera, name = display["Topic"]["Value"].rsplit("/", 2)
            assert (node, camera) == ("/ood_perception", "camera")
            assert name in KINDS[display["Class"]]


@pytest.mark.ros
def test_the_topics_are_those_of_the_node(make_bench):
    bench = make_bench()
    bench.activate()
    there = {name for name, _ in bench.node.get_topic_names_and_types()}
    assert set(topics_of(RVIZ.read_text(encoding="utf-8"))) <= there
    layout = json.loads(FOXGLOVE.read_text(encoding="utf-8"))
    assert foxglove_topics(layout["configById"]) <= there


def test_a_view_for_other_cameras_shows_each_of_them_in_its_own_displays():
    text = view_of(RVIZ.read_text(encoding="utf-8"), ["front", "rear"], "/car/ood_perception")
    names = [display["Name"] for display in displays(text)]
    assert len(names) == len(set(names))
    one = topics_of(RVIZ.read_text(encoding="utf-8"))
    wanted = [
        topic.replace("/ood_perception/camera/", f"/car/ood_perception/{camera}/")
        for camera in ("front", "rear")
        for topic in one
    ]
    assert topics_of(text) == wanted
    assert names.count("Ground") == names.count("Transforms") == 1


def test_images_that_come_on_another_topic_are_shown_from_there():
    images = {"rear": "/r/image_raw/compressed"}
    text = view_of(RVIZ.read_text(encoding="utf-8"), ["front", "rear"], images=images)
    shown = {display["Name"]: display["Topic"]["Value"] for display in displays(text)[2:]}
    assert shown["rear: Image"] == "/r/image_raw/compressed"
    assert shown["front: Image"] == "/ood_perception/front/image"
    assert shown["rear: Overlay"] == "/ood_perception/rear/overlay"


def test_the_view_of_the_shipped_camera_is_the_shipped_one():
    text = RVIZ.read_text(encoding="utf-8")
    assert displays(view_of(text, ["camera"])) == displays(text)


def test_a_view_without_a_template_is_refused(tmp_path):
    with pytest.raises(OodError, match=r"cannot make an RViz view of .*No such file"):
        write_view(tmp_path / "missing.rviz", ["front"])


def test_foxglove_shows_images_ground_health_and_messages_and_every_panel_is_laid_out():
    layout = json.loads(FOXGLOVE.read_text(encoding="utf-8"))
    assert sorted(panels(layout["layout"])) == sorted(layout["configById"])
    kinds = {name.partition("!")[0] for name in layout["configById"]}
    assert kinds == {"Image", "3D", "DiagnosticSummary", "RawMessages", "Plot"}
    names = {topic.rpartition("/")[2] for topic in foxglove_topics(layout["configById"])}
    assert names >= {"image", "overlay", "obstacles", "obstacle_points", "obstacle_markers"}
