"""Style alignment of pasted objects: formulas are exact, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from ood_training.augmentation import PADDING_VALUE
from ood_training.data_configuration import StyleConfiguration
from ood_training.datasets.cutouts import Cutout
from ood_training.proxies import PasteRules, paste_object
from ood_training.styles import Pasting
from ood_training.styles.fourier import OPPONENT, FourierAdaptation, amplitude_change
from ood_training.styles.moments import MOST_STRETCH, MomentMatching, match_moments
from ood_training.styles.registry import open_style
from ood_training.styles.scene_view import scene_view


def styled(style, patch: np.ndarray, mask: np.ndarray, scene: np.ndarray) -> np.ndarray:
    """The object after a style transfer, in the scene's upper left corner."""
    box = slice(0, 40), slice(0, 30)
    return style(Pasting(patch, mask, scene, box), np.random.default_rng(1))


def textured(shape: tuple[int, int], low: int, high: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(low, high, (*shape, 3)).astype(np.uint8)


def disc(shape: tuple[int, int] = (40, 30)) -> np.ndarray:
    """A soft mask that is 1 well inside and 0 in the corners."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    distance = np.hypot(rows / shape[0] - 0.5, columns / shape[1] - 0.5)
    return np.clip((0.48 - distance) * 20, 0, 1).astype(np.float32)


def lab(picture: np.ndarray, where: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation of a picture's pixels in CIELAB."""
    values = cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    chosen = values.reshape(-1, 3) if where is None else values[where]
    return chosen.mean(axis=0), chosen.std(axis=0)


def test_moments_are_matched_as_computed_by_hand() -> None:
    """Own mean 2 and deviation 1, wanted 10 and 3: 1 becomes 7 and 3 becomes 13."""
    values = np.repeat(np.array([[1, 3, 9]], np.float32)[..., None], 3, axis=2)
    solid = np.array([[1, 1, 0]], np.uint8)
    wanted = np.array([10.0, 2.0, 10.0]), np.array([3.0, 1.0, 3.0])
    found = match_moments(values, solid, wanted, 1.0)
    assert found[0, :, 0] == pytest.approx([7, 13, 31])
    assert found[0, :, 1] == pytest.approx([1, 3, 9])
    # half the way: mean 6, deviation 2
    assert match_moments(values, solid, wanted, 0.5)[0, :, 0] == pytest.approx([4, 8, 20])
    # at most four times the deviation, however little an object varies
    strong = match_moments(values, solid, (wanted[0], np.full(3, 50.0)), 1.0)[0, :2, 0]
    assert strong == pytest.approx([10 - MOST_STRETCH, 10 + MOST_STRETCH])
    plain = match_moments(np.full((1, 3, 3), 5, np.float32), solid, wanted, 1.0)
    assert plain[..., 0] == pytest.approx(10)


@pytest.mark.parametrize("kind", [np.uint8, np.float32])
def test_the_solid_pixels_get_the_moments_of_the_scene(kind: type) -> None:
    scene, patch, mask = textured((64, 50), 90, 150), textured((40, 30), 60, 200, 1), disc()
    found = styled(MomentMatching(), patch.astype(kind), mask, scene)
    assert (found.shape, found.dtype) == ((40, 30, 3), np.float32)
    # OpenCV reads CIELAB from a table: some hundredths of it
    for mine, wanted in zip(lab(found, mask > 0.5), lab(scene), strict=True):
        assert mine == pytest.approx(wanted, abs=0.1)
    assert np.abs(lab(patch, mask > 0.5)[1] - lab(scene)[1]).max() > 3


@pytest.mark.parametrize("style", [MomentMatching((0, 0)), FourierAdaptation(0.3, (0, 0)),
                                   FourierAdaptation(0.0)])  # fmt: skip
def test_no_strength_or_no_frequencies_change_nothing(style) -> None:
    patch = textured((40, 30), 0, 256, 1).astype(np.float32)
    found = styled(style, patch, disc(), textured((64, 64), 90, 150))
    assert (found == patch).all()
    assert found is not patch


def slow_adaptation(picture, style, beta: float, strength: float) -> np.ndarray:
    """The definition: whole spectra, one frequency after the other."""
    rows, columns = picture.shape[1:]
    own = np.fft.fft2(np.tensordot(OPPONENT.astype(float), picture, 1))
    other = np.fft.fft2(np.tensordot(OPPONENT.astype(float), style, 1))
    for channel in range(3):
        for row in range(rows):
            for column in range(columns):
                cycles = max(abs(np.fft.fftfreq(rows)[row]), abs(np.fft.fftfreq(columns)[column]))
                if 2 * cycles < beta:
                    value, target = own[channel, row, column], other[channel, row, column]
                    if row == column == 0:  # the mean colour
                        own[channel, 0, 0] = (1 - strength) * value + strength * target
                        continue
                    amplitude = (1 - strength) * abs(value) + strength * abs(target)
                    own[channel, row, column] = amplitude * np.exp(1j * np.angle(value))
    return np.tensordot(np.linalg.inv(OPPONENT), np.fft.ifft2(own).real, 1)


@settings(max_examples=25, deadline=None)
@given(
    rows=st.integers(2, 13), columns=st.integers(2, 13), seed=st.integers(0, 99),
    beta=st.sampled_from([0.0, 0.07, 0.31, 0.77, 1.0]), strength=st.sampled_from([0.4, 1.0]),
)  # fmt: skip
def test_amplitudes_change_as_the_slow_definition_says(rows, columns, seed, beta, strength) -> None:
    rng = np.random.default_rng(seed)
    picture, style = rng.uniform(0, 255, (2, 3, rows, columns)).astype(np.float32)
    found = picture + amplitude_change(picture, style, beta, strength)
    assert found == pytest.approx(slow_adaptation(picture, style, beta, strength), abs=0.02)


def test_the_mean_colour_becomes_the_scenes_whatever_its_tint() -> None:
    orange, blue = np.array([60.0, 100, 180]), np.array([180.0, 100, 59])
    picture, style = (np.float32(c)[:, None, None] + np.zeros((3, 9, 12)) for c in (orange, blue))
    found = picture + amplitude_change(np.float32(picture), np.float32(style), 0.5, 1.0)
    assert found.mean(axis=(1, 2)) == pytest.approx(blue, abs=0.1)


def test_phases_stay_and_only_low_amplitudes_become_the_scenes() -> None:
    picture, style = np.random.default_rng(0).uniform(0, 255, (2, 3, 20, 16)).astype(np.float32)
    changed = picture + amplitude_change(picture, style, 0.4, 1.0)
    before, after, other = (
        np.fft.fft2(np.tensordot(OPPONENT, one, 1)) for one in (picture, changed, style)
    )
    cycles = np.meshgrid(np.fft.fftfreq(20), np.fft.fftfreq(16), indexing="ij")
    low = np.max(np.abs(cycles), axis=0) < 0.2
    assert 0 < low.sum() < low.size / 4
    assert np.abs(after)[:, low] == pytest.approx(np.abs(other)[:, low], rel=1e-3, abs=0.1)
    assert after[:, ~low] == pytest.approx(before[:, ~low], rel=1e-3, abs=0.5)
    turned = np.angle(after * before.conj())
    turned[:, 0, 0] = 0  # the mean colour may change its sign
    turned = turned[np.abs(other) > 10]
    assert np.abs(turned).max() < 0.02


def test_an_object_that_is_its_scene_stays_as_it_is() -> None:
    patch = textured((40, 30), 0, 256)
    full = np.ones((40, 30), np.float32)
    found = styled(FourierAdaptation(0.5), patch, full, patch)
    assert found == pytest.approx(patch.astype(np.float32), abs=0.02)
    found = styled(MomentMatching(), patch, full, patch)
    assert np.abs(found - patch).mean() < 1


@pytest.mark.parametrize("style", [MomentMatching(), FourierAdaptation(0.2)])
def test_what_was_around_the_object_does_not_matter(style) -> None:
    """Neither as its colours nor as ringing along the mask: the object's own frame is cut off."""
    mask, scene = np.zeros((40, 30), np.float32), textured((64, 64), 40, 90)
    mask[8:30, 6:22] = 1
    first = textured((40, 30), 100, 140, 1)
    second = np.where(mask[..., None] > 0, first, 255).astype(np.uint8)
    found = [styled(style, patch, mask, scene)[mask > 0] for patch in (first, second)]
    assert found[0] == pytest.approx(found[1], abs=1e-3)


def test_a_plain_object_in_a_plain_scene_gets_its_colour_without_ringing() -> None:
    patch, scene = np.full((40, 30, 3), (10, 200, 90), np.uint8), np.full((64, 64, 3), 60, np.uint8)
    patch[disc() == 0] = 255
    for style in (MomentMatching(), FourierAdaptation(0.3)):
        found = styled(style, patch, disc(), scene)[disc() == 1]
        assert np.ptp(found, axis=0).max() < 0.5, style
    assert styled(MomentMatching(), patch, disc(), scene)[20, 15] == pytest.approx(60, abs=1)


def test_the_grey_around_a_frame_is_not_its_style() -> None:
    scene = textured((60, 50), 140, 250)
    padded = np.full((64, 64, 3), PADDING_VALUE, np.uint8)
    padded[2:62, 14:] = scene
    assert (scene_view(padded) == scene).all()
    assert (scene_view(scene) == scene).all()
    large = textured((150, 200), 140, 250)
    assert (scene_view(large) == large[::4, ::4]).all()
    assert scene_view(np.full((9, 9, 3), PADDING_VALUE, np.uint8)).shape == (9, 9, 3)


def pasted(style, label: int = 254) -> tuple[np.ndarray, np.ndarray, float]:
    """A picture, its labels, and the next random number after pasting."""
    image, labels = textured((120, 160), 70, 110), np.zeros((120, 160), np.uint8)
    cutout = Cutout("disc", textured((40, 30), 0, 256, 4), disc() > 0.5)
    rng = np.random.default_rng(9)
    rules = PasteRules((0,), style=style)
    assert paste_object(image, labels, cutout, rules, rng, horizon=10.0, label=label)
    return image, labels, rng.random()


@pytest.mark.parametrize("style", [MomentMatching((0.2, 0.8)), FourierAdaptation(0.2, (0.2, 0.8))])
def test_a_style_changes_the_colours_of_unknown_objects_alone(style) -> None:
    plain, other = pasted(None), pasted(style)
    assert (plain[1] == other[1]).all()
    assert plain[2] == other[2]
    changed = (plain[0] != other[0]).any(axis=2)
    assert changed[plain[1] == 254].mean() > 0.5
    assert not changed[plain[1] == 0].any()
    assert (pasted(style)[0] == other[0]).all()
    assert (pasted(None, label=3)[0] == pasted(style, label=3)[0]).all()


@pytest.mark.parametrize(
    "wrong",
    [{"kind": "issa"}, {"strength": [0.9, 0.1]}, {"strength": [0, 1.1]}, {"beta": -0.1},
     {"kind": "plugin"}, {"plugin": "a:b"}, {"kind": "plugin", "plugin": "a.b"}],
)  # fmt: skip
def test_wrong_settings_are_refused(wrong) -> None:
    with pytest.raises(ValidationError):
        StyleConfiguration.model_validate(wrong)


def test_kinds_open_as_they_are_named() -> None:
    assert open_style(StyleConfiguration()) is None
    moments = open_style(StyleConfiguration(kind="moments", strength=(0.1, 0.2)))
    assert moments == MomentMatching((0.1, 0.2))
    fourier = open_style(StyleConfiguration(kind="fourier", strength=(0.1, 0.2), beta=0.3))
    assert fourier == FourierAdaptation(0.3, (0.1, 0.2))
