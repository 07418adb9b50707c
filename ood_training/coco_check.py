"""Walks a COCO tree: do its images exist, fit their entries, and do all annotations decode?"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ood_perception.errors import OodError
from ood_training.data_check import in_threads, shown, ticker
from ood_training.data_report import DataReport, Problem
from ood_training.datasets.pictures import read_color

_START, _END = "instances_", ".json"


def check_coco(
    root: Path,
    split: str | None = None,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[DataReport]:
    """One report for each ``annotations/instances_SPLIT.json``, or for the named split.

    Images lie in ``SPLIT/``. Raises OodError when there is no such file or it is no COCO file.
    """
    folder = root / "annotations"
    paths = sorted(folder.glob(f"{_START}{split or '*'}{_END}"))
    if not paths:
        wanted = folder / f"{_START}{split or 'SPLIT'}{_END}"
        raise OodError(f"{wanted}: no such annotation file")
    contents = [(path, _read_annotations(path)) for path in paths]
    tick = ticker(sum(len(content["images"]) for _, content in contents), on_progress)
    return [
        _check(content, root / path.name[len(_START) : -len(_END)], path, root, tick)
        for path, content in contents
    ]


def _read_annotations(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OodError(f"{path}: cannot be read as JSON: {error}") from error
    needed = {"images": ("id", "file_name", "height", "width"), "categories": ("id", "name")}
    needed["annotations"] = ("id", "image_id", "category_id", "segmentation")
    for part, keys in needed.items():
        entries = content.get(part) if isinstance(content, dict) else None
        if not isinstance(entries, list):
            raise OodError(f"{path}: not COCO instance annotations: no list {part!r}")
        for number, entry in enumerate(entries):
            missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise OodError(f"{path}: entry {number} of {part!r} has no {missing[0]!r}")
    return dict(content)


def _check(
    content: dict[str, Any],
    folder: Path,
    path: Path,
    root: Path,
    tick: Callable[[], None],
) -> DataReport:
    sizes: Counter[str] = Counter()
    problems: list[Problem] = []
    entries = sorted(content["images"], key=lambda entry: str(entry["file_name"]))
    for size, problem in in_threads(lambda entry: _look_at_image(entry, folder, root), entries):
        sizes.update([size] if size else [])
        problems += [problem] if problem else []
        tick()
    images = {entry["id"]: entry for entry in entries}
    names = {entry["id"]: str(entry["name"]) for entry in content["categories"]}
    categories: Counter[str] = Counter()
    for annotation in content["annotations"]:
        fault = annotation_fault(annotation, images, names)
        if fault:
            file = f"{shown(path, root)} annotation {annotation['id']}"
            problems.append(Problem("annotations that cannot be used", file, fault))
        else:
            categories[names[annotation["category_id"]]] += 1
    annotated = {annotation["image_id"] for annotation in content["annotations"]}
    return DataReport(
        folder.name,
        {
            "images": len(entries),
            "images without annotation": len(images.keys() - annotated),
            "annotations": len(content["annotations"]),
            "crowd regions": sum(bool(one.get("iscrowd")) for one in content["annotations"]),
            "categories": len(names),
        },
        dict(sizes.most_common()),
        categories=dict(categories.most_common()),
        problems=tuple(problems),
    )


def _look_at_image(
    entry: dict[str, Any], folder: Path, root: Path
) -> tuple[str | None, Problem | None]:
    path = folder / str(entry["file_name"])
    if not path.is_file():
        return None, Problem("images that are missing", shown(path, root))
    try:
        height, width = read_color(path).shape[:2]
    except OodError as error:
        detail = str(error).removeprefix(f"{path}: ")
        return None, Problem("files that cannot be used", shown(path, root), detail)
    size = f"{width}x{height}"
    if (height, width) == (entry["height"], entry["width"]):
        return size, None
    detail = f"image of {size}, annotated as {entry['width']}x{entry['height']}"
    return size, Problem("images of another size than annotated", shown(path, root), detail)


def annotation_fault(
    annotation: dict[str, Any], images: dict[Any, dict[str, Any]], categories: dict[Any, str]
) -> str:
    """What is wrong with an annotation, in words; empty when nothing is."""
    image = images.get(annotation["image_id"])
    if image is None:
        return f"image {annotation['image_id']} is not in the list of images"
    if annotation["category_id"] not in categories:
        return f"category {annotation['category_id']} is not in the list of categories"
    segmentation = annotation["segmentation"]
    size = [image["height"], image["width"]]
    if isinstance(segmentation, list):
        return _polygon_fault(segmentation)
    if isinstance(segmentation, dict):
        return _run_length_fault(segmentation, size)
    return "its segmentation is neither polygons nor run lengths"


def _polygon_fault(polygons: list[Any]) -> str:
    if not polygons:
        return "its segmentation has no polygon"
    for polygon in polygons:
        numbers = isinstance(polygon, list) and all(type(x) in (int, float) for x in polygon)
        if not numbers or len(polygon) < 6 or len(polygon) % 2:
            return "a polygon is not a list of at least three points x, y"
    return ""


def _run_length_fault(runs: dict[str, Any], size: list[int]) -> str:
    from pycocotools import mask as coco_mask

    counts = runs.get("counts")
    if runs.get("size") != size:
        return f"its run lengths are for {runs.get('size')}, the image is {size} (height, width)"
    if isinstance(counts, list):
        whole = all(type(one) is int and one >= 0 for one in counts)
        if not whole or sum(counts) != size[0] * size[1]:
            return "its run lengths do not cover the image"
        return ""
    if not isinstance(counts, str):
        return "its run lengths are neither a list nor a string"
    try:
        coco_mask.decode({"size": size, "counts": counts.encode("ascii")})
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        return f"its run lengths cannot be decoded: {error}"
    return ""
