"""Augmentation and pasted objects: labels stay true to the picture, and seeds decide everything."""

from __future__ import annotations

import numpy as np
import pytest

from ood_training.augmentation import (
    published_crop,
    random_blur,
    random_crop,
    random_flip,
    random_light,
)
from ood_training.datasets.cutouts import Cutout
from ood_training.harmless_marks import add_harmless_marks
from ood_training.proxies import PasteRules, paste_object, proxy_crop

ROAD, SKY = 3, 0


def _street() -> tuple[np.ndarray, np.ndarray]:
    """Bright sky over a dark road whose horizon is row 40 of 160."""
    labels = np.full((160, 200), ROAD, np.uint8)
    labels[:40] = SKY
    image = np.full((160, 200, 3), 80, np.uint8)
    image[:40] = 200
    return image, labels


def _cutout() -> Cutout:
    return Cutout("box", np.full((60, 40, 3), (0, 0, 250), np.uint8), np.ones((60, 40), bool))


def test_a_crop_keeps_image_and_labels_together() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 11, (90, 120)).astype(np.uint8)
    image = np.repeat(labels[..., None], 3, axis=2)
    crop = random_crop(image, labels, 48, (1.0, 1.0), rng)
    assert (crop.image[..., 0] == crop.labels).all()
    flipped, flipped_labels = random_flip(crop.image, crop.labels, np.random.default_rng(1))
    assert (flipped[..., 0] == flipped_labels).all()


def test_a_window_larger_than_the_frame_is_ignored_outside_it() -> None:
    labels = np.full((30, 200), ROAD, np.uint8)
    image = np.zeros((30, 200, 3), np.uint8)
    crop = random_crop(image, labels, 64, (1.0, 1.0), np.random.default_rng(0))
    assert (crop.labels == ROAD).sum() == 30 * 64
    assert (crop.labels == 255).sum() == 34 * 64
    assert (crop.image[crop.labels == 255] == 127).all()


def test_the_horizon_moves_with_the_crop() -> None:
    image, labels = _street()
    for seed in range(20):
        rng = np.random.default_rng(seed)
        crop = random_crop(image, labels, 96, (0.6, 1.6), rng, horizon=40.0)
        rows = np.flatnonzero((crop.labels == ROAD).any(axis=1))
        if (crop.labels == SKY).any():
            assert rows[0] == pytest.approx(crop.horizon, abs=1.5)


def test_light_and_blur_change_the_picture_within_bytes() -> None:
    image, _ = _street()
    bright = random_light(image, np.random.default_rng(3))
    assert bright.dtype == np.uint8
    assert bright.shape == image.shape
    assert (bright != image).any()
    assert random_blur(image, np.random.default_rng(0), probability=0.0) is image


def test_a_pasted_object_is_labelled_where_it_is_seen() -> None:
    image, labels = _street()
    before, labels_before = image.copy(), labels.copy()
    rules = PasteRules((ROAD,), anywhere=0.0, ring_px=2)
    assert paste_object(image, labels, _cutout(), rules, np.random.default_rng(5), horizon=40)
    unknown = labels == 254
    assert 30 <= unknown.sum() <= 130 * 130
    reddish = image[..., 2].astype(int) - image[..., 0]
    assert (reddish[unknown] > 40).all()
    # beyond object and ring nothing is red, and no label has changed
    outside = ~np.isin(labels, (254, 255))
    assert (reddish[outside] < 20).all()
    assert (labels[outside] == labels_before[outside]).all()
    assert (image != before).any()


def test_objects_stand_on_the_ground_and_grow_towards_the_camera() -> None:
    rules = PasteRules((ROAD,), anywhere=0.0, height_px=(6, 200), height_to_drop=(0.5, 0.5))
    pasted = 0
    for seed in range(25):
        image, labels = _street()
        rng = np.random.default_rng(seed)
        if not paste_object(image, labels, _cutout(), rules, rng, horizon=40):
            continue
        rows = np.flatnonzero((labels == 254).any(axis=1))
        if rows[-1] < labels.shape[0] - 1:
            assert len(rows) == pytest.approx(0.5 * (rows[-1] - 40), abs=5)
            pasted += 1
    assert pasted > 8


