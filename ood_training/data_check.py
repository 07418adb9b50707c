"""Walks a data set's tree and says what is there and what is wrong with it, file by file."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.data_report import DataReport, Problem
from ood_training.datasets.frame_files import FrameFiles
from ood_training.datasets.frames import Frame, sequence_of
from ood_training.datasets.label_map import LabelMap
from ood_training.datasets.pictures import read_labels
from ood_training.datasets.registry import dataset_splits, find_files
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL

Progress = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True)
class _Look:
    """What one frame's files hold; pixels: (256,) counts by stored label value."""

    size: str | None
    pixels: NDArray[np.int64] | None
    problems: tuple[Problem, ...]


def check_frames(
    kind: str,
    root: Path,
    split: str | None = None,
    label_map: str | Path | None = None,
    on_progress: Progress = lambda done, total: None,
) -> list[DataReport]:
    """One report a split: the named one, or every split of the tree.

    Every image and label picture is decoded. Raises OodError when there is nothing to check.
    """
    splits: tuple[str | None, ...] = dataset_splits(kind, root) if split is None else (split,)
    found = [find_files(kind, root, one, label_map) for one in splits or (None,)]
    for files in found:
        if not files.images and not files.labels:
            raise OodError(f"{files.folder}: no image found for the data set {files.name!r}")
    tick = ticker(sum(len(files.frame_ids) for files in found), on_progress)
    return [_check(files, root, tick) for files in found]


def ticker(total: int, on_progress: Progress) -> Callable[[], None]:
    """A function that counts its calls and hands the count on with the total."""
    done = count(1)
    return lambda: on_progress(next(done), total)


def _check(files: FrameFiles, root: Path, tick: Callable[[], None]) -> DataReport:
    sizes: Counter[str] = Counter()
    pixels = np.zeros(256, np.int64)
    problems = [
        Problem("frame ids that occur twice", shown(path, root)) for path in files.named_twice
    ]
    for look in in_threads(lambda frame_id: _look(files, frame_id, root), files.frame_ids):
        if look.size:
            sizes[look.size] += 1
        if look.pixels is not None:
            pixels += look.pixels
        problems += look.problems
        tick()
    sequences = {sequence_of(one) for one in files.frame_ids} - {None}
    return DataReport(
        files.name,
        {
            "images": len(files.images),
            "label pictures": len(files.labels),
            "frames with both": len(files.images.keys() & files.labels.keys()),
            "sequences": len(sequences),
        },
        dict(sizes.most_common()),
        class_shares(pixels, files.label_map),
        problems=tuple(problems),
    )


def _look(files: FrameFiles, frame_id: str, root: Path) -> _Look:
    image, labels = files.images.get(frame_id), files.labels.get(frame_id)
    problems: list[Problem] = []
    shape: tuple[int, ...] | None = None
    stored: NDArray[np.uint8] | None = None
    if labels is None:
        problems.append(Problem("images without labels", shown(image, root)))
    else:
        stored = _read(lambda: read_labels(labels), labels, root, problems)
    if image is None:
        problems.append(Problem("labels without image", shown(labels, root)))
    else:
        frame = Frame(frame_id, image, labels or Path(), files.overlays.get(frame_id))
        picture = _read(frame.read_image, image, root, problems)
        shape = None if picture is None else picture.shape[:2]
    if stored is not None and shape is not None and stored.shape != shape:
        detail = f"labels of {_size(stored.shape)}, image of {_size(shape)}"
        kind = "labels of another size than their image"
        problems.append(Problem(kind, shown(labels, root), detail))
    pixels = None
    if stored is not None:
        pixels = np.bincount(stored.ravel(), minlength=256)
        problems += _unexpected(pixels, files.label_map, shown(labels, root))
    return _Look(None if shape is None else _size(shape), pixels, tuple(problems))


def _read(
    read: Callable[[], NDArray[np.uint8]], path: Path, root: Path, problems: list[Problem]
) -> NDArray[np.uint8] | None:
    try:
        return read()
    except OodError as error:
        detail = str(error).removeprefix(f"{path}: ")
        problems.append(Problem("files that cannot be used", shown(path, root), detail))
        return None


def _unexpected(pixels: NDArray[np.int64], label_map: LabelMap, file: str) -> list[Problem]:
    strange = np.flatnonzero((label_map.table < 0) & (pixels > 0))
    values = {int(value): int(pixels[value]) for value in strange}
    if not values:
        return []
    detail = ", ".join(f"{value} ({number} pixels)" for value, number in values.items())
    return [Problem(f"values outside the label map {label_map.name!r}", file, detail, values)]


def class_shares(pixels: NDArray[np.int64], label_map: LabelMap) -> dict[str, float]:
    """Share of the pixels by class name, ``unknown``, ``ignore`` and ``not in the map``.

    pixels: (256,) counts by stored value. Classes come in their order, also those without a pixel.
    """
    total = max(int(pixels.sum()), 1)
    names = dict(enumerate(label_map.classes))
    names |= {OOD_LABEL: "unknown", IGNORE_LABEL: "ignore", -1: "not in the map"}
    shares = {
        name: float(pixels[label_map.table == label].sum()) / total for label, name in names.items()
    }
    return {name: share for name, share in shares.items() if share > 0 or name in label_map.classes}


def in_threads(work: Callable[[Item], Result], items: list[Item]) -> Iterator[Result]:
    """Results in the items' order; decoding pictures runs on every core.

    Work that has not begun is dropped when the caller stops early.
    """
    pool = ThreadPoolExecutor(max_workers=os.cpu_count() or 1)
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def shown(path: Path | None, root: Path) -> str:
    """A path as a report names it: relative to the data set's folder where it lies below it."""
    assert path is not None
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[1]}x{shape[0]}"
