"""What training samples are made of: street frames, unknown objects, how they come together."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ood_perception.generated_drive import LIGHT_KINDS
from ood_training.datasets.registry import DATASET_KINDS
from ood_training.settings import Section


def _rising(values: tuple[float, float]) -> tuple[float, float]:
    if not 0 < values[0] <= values[1]:
        raise ValueError(f"{list(values)}: give least and greatest, both above 0")
    return values


def _rising_shares(values: tuple[float, float]) -> tuple[float, float]:
    if not 0 <= values[0] <= values[1] <= 1:
        raise ValueError(f"{list(values)}: give least and greatest, both from 0 to 1")
    return values


def _known_kind(kind: str) -> str:
    if kind not in DATASET_KINDS:
        raise ValueError(f"no kind of data set {kind!r}: known are {', '.join(DATASET_KINDS)}")
    return kind


def _known_light(kind: str) -> str:
    if kind not in LIGHT_KINDS:
        raise ValueError(f"no light {kind!r}: known are {', '.join(LIGHT_KINDS)}")
    return kind


class RenderConfiguration(Section):
    """Scenes that a source of kind ``generated`` writes itself where its folder is missing.

    view_deg: least and greatest angle of view of the lenses; null is the default camera's.
    light: of all scenes; null draws one for each.
    """

    count: int = Field(ge=1)
    seed: int = Field(ge=0)
    view_deg: Annotated[tuple[float, float], AfterValidator(_rising)] | None = None
    light: Annotated[str, AfterValidator(_known_light)] | None = None


class SourceConfiguration(Section):
    """One data set of street frames.

    kind: one of ``datasets.registry.DATASET_KINDS``.
    root: below ``data_root``.
    split: null is ``train`` for data sets that have one, and the whole of the others.
    label_map: name of a label map or path of a YAML file; null takes the data set's own. All
        sources of a run need the same classes.
    share: part of the street crops that comes from here, relative to the other sources.
    scale: least and largest resize factor of its frames before the crop is taken.
    render: for ``generated``: scenes to draw on first use; null expects them there.
    """

    kind: Annotated[str, AfterValidator(_known_kind)]
    root: str
    split: str | None = None
    label_map: str | None = None
    share: float = Field(default=1.0, gt=0)
    scale: Annotated[tuple[float, float], AfterValidator(_rising)] = (0.75, 1.75)
    render: RenderConfiguration | None = None


class ObjectsConfiguration(Section):
    """Where unknown objects come from.

    coco, object_crops: folders below ``data_root``, or null. ``coco`` is the official tree.
    coco_year: the folder of its images, and the name of its annotation file.
    fold: only this fold of each is used, the others being held out for meta classification; null
        uses all. Folds of COCO are made of whole images.
    """

    coco: str | None = None
    coco_year: str = "train2017"
    object_crops: str | None = None
    fold: int | None = 0
    folds: int = Field(default=2, ge=2)


class ValidationConfiguration(Section):
    """Frames on which mIoU is measured, and the anomaly score where they show unknown objects.

    every: take every n-th frame.
    size: (height, width) that a frame is fitted into, as at inference.
    each_epochs: measure after every n-th epoch, and always after a stage's last one.
    paste_objects: where unknown objects come from that are pasted into the frames, the same at
        every measurement, by heights, ring and ground classes of ``paste``, always on the ground
        and without a style; null leaves the frames as they are. Name a fold that the training does
        not use.
    """

    source: SourceConfiguration
    every: int = Field(default=3, ge=1)
    size: tuple[int, int] = (576, 1024)
    each_epochs: int = Field(default=1, ge=1)
    paste_objects: ObjectsConfiguration | None = None


class StyleConfiguration(Section):
    """How the style of pasted unknown objects is aligned with their scene (``styles``).

    kind: none leaves the objects' colours; moments matches mean and deviation in CIELAB; fourier
        takes the scene's mean colour and low-frequency amplitudes; plugin is a style transfer of
        your own.
    strength: least and greatest part of the way to the scene's style, drawn for each object (kinds
        moments and fourier).
    beta: part of each axis of the spectrum whose amplitudes are the scene's (kind fourier); of an
        object of less than 2 / beta pixels that is its mean colour alone.
    plugin: ``package.module:factory`` of a function that returns a ``StyleTransfer``.
    """

    kind: Literal["none", "moments", "fourier", "plugin"] = "none"
    strength: Annotated[tuple[float, float], AfterValidator(_rising_shares)] = (0.2, 0.8)
    beta: float = Field(default=0.06, ge=0, le=1)
    plugin: str | None = Field(default=None, pattern=r"^\w+(\.\w+)*:\w+$")

    @model_validator(mode="after")
    def _names_a_plugin_where_it_is_used(self) -> StyleConfiguration:
        if (self.kind == "plugin") != (self.plugin is not None):
            raise ValueError("kind plugin and plugin: package.module:factory go together")
        return self


class PasteConfiguration(Section):
    """Objects pasted into street crops (stages with ``unknown_objects``).

    probability: part of the street crops that get objects.
    most: largest number of objects in one crop.
    known_probability: part of the crops that also get cut-outs of known classes, so that being
        pasted is no sign of being unknown.
    known_classes: their names.
    marks_probability: part of the crops that get harmless shadows and painted marks.
    crops_share: part of the pasted objects that comes from ``objects.object_crops``; null takes
        every object of both sources with equal probability.
    style: how unknown objects are made to look like their scene.
    """

    probability: float = Field(default=0.5, ge=0, le=1)
    most: int = Field(default=4, ge=1)
    height_px: Annotated[tuple[int, int], AfterValidator(_rising)] = (10, 130)
    anywhere: float = Field(default=0.12, ge=0, le=1)
    ring_px: int = Field(default=1, ge=0)
    ground_classes: tuple[str, ...] = ("road",)
    known_probability: float = Field(default=0.0, ge=0, le=1)
    known_classes: tuple[str, ...] = ()
    marks_probability: float = Field(default=0.0, ge=0, le=1)
    crops_share: float | None = Field(default=None, ge=0, le=1)
    style: StyleConfiguration = StyleConfiguration()


class ProxyConfiguration(Section):
    """Whole proxy images (spec section 2), from ``objects.coco`` and of ``objects.fold``.

    mode: image_share draws every sample anew, with replacement; epoch_draw goes through every
        street frame once an epoch, together with proxies drawn anew for each epoch without
        replacement (spec section 2.3; the sources' shares are not used).
    image_share: part of a batch's images (mode image_share).
    epoch_fraction: proxies of an epoch as a fraction of the street frames (mode epoch_draw).
    min_share, max_share: only images whose share of unknown pixels is above 0 and within both,
        ends included: (0, 0.2) is L-20% of the thesis, (0.8, 1) is M-80%.
    min_side: only images whose shorter side has at least so many pixels.
    supercategories: only images with an object of one of them; all when empty.
    exclude_train: leave out images with COCO's trains, a class of street data sets; with an index,
        what `ood proxies` left out counts instead.
    background: what their other pixels are: ignored, or a class name (the published code: road).
    index: an index below ``data_root`` that `ood proxies` wrote, with its folder of masks beside
        it; the annotations are read when it is null.
    """

    mode: Literal["image_share", "epoch_draw"] = "image_share"
    image_share: float = Field(default=0.0, ge=0, lt=1)
    epoch_fraction: float = Field(default=0.0, ge=0)
    min_share: float = Field(default=0.0, ge=0, le=1)
    max_share: float = Field(default=1.0, ge=0, le=1)
    min_side: int = Field(default=0, ge=0)
    supercategories: tuple[str, ...] = ()
    exclude_train: bool = True
    background: str = "ignore"
    index: str | None = None

    @property
    def wanted(self) -> bool:
        """Whether whole proxy images take part at all."""
        return (self.image_share if self.mode == "image_share" else self.epoch_fraction) > 0


class LoadingConfiguration(Section):
    """How samples are read.

    cache_mebibytes: decoded frames, proxies and objects are kept in memory up to this size, over
        all workers of a process; the least recently used are read from disk again.
    workers: processes that prepare batches ahead; 0 prepares them in the training process.
    """

    cache_mebibytes: int = Field(default=1024, ge=0)
    workers: int = Field(default=0, ge=0)
