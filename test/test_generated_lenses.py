"""Generated scenes through other lenses, or all in one light."""

from __future__ import annotations

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from pydantic import ValidationError
from training_scenes import configuration

from ood_perception.errors import OodError
from ood_perception.generated_drive import CameraSetup, write_dataset
from ood_training.training.scenes import draw_missing_scenes


def test_a_lens_shows_the_angle_that_it_is_named_for() -> None:
    camera = CameraSetup.with_view(32.0)
    assert 2 * math.degrees(math.atan(camera.width / 2 / camera.focal_px)) == pytest.approx(32.0)
    with pytest.raises(OodError, match="a view of 180 degrees: use 5 to 120"):
        CameraSetup.with_view(180)


def test_every_scene_has_a_lens_within_the_range_and_the_world_of_its_seed(tmp_path: Path) -> None:
    usual = write_dataset(tmp_path / "usual", 2, seed=1)
    varied = write_dataset(tmp_path / "varied", 2, seed=1, view_deg=(30.0, 45.0))
    truths = [json.loads((folder / "truth.json").read_text()) for folder in (usual, varied)]
    longest, shortest = (CameraSetup.with_view(angle).focal_px for angle in (30.0, 45.0))
    for name, seen in truths[1].items():
        assert shortest <= seen["camera"]["focal_px"] <= longest
        assert seen["seed"] == truths[0][name]["seed"]
    focal = [seen["camera"]["focal_px"] for seen in truths[1].values()]
    assert focal[0] != focal[1]
    pictures = [cv2.imread(str(folder / "images/000000.png")) for folder in (usual, varied)]
    assert not np.array_equal(pictures[0], pictures[1])
    assert json.loads((varied / "camera.json").read_text())["view_deg"] == [30.0, 45.0]
    with pytest.raises(OodError, match="a camera or a range of lenses, not both"):
        write_dataset(tmp_path / "x", 1, 1, camera=CameraSetup.default(), view_deg=(30.0, 45.0))


def test_scenes_of_one_light_are_all_of_it(tmp_path: Path) -> None:
    folders = {light: tmp_path / light for light in ("clear", "night")}
    for light, folder in folders.items():
        write_dataset(folder, 3, seed=1, light=light)
        assert json.loads((folder / "camera.json").read_text())["light"] == light
    brightness = {
        light: [float(cv2.imread(str(path)).mean()) for path in (folder / "images").iterdir()]
        for light, folder in folders.items()
    }
    assert max(brightness["night"]) < min(brightness["clear"])
    with pytest.raises(OodError, match="no light 'noon': choose one of clear, "):
        write_dataset(tmp_path / "x", 1, seed=1, light="noon")
    assert not (tmp_path / "x").exists()


def test_a_training_draws_the_scenes_it_asks_for_and_refuses_others(tmp_path: Path) -> None:
    def settings(view_deg: list[float] | None, light: str | None = None) -> object:
        render = {"count": 1, "seed": 5, "view_deg": view_deg, "light": light}
        source = {"kind": "generated", "root": "drawn", "render": render}
        return configuration(tmp_path, sources=[source])

    draw_missing_scenes(settings([30.0, 45.0]))  # type: ignore[arg-type]
    draw_missing_scenes(settings([30.0, 45.0]))  # type: ignore[arg-type]
    for others in (settings(None), settings([30.0, 45.0], "night")):
        with pytest.raises(OodError, match="other scenes than the 1 of seed 5"):
            draw_missing_scenes(others)  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="no light 'noon': known are clear, "):
        settings(None, "noon")
