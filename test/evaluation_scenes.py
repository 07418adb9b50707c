"""Tiny labelled data sets with score maps, and the command on them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from color_bundle import CLASSES, GREEN, color_image

from ood_perception.cli import main

SHAPE = (24, 32)


def write_anomaly_set(root: Path, count: int = 3, dtype: type = np.float16) -> list[np.ndarray]:
    """SegmentMeIfYouCan's layout with ``scores/``: an object, and a border to ignore.

    Returns [scores, unknown] of all pixels that count, in the order of the frames.
    """
    generator = np.random.default_rng(4)
    for name in ("images", "labels_masks", "scores"):
        (root / name).mkdir(parents=True)
    all_scores, all_unknown = [], []
    for number in range(count):
        labels = np.zeros(SHAPE, np.uint8)
        labels[8:14, 4 * number : 4 * number + 9] = 1
        labels[-5:] = 255
        noise = generator.normal(0.3 + 0.2 * (labels == 1), 0.12)
        scores = np.clip(noise, 0, 1).astype(dtype)
        write_image(root / "images" / f"f{number}.png", np.zeros((*SHAPE, 3), np.uint8))
        write_image(root / "labels_masks" / f"f{number}_labels_semantic.png", labels)
        np.save(root / "scores" / f"f{number}.npy", scores)
        all_scores.append(scores[labels != 255])
        all_unknown.append(labels[labels != 255] == 1)
    return [np.concatenate(all_scores), np.concatenate(all_unknown)]


def write_color_scenes(root: Path, classes: tuple[str, ...] = CLASSES) -> None:
    """Road with a grey unknown block and a grey speck that is road; green trees on top."""
    for number in range(2):
        image = color_image()
        image[: 16 + 8 * number] = GREEN
        labels = np.zeros((64, 128), np.uint8)
        labels[:16] = 1
        labels[32:48, 64:96] = 254
        labels[56:] = 255
        write_image(root / "images" / f"{number}.png", image)
        write_image(root / "labels" / f"{number}.png", labels)
    (root / "classes.yaml").write_text(yaml.safe_dump({"classes": list(classes)}))


def write_image(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image)


def ood_evaluate(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Exit code of the command."""
    monkeypatch.setattr(sys, "argv", ["ood", "evaluate", *(str(one) for one in arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def evaluated(monkeypatch: pytest.MonkeyPatch, folder: Path, *arguments: object) -> dict[str, Any]:
    """What the command writes as JSON."""
    path = folder / "result.json"
    assert ood_evaluate(monkeypatch, *arguments, "--json", path) == 0
    result: dict[str, Any] = json.loads(path.read_text())
    return result
