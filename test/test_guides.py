"""What the guides for planners and for tuning name exists: parameters, topics, files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from ood_perception.obstacle_points import PointsSettings

ROOT = Path(__file__).resolve().parents[1]
GUIDES = [ROOT / "docs" / "planners.md", ROOT / "docs" / "tuning.md"]
TOPICS = re.compile(r"`~/NAME/(\w+)`")
FILES = re.compile(r"\b((?:examples|benchmarks|test|config|launch)/\w+\.(?:py|yaml|rviz|json))\b")
LINKS = re.compile(r"\]\((\w+\.md)\)")
PARAMETERS = re.compile(r"`([a-z_]+\.[a-z_]+|CAMERA\.[a-z_.]+)(?:: [^`]*)?`")
PUBLISHED = {
    *("obstacles", "obstacle_points", "obstacle_markers", "rejected"),
    *("segmentation", "segmentation_color", "anomaly_score", "overlay"),
    *("detections", "detections_3d", "label_info", "objects"),
}


def parameters():
    """Every parameter by its full name, the default camera's under CAMERA."""

    def flat(tree, prefix):
        for name, value in tree.items():
            if isinstance(value, dict):
                yield from flat(value, f"{prefix}{name}.")
            yield prefix + name

    text = (ROOT / "config" / "ood_perception.yaml").read_text(encoding="utf-8")
    tree = yaml.safe_load(text)["/**"]["ros__parameters"]
    return {re.sub(r"^camera\.", "CAMERA.", name) for name in flat(tree, "")}


@pytest.mark.parametrize("guide", GUIDES, ids=lambda path: path.name)
def test_everything_that_a_guide_names_is_there(guide):
    text = guide.read_text(encoding="utf-8")
    assert set(TOPICS.findall(text)) <= PUBLISHED
    assert [name for name in FILES.findall(text) if not (ROOT / name).is_file()] == []
    assert [name for name in LINKS.findall(text) if not (ROOT / "docs" / name).is_file()] == []
    named = {re.sub(r"^(mounting)\.", r"CAMERA.\1.", name) for name in PARAMETERS.findall(text)}
    files = {name for name in named if name.endswith((".py", ".md", ".yaml"))}
    assert named - files <= parameters()
    assert named, "no parameter was found: the test would protect nothing"


def test_the_tuning_guide_starts_with_three_parameters():
    first = (ROOT / "docs" / "tuning.md").read_text(encoding="utf-8").split("## ")[1]
    assert re.findall(r"^\*\*(\d)\.", first, re.MULTILINE) == ["1", "2", "3"]


def test_the_table_of_the_cloud_states_its_real_numbers():
    text = (ROOT / "docs" / "planners.md").read_text(encoding="utf-8")
    settings = PointsSettings()
    assert f"at most {settings.spacing_m} m" in text
    assert f"at least {settings.min_width_m} m and {settings.min_depth_m} m" in text
    assert ", ".join(f"{height:.2f}" for height in settings.heights_m) + " m" in text
