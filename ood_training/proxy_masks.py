"""Masks of unknown objects for COCO images, one PNG an image, with an index of what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.datasets.coco import ProxyImage, excluded_categories, iterate_proxies
from ood_training.datasets.coco_annotations import CocoAnnotations
from ood_training.losses import OOD_LABEL
from ood_training.proxy_index import IndexRow, mask_path, write_index
from ood_training.proxy_statistics import plot_supercategories, supercategory_shares
from ood_training.whole_files import written_whole

_MASK_NAME = re.compile(r"\d{12}\.png")


@dataclass(frozen=True)
class ProxyFiles:
    """What a build leaves in its folder: masks, index (CSV) and plot (PNG)."""

    masks: Path
    index: Path
    plot: Path

    @classmethod
    def of(cls, out: Path, year: str) -> ProxyFiles:
        name = f"ood_seg_{year}"
        return cls(out / name, out / f"{name}.csv", out / f"{name}_supercategories.png")


def build_proxies(
    coco_root: Path,
    out: Path,
    year: str = "train2017",
    *,
    exclude_train: bool = True,
    min_side: int = 0,
    on_progress: Callable[[int, int | None], None] = lambda done, total: None,
) -> dict[str, Any]:
    """Write the mask of every proxy image, the index and the plot of supercategories.

    Masks are (H, W) 8-bit PNG: 254 on every annotated object, crowds included, 0 elsewhere. One
    image is held at a time beside the annotations, and every file is written whole, so that a run
    that was interrupted is simply started again. The pictures themselves are not needed.

    Args:
        coco_root: the official tree with ``annotations/instances_YEAR.json``.
        out: gets the folder ``ood_seg_YEAR``, ``ood_seg_YEAR.csv`` and the plot beside it.
        exclude_train: drop images with COCO's trains too (the published code keeps them).
        min_side: drop images whose shorter side has fewer pixels (the paper: 480; thesis: 0).

    Returns counts and paths for a report. Raises OodError when the annotations cannot be used, no
    image is left, or the folder holds masks of images that this selection leaves out.
    Reference: sections 2.1 and 2.2 of the method's specification.
    """
    annotations = CocoAnnotations(coco_root, year)
    candidates = annotations.candidates(excluded_categories(exclude_train))
    numbered = [
        (number, image_id)
        for number, image_id in candidates.numbered
        if min(annotations.image(image_id)[1]) >= min_side
    ]
    files = ProxyFiles.of(out, year)
    _refuse_other_masks(files.masks, {image_id for _, image_id in numbered})
    rows = []
    for proxy in iterate_proxies(annotations, coco_root / year, numbered):
        _write_mask(mask_path(files.masks, proxy.image_id), proxy.mask)
        rows.append(_index_row(proxy))
        on_progress(len(rows), len(numbered))
    if not rows:
        raise OodError(
            f"{annotations.path}: no image is left: {candidates.with_excluded} show an excluded "
            f"category, {candidates.without_annotation} have no annotation, "
            f"{len(candidates.numbered) - len(numbered)} are smaller than {min_side} pixels"
        )
    write_index(files.index, rows)
    plot_supercategories(files.plot, rows)
    return {
        "images": len(rows),
        "with_excluded_category": candidates.with_excluded,
        "without_annotation": candidates.without_annotation,
        "too_small": len(candidates.numbered) - len(numbered),
        "without_pixels": len(numbered) - len(rows),
        "subsets": supercategory_shares(rows),
        "masks": str(files.masks),
        "index": str(files.index),
        "plot": str(files.plot),
    }


def _refuse_other_masks(folder: Path, image_ids: set[int]) -> None:
    """A folder with masks of left-out images would mix two selections for whoever lists it."""
    if not folder.is_dir():
        return
    names = [path.name for path in folder.iterdir() if _MASK_NAME.fullmatch(path.name)]
    others = sorted(name for name in names if int(name[:12]) not in image_ids)
    if others:
        raise OodError(
            f"{folder}: holds {len(others)} masks of images that these settings leave out, such as "
            f"{others[0]}; remove the folder or choose another --out"
        )


def _index_row(proxy: ProxyImage) -> IndexRow:
    return IndexRow(
        image_id=proxy.image_id,
        number=proxy.number,
        file_name=proxy.path.name,
        height=proxy.height,
        width=proxy.width,
        share=proxy.share,
        areas={name: area for name, area in proxy.areas.items() if area > 0},
        license_id=proxy.license_id,
    )


def _write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    encoded, data = cv2.imencode(".png", np.where(mask, OOD_LABEL, 0).astype(np.uint8))
    if not encoded:
        raise OodError(f"{path}: the mask cannot be encoded as PNG")
    with written_whole(path) as temporary:
        temporary.write_bytes(data.tobytes())
