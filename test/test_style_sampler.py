"""Styles in a recipe: old recipes draw the same bits, a plugin is checked, runs can be compared."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ood_perception.errors import OodError
from ood_training.configuration import TrainingConfiguration
from ood_training.sampler import TrainingSampler
from ood_training.styles import Pasting
from ood_training.styles.plugin import load_plugin
from ood_training.training.fingerprint import is_same_run, run_fingerprint

# Of the samples below, drawn before there were styles. Pictures differ by rounding between versions
# of OpenCV, labels and means do not.
LABELS = "4bbddc444c6844ff779176cc6f17ac5b3ea3f43116ca7d40c1fdfce330c510f8"
IMAGES = {"5.0.0": "cc8aa0b46bb9ae75fbda489e90710c2eef683af214abc597d89148d547f09fd4"}
MEANS = [
    154.99, 162.3, 142.56, 127.21, 136.83, 96.97, 112.11, 131.76,
    121.55, 123.72, 112.59, 157.77, 109.11, 106.73, 100.03, 141.33,
]  # fmt: skip


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Textured road below a textured sky with a car on it, and textured discs to paste."""
    rng = np.random.default_rng(7)
    for part in ("street/images", "street/labels", "crops"):
        (tmp_path / part).mkdir(parents=True)
    for number in range(3):
        labels = np.zeros((96, 128), np.uint8)
        labels[:30] = 1
        labels[40:66, 20 : 60 + number] = 2
        colors = np.array([(90, 95, 90), (200, 160, 120), (60, 40, 150)], np.uint8)
        image = colors[labels] + rng.integers(0, 40, (96, 128, 3), np.uint8)
        disc = (np.hypot(*np.mgrid[-20:20, -15:15]) < 15).astype(np.uint8) * 255
        crop = rng.integers(0, 256, (40, 30, 3), np.uint8)
        for name, picture in (
            (f"street/images/{number}", image), (f"street/labels/{number}", labels),
            (f"crops/{number}_crop", crop), (f"crops/{number}_maskcrop", disc),
        ):  # fmt: skip
            assert cv2.imwrite(str(tmp_path / f"{name}.png"), picture)
    (tmp_path / "street/classes.yaml").write_text("classes: [road, sky, car]\n")
    return tmp_path


def configuration(data: Path, **style: Any) -> TrainingConfiguration:
    paste: dict[str, Any] = {
        "probability": 1.0, "height_px": [8, 40], "known_probability": 0.5,
        "known_classes": ["car"], "marks_probability": 0.5,
    }  # fmt: skip
    stage = {
        "name": "both", "epochs": 1, "steps_per_epoch": 4, "unknown_objects": True,
        "encoder_learning_rate": 1e-3, "decoder_learning_rate": 1e-3,
    }  # fmt: skip
    content = {
        "name": "test", "data_root": data, "output": data / "run", "model": "tiny_unet",
        "crop_size": 64, "batch_size": 4, "light": 0.5, "seed": 3, "stages": [stage],
        "sources": [{"kind": "generated", "root": "street"}],
        "objects": {"object_crops": "crops", "fold": None},
        "paste": paste | ({"style": style} if style else {}),
    }  # fmt: skip
    return TrainingConfiguration.model_validate(content)


def samples(data: Path, **style: Any) -> tuple[np.ndarray, np.ndarray]:
    """Pictures and labels of four batches of four."""
    sampler = TrainingSampler(configuration(data, **style))
    batches = [sampler.arrays(0, step, True) for step in range(4)]
    return np.stack([batch[0] for batch in batches]), np.stack([batch[1] for batch in batches])


@pytest.mark.parametrize("style", [{}, {"kind": "none"}])
def test_recipes_without_a_style_draw_what_they_always_drew(data: Path, style) -> None:
    images, labels = samples(data, **style)
    assert hashlib.sha256(labels.tobytes()).hexdigest() == LABELS
    assert images.mean(axis=(2, 3, 4)).ravel() == pytest.approx(MEANS, abs=0.1)
    if cv2.__version__ in IMAGES:
        assert hashlib.sha256(images.tobytes()).hexdigest() == IMAGES[cv2.__version__]


