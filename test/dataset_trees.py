"""Small data sets under their official names, for tests."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is missing")


def write_picture(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def write_frame(image: Path, labels: Path, values: list[list[int]], gray: int = 90) -> None:
    """A grey image and a label picture of the same size."""
    stored = np.array(values, np.uint8)
    write_picture(image, np.full((*stored.shape, 3), gray, np.uint8))
    write_picture(labels, stored)


def camvid_frame(root: Path, name: str, values: list[list[int]], split: str = "train") -> None:
    write_frame(root / split / f"{name}.jpg", root / f"{split}annot" / f"{name}.png", values)


def city_frame(
    root: Path,
    frame_id: str,
    values: list[list[int]],
    *,
    split: str,
    annotation: str = "gtFine",
    stored: str = "labelIds",
    gray: int = 90,
) -> None:
    """One frame of a tree as Cityscapes and LostAndFound have it."""
    place = frame_id[: -len("_000000_000000")]
    write_frame(
        root / "leftImg8bit" / split / place / f"{frame_id}_leftImg8bit.png",
        root / annotation / split / place / f"{frame_id}_{annotation}_{stored}.png",
        values,
        gray,
    )


def lost_and_found_frame(
    root: Path,
    frame_id: str,
    values: list[list[int]],
    *,
    split: str = "test",
    stored: str = "labelTrainIds",
) -> None:
    city_frame(root, frame_id, values, split=split, annotation="gtCoarse", stored=stored)


def smiyc_frame(root: Path, name: str, values: list[list[int]], suffix: str = ".jpg") -> None:
    write_frame(
        root / "images" / f"{name}{suffix}",
        root / "labels_masks" / f"{name}_labels_semantic.png",
        values,
    )