def test_without_ground_there_is_no_place() -> None:
    image, labels = _street()
    rules = PasteRules((7,), anywhere=0.0)
    assert not paste_object(image, labels, _cutout(), rules, np.random.default_rng(0), horizon=40)
    assert not (labels == 254).any()


def test_harmless_marks_touch_only_the_ground_and_no_label() -> None:
    image, labels = _street()
    before, labels_before = image.copy(), labels.copy()
    add_harmless_marks(image, labels, (ROAD,), np.random.default_rng(2))
    assert (labels == labels_before).all()
    assert (image[labels == SKY] == before[labels == SKY]).all()
    assert (image[labels == ROAD] != before[labels == ROAD]).any()


@pytest.mark.parametrize("background", [255, ROAD])
def test_a_whole_proxy_has_unknown_objects_and_its_background(background: int) -> None:
    mask = np.zeros((120, 90), bool)
    mask[30:90, 20:70] = True
    image = np.where(mask[..., None], 250, 10).astype(np.uint8).repeat(3, axis=2)
    crop = proxy_crop(image, mask, 64, np.random.default_rng(1), background=background)
    assert set(np.unique(crop.labels).tolist()) == {254, background}
    # bilinear resizing mixes colours along the mask's edge only
    assert crop.image[crop.labels == 254].mean() > 200


def _numbered(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels that count the columns, and an image of the same numbers."""
    labels = np.tile(np.arange(width, dtype=np.uint8), (height, 1))
    return np.repeat(labels[..., None], 3, axis=2), labels


def test_the_published_crop_leaves_an_image_of_its_size_alone() -> None:
    image, labels = _numbered(48, 48)
    crop = published_crop(image, labels, 48, np.random.default_rng(0), horizon=7.0)
    assert (crop.image == image).all()
    assert (crop.labels == labels).all()
    assert crop.horizon == 7.0


@pytest.mark.parametrize("size", [(30, 120), (120, 30), (30, 48), (20, 20)])
def test_the_published_crop_resizes_whole_images_that_are_too_small(size: tuple[int, int]) -> None:
    image, labels = _numbered(*size)
    crop = published_crop(image, labels, 48, np.random.default_rng(0), horizon=size[0] / 2)
    assert crop.image.shape == (48, 48, 3)
    # from the first to the last column, whatever the aspect ratio
    assert crop.labels[:, 0].max() <= size[1] / 48
    assert crop.labels[:, -1].min() >= size[1] - 1 - size[1] / 48
    assert set(np.unique(crop.labels)) <= set(range(size[1]))
    assert np.abs(crop.image[..., 0].astype(int) - crop.labels).max() <= size[1] / 48 + 1
    assert crop.horizon == pytest.approx(24)


def test_the_published_crop_of_a_larger_image_is_any_window_at_its_own_scale() -> None:
    image, labels = _numbered(50, 51)
    lefts, horizons = set(), set()
    for seed in range(60):
        crop = published_crop(image, labels, 48, np.random.default_rng(seed), horizon=10.0)
        left = int(crop.labels[0, 0])
        assert (crop.labels == labels[:48, left : left + 48]).all()
        assert (crop.image[..., 0] == crop.labels).all()
        lefts.add(left)
        horizons.add(crop.horizon)
    assert lefts == {0, 1, 2, 3}
    assert horizons == {10.0, 9.0, 8.0}


def test_a_ring_around_a_pasted_object_is_ignored() -> None:
    for ring in (0, 3):
        image, labels = _street()
        rules = PasteRules((ROAD,), anywhere=0.0, ring_px=ring)
        assert paste_object(image, labels, _cutout(), rules, np.random.default_rng(5), horizon=40)
        rows, columns = (np.flatnonzero((labels == 254).any(axis=axis)) for axis in (1, 0))
        around = labels[rows[0] - 3 : rows[0], columns[0] + 2 : columns[-1] - 2]
        assert (around == (255 if ring else labels[rows[0] - 4, columns[0]])).all()