@pytest.mark.parametrize("kind", ["moments", "fourier"])
def test_the_seed_decides_everything_and_objects_stand_where_they_stood(
    data: Path, kind: str
) -> None:
    first, again = samples(data, kind=kind), samples(data, kind=kind)
    plain = samples(data)
    assert (first[0] == again[0]).all()
    assert (first[1] == plain[1]).all()
    assert (first[0] != plain[0]).any()


def test_a_checkpoint_from_before_styles_is_of_a_run_without_one(data: Path) -> None:
    settings = configuration(data)
    old = json.loads(run_fingerprint(settings))
    del old["paste"]["style"]
    assert is_same_run(json.dumps(old), settings)
    assert not is_same_run(json.dumps(old), configuration(data, kind="moments"))


PLUGIN = """
import numpy as np

def blue(): return like(lambda patch: np.full(patch.shape, (255, 0, 0), np.float32))
def broken(): raise RuntimeError("no weights here\\nand more")
def nothing(): return None
def like(make): return lambda pasting, rng: make(pasting.patch)
def smaller(): return like(lambda patch: patch[1:])
def double(): return like(lambda patch: patch.astype(np.float64))
def nan(): return like(lambda patch: patch * np.float32("nan"))
def words(): return like(lambda patch: "patch")
def failing(): return like(lambda patch: patch.no_such_thing)
def writing(): return like(lambda patch: patch.fill(0))
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of an importable module."""
    (tmp_path / "style_of_a_test.py").write_text(PLUGIN)
    (tmp_path / "style_with_an_error.py").write_text("def half(:\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "style_of_a_test"


def test_a_plugin_makes_the_style(data: Path, plugin: str) -> None:
    images, labels = samples(data, kind="plugin", plugin=f"{plugin}:blue")
    plain, plain_labels = samples(data)
    assert (labels == plain_labels).all()
    more_blue, before = (
        np.median(one[labels == 254].astype(int) @ (-1, 0, 1)) for one in (images, plain)
    )
    assert more_blue > 60 > 20 > before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:style", "no_such_module cannot be imported: No module.*PYTHONPATH$"),
        ("style_with_an_error:half", "style_with_an_error cannot be imported: "),
        ("style_of_a_test:absent", "style_of_a_test has no function 'absent'"),
        ("style_of_a_test:np", "style_of_a_test has no function 'np'"),
        ("style_of_a_test:broken", r"broken\(\) failed: no weights here$"),
        ("style_of_a_test:nothing", r"nothing\(\) returned a NoneType; .*StyleTransfer"),
    ],
)
def test_a_plugin_that_cannot_be_loaded_ends_the_run_before_it_begins(
    data: Path, plugin: str, name: str, message: str
) -> None:
    with pytest.raises(OodError, match=message) as raised:
        TrainingSampler(configuration(data, kind="plugin", plugin=name))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("smaller", r"returned \(7, 6, 3\) float32; it has to return \(8, 6, 3\) float32"),
        ("double", r"returned \(8, 6, 3\) float64"),
        ("nan", "returned values that are not finite"),
        ("words", "returned a str"),
        ("failing", "failed on an object of 6x8 pixels: .*no_such_thing"),
        ("writing", "failed on an object of 6x8 pixels: .*read-only"),
    ],
)
def test_a_plugin_that_breaks_the_contract_is_one_line(
    plugin: str, factory: str, message: str
) -> None:
    style = load_plugin(f"{plugin}:{factory}")
    patch, mask = np.full((8, 6, 3), 100, np.float32), np.ones((8, 6), np.float32)
    scene, box = np.zeros((20, 20, 3), np.uint8), (slice(0, 8), slice(0, 6))
    with pytest.raises(OodError, match=message) as raised:
        style(Pasting(patch, mask, scene, box), np.random.default_rng(0))
    assert "\n" not in str(raised.value)
    assert (patch == 100).all()
