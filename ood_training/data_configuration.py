"""What training samples are made of: street frames, unknown objects, how they come together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from ood_training.settings import Section


class SourceConfiguration(Section):
    """One data set of street frames.

    root: below ``data_root``.
    share: part of the street crops that comes from here, relative to the other sources.
    scale: least and largest resize factor of its frames before the crop is taken.
    """

    kind: Literal["camvid", "cityscapes", "generated"]
    root: str
    split: str = "train"
    share: float = Field(default=1.0, gt=0)
    scale: tuple[float, float] = (0.75, 1.75)


class ValidationConfiguration(Section):
    """Frames on which mIoU is measured.

    every: take every n-th frame.
    size: (height, width) that a frame is fitted into, as at inference.
    each_epochs: measure after every n-th epoch, and always after a stage's last one.
    """

    source: SourceConfiguration
    every: int = Field(default=3, ge=1)
    size: tuple[int, int] = (576, 1024)
    each_epochs: int = Field(default=1, ge=1)


class ObjectsConfiguration(Section):
    """Where unknown objects come from.

    coco, object_crops: folders below ``data_root``, or null.
    fold: only this fold of each is used; the others are held out for meta classification.
    """

    coco: str | None = None
    object_crops: str | None = None
    fold: int = 0
    folds: int = Field(default=2, ge=2)


class PasteConfiguration(Section):
    """Objects pasted into street crops (stages with ``unknown_objects``).

    probability: part of the street crops that get objects.
    most: largest number of objects in one crop.
    known_probability: part of the crops that also get cut-outs of known classes, so that being
        pasted is no sign of being unknown.
    known_classes: their names.
    marks_probability: part of the crops that get harmless shadows and painted marks.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    most: int = Field(default=4, ge=1)
    height_px: tuple[int, int] = (10, 130)
    anywhere: float = Field(default=0.12, ge=0, le=1)
    ring_px: int = Field(default=1, ge=0)
    ground_classes: tuple[str, ...] = ("road",)
    known_probability: float = Field(default=0.0, ge=0, le=1)
    known_classes: tuple[str, ...] = ()
    marks_probability: float = Field(default=0.0, ge=0, le=1)


class ProxyConfiguration(Section):
    """Whole proxy images (spec section 2).

    image_share: part of a batch's images.
    min_share, max_share: only images with a share of unknown pixels in (min, max].
    background: what their other pixels are: ignored, or a class name (the published code: road).
    """

    image_share: float = Field(default=0.0, ge=0, lt=1)
    min_share: float = 0.0
    max_share: float = 1.0
    background: str = "ignore"
