"""Proxies for the unknown: objects pasted into street crops, and whole images with masks."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_training.augmentation import Crop, random_crop
from ood_training.datasets.cutouts import Cutout
from ood_training.harmless_marks import darken_ellipse
from ood_training.losses import IGNORE_LABEL, OOD_LABEL
from ood_training.styles import Pasting, StyleTransfer

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class PasteRules:
    """How objects are pasted.

    ground_ids: classes that an object may stand on.
    height_px: least and largest height in pixels of the crop.
    height_to_drop: least and largest ratio of an object's height to the distance between its
        foot and the horizon; that distance is the camera's height at the object's range, so 0.5
        is half as high as the camera stands.
    anywhere: share of the objects that are placed without regard to ground and horizon.
    ring_px: pixels around an object that are ignored, where its soft edge mixes both.
    style: aligns unknown objects with the scene; None leaves their colours.
    """

    ground_ids: tuple[int, ...]
    height_px: tuple[int, int] = (10, 130)
    height_to_drop: tuple[float, float] = (0.1, 1.1)
    anywhere: float = 0.12
    ring_px: int = 1
    style: StyleTransfer | None = None


def paste_object(
    image: Image,
    labels: Image,
    cutout: Cutout,
    rules: PasteRules,
    rng: np.random.Generator,
    *,
    horizon: float,
    label: int = OOD_LABEL,
) -> bool:
    """Paste one object into a picture and its labels, in place.

    Args:
        image: (H, W, 3) uint8 BGR, changed.
        labels: (H, W) uint8, changed: ``label`` on the object, 255 on the ring around it.
        horizon: row of the horizon in this picture.
        label: what the object is, 254 for an unknown one.

    Returns whether there was a place for it. Raises OodError when a style transfer fails.
    """
    place = _choose_place(labels, rules, rng, horizon)
    if place is None:
        return False
    row, column, height = place
    patch, mask = _resized(cutout, height, rng)
    box = _visible(patch.shape[:2], row, column, labels.shape)
    if box is None:
        return False
    target, source = box
    patch, mask = patch[source], mask[source]
    if (mask > 0.5).sum() < 30:
        return False
    if rng.random() < 0.6:
        _cast_shadow(image, target, rng)
    region = image[target].astype(np.float32)
    # Cut-outs of known classes come from street frames and have their style already.
    if rules.style is not None and label == OOD_LABEL:
        # A generator of its own: with any style the same objects stand at the same places.
        patch = rules.style(Pasting(patch, mask, image, target), rng.spawn(1)[0])
    # After the style, which is the whole scene's, the light is that of the place in it.
    patch = _match_light(patch, mask, region, rng)
    alpha = mask[..., None]
    image[target] = np.clip(patch * alpha + region * (1.0 - alpha), 0, 255).astype(np.uint8)
    _write_labels(labels, target, mask, label, rules.ring_px)
    return True


def _choose_place(
    labels: Image, rules: PasteRules, rng: np.random.Generator, horizon: float
) -> tuple[int, int, int] | None:
    """Row and column of the foot's middle, and a height in pixels."""
    lowest, highest = rules.height_px
    if rng.random() < rules.anywhere:
        height = int(np.exp(rng.uniform(np.log(lowest), np.log(highest))))
        rows, columns = labels.shape
        return (
            int(rng.integers(min(height // 2, rows - 1), rows)),
            int(rng.integers(0, columns)),
            height,
        )
    candidates = np.flatnonzero(np.isin(labels, rules.ground_ids))
    if candidates.size == 0:
        return None
    for _ in range(5):
        row, column = divmod(int(rng.choice(candidates)), labels.shape[1])
        ratio = float(np.exp(rng.uniform(*np.log(rules.height_to_drop))))
        height = round(ratio * (row - horizon))
        if lowest <= height <= highest:
            return row, column, height
    return None


def _resized(
    cutout: Cutout, height: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The object at its new height, maybe mirrored, and its soft mask in [0, 1]."""
    rows, columns = cutout.mask.shape
    width = max(3, round(columns * height / rows * float(np.exp(rng.uniform(-0.25, 0.25)))))
    smaller = height < rows
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    # a colour that does not come from the object would shine through its soft edge
    patch = cv2.resize(cutout.image, (width, height), interpolation=interpolation)
    mask = cv2.resize(cutout.mask.astype(np.float32), (width, height), interpolation=interpolation)
    if rng.random() < 0.5:
        patch, mask = patch[:, ::-1], mask[:, ::-1]
    patch = np.pad(patch, ((2, 2), (2, 2), (0, 0)), mode="edge").astype(np.float32)
    mask = np.pad(np.ascontiguousarray(mask), 2)
    sigma = float(rng.uniform(0.3, 0.9))
    patch = cv2.GaussianBlur(patch, (0, 0), sigma)
    mask = cv2.GaussianBlur(mask, (0, 0), sigma)
    return np.asarray(patch, np.float32), np.clip(mask * 1.5 - 0.25, 0, 1).astype(np.float32)


def _visible(
    size: tuple[int, ...], row: int, column: int, picture: tuple[int, ...]
) -> tuple[tuple[slice, slice], tuple[slice, slice]] | None:
    """Where an object with its foot at (row, column) lies in the picture, and which part shows."""
    top, left = row - size[0] + 3, column - size[1] // 2
    bottom, right = min(top + size[0], picture[0]), min(left + size[1], picture[1])
    first_row, first_column = max(top, 0), max(left, 0)
    if bottom - first_row < 6 or right - first_column < 6:
        return None
    target = slice(first_row, bottom), slice(first_column, right)
    source = (
        slice(first_row - top, bottom - top),
        slice(first_column - left, right - left),
    )
    return target, source


def _match_light(
    patch: NDArray[np.float32],
    mask: NDArray[np.float32],
    region: NDArray[np.float32],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Move the object's mean brightness part of the way to its surroundings'."""
    inside = mask > 0.5
    own = float(patch[inside].mean())
    around = float(region[~inside].mean()) if (~inside).any() else float(region.mean())
    wanted = own + float(rng.uniform(0.2, 0.9)) * (around - own)
    contrast = float(rng.uniform(0.7, 1.1))
    return np.asarray((patch - own) * contrast + wanted, np.float32)


def _write_labels(
    labels: Image,
    target: tuple[slice, slice],
    mask: NDArray[np.float32],
    label: int,
    ring_px: int,
) -> None:
    rows, columns = target
    # the object's own box may be too small for the ring
    above, left = min(rows.start, ring_px), min(columns.start, ring_px)
    below = min(labels.shape[0] - rows.stop, ring_px)
    right = min(labels.shape[1] - columns.stop, ring_px)
    solid = np.pad((mask > 0.5).astype(np.uint8), ((above, below), (left, right)))
    region = labels[rows.start - above : rows.stop + below, columns.start - left :]
    region = region[:, : solid.shape[1]]
    if ring_px > 0:
        kernel = np.ones((2 * ring_px + 1, 2 * ring_px + 1), np.uint8)
        region[cv2.dilate(solid, kernel) > 0] = IGNORE_LABEL
    region[solid > 0] = label


def _cast_shadow(image: Image, target: tuple[slice, slice], rng: np.random.Generator) -> None:
    """Darken an ellipse at the foot of the place where an object will stand."""
    rows, columns = target
    width = columns.stop - columns.start
    darken_ellipse(
        image,
        (columns.start + width / 2 + float(rng.normal(0, width * 0.15)), rows.stop - 3.0),
        (width * float(rng.uniform(0.45, 0.8)), max(2.0, width * float(rng.uniform(0.06, 0.25)))),
        float(rng.uniform(0.4, 0.85)),
    )


def proxy_crop(
    image: Image,
    mask: NDArray[np.bool_],
    size: int,
    rng: np.random.Generator,
    *,
    background: int = IGNORE_LABEL,
) -> Crop:
    """A window out of a whole proxy image: 254 on its objects, ``background`` elsewhere.

    background: 255 (ignored) or, as the published code had it, the id of road.
    """
    labels = np.where(mask, OOD_LABEL, background).astype(np.uint8)
    shorter = min(mask.shape)
    return random_crop(image, labels, size, (size / shorter, 1.6 * size / shorter), rng)
