"""One truth for every anomaly set: class ids, 254 unknown, 255 ignored."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_trees import (
    DATA,
    camvid_frame,
    lost_and_found_frame,
    needs_data,
    smiyc_frame,
    write_frame,
)

from ood_perception.errors import OodError
from ood_training.datasets.registry import open_dataset
from ood_training.evaluation_run import EvaluationRequest, run_evaluation


def test_lost_and_found_follows_the_published_evaluation(tmp_path: Path) -> None:
    lost_and_found_frame(tmp_path, "04_Weg_000003_000070", [[0, 1, 2, 255]])
    dataset = open_dataset("lost_and_found", tmp_path, "test")
    assert dataset.name == "lost_and_found-test"
    assert dataset.label_map.has_unknown
    assert dataset.load_labels(0).tolist() == [[255, 0, 254, 255]]
    image, labels = dataset.load(0)
    assert image.shape == (1, 4, 3)
    assert image.dtype == labels.dtype == np.uint8
    assert labels.tolist() == [[255, 0, 254, 255]]
    assert dataset[0].sequence == "04_Weg_000003"


def test_truth_needs_no_image(tmp_path: Path) -> None:
    """Score maps of another method are measured without the pictures being decoded."""
    smiyc_frame(tmp_path, "b", [[1]])
    smiyc_frame(tmp_path, "a", [[0, 255]])
    dataset = open_dataset("smiyc", tmp_path)
    assert dataset.frame_ids == ("a", "b")
    assert len(dataset) == 2
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    assert dataset.load_labels(0).tolist() == [[0, 255]]
    assert dataset.load_labels(1).tolist() == [[254]]
    assert dataset[0].sequence is None
    with pytest.raises(OodError, match="cannot be decoded"):
        dataset.load(0)


def test_generated_scenes_have_unknown_objects(tmp_path: Path) -> None:
    write_frame(tmp_path / "images/x.png", tmp_path / "labels/x.png", [[0, 1, 254, 255]])
    (tmp_path / "classes.yaml").write_text("[road, sky]")
    dataset = open_dataset("generated", tmp_path)
    assert dataset.label_map.has_unknown
    assert dataset.load_labels(0).tolist() == [[0, 1, 254, 255]]


def measured(root: Path, kind: str, label_map: Path | None = None) -> dict[str, Any]:
    """Figures of the score maps in ``root/scores``."""
    name = None if label_map is None else str(label_map)
    return run_evaluation(EvaluationRequest(root, kind, label_map=name, scores=root / "scores"))


def write_scores(root: Path, frame_id: str, scores: list[list[float]]) -> None:
    (root / "scores").mkdir()
    np.save(root / "scores" / f"{frame_id}.npy", np.array(scores))


def test_a_plain_folder_is_read_as_0_1_255_unless_told_otherwise(tmp_path: Path) -> None:
    write_frame(tmp_path / "images/x.png", tmp_path / "masks/x.png", [[0, 0, 1, 255]])
    write_scores(tmp_path, "x", [[0.1, 0.2, 0.9, 0.5]])
    figures = measured(tmp_path, "folder")
    assert (figures["unknown_pixels"], figures["known_pixels"]) == (1, 2)
    assert figures["AUROC"] == 1
    own = tmp_path / "label_map.yaml"
    own.write_text("{name: own, classes: [road], map: {0: unknown, 1: road, 255: ignore}}")
    assert open_dataset("folder", tmp_path).load_labels(0).tolist() == [[254, 254, 0, 255]]
    figures = measured(tmp_path, "folder")
    assert (figures["unknown_pixels"], figures["known_pixels"]) == (2, 1)
    assert figures["AUROC"] == 0


def test_a_set_without_unknown_objects_is_refused(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0, 3]])
    write_scores(tmp_path, "a", [[0.1, 0.9]])
    assert not open_dataset("camvid", tmp_path).label_map.has_unknown
    with pytest.raises(OodError, match=r"camvid-train: .*its labels have no unknown objects"):
        measured(tmp_path, "camvid")
    own = tmp_path / "own.yaml"
    own.write_text("{name: own, classes: [sky], map: {0: sky, 3: unknown}}")
    held_out = open_dataset("camvid", tmp_path, label_map=own)
    assert held_out.label_map.has_unknown
    assert held_out.load_labels(0).tolist() == [[0, 254]]
    assert measured(tmp_path, "camvid", own)["AUROC"] == 1


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(
    ("folder", "frames", "size"),
    [("road_anomaly", 28, (720, 1280)), ("lost_and_found", 18, (1024, 2048))],
)
def test_the_real_anomaly_sets(folder: str, frames: int, size: tuple[int, int]) -> None:
    dataset = open_dataset("smiyc", DATA / folder)
    assert dataset.label_map.has_unknown
    assert len(dataset) == frames
    image, labels = dataset.load(0)
    assert image.shape == (*size, 3)
    assert {0, 254} <= set(np.unique(labels).tolist()) <= {0, 254, 255}
    has_sequences = folder == "lost_and_found"
    assert all((frame.sequence is not None) == has_sequences for frame in dataset)


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(
    ("kind", "split", "frames", "road"),
    [("camvid", "train", 367, 3), ("camvid", "val", 101, 3), ("cityscapes", "train", 10, 0)],
)
def test_the_real_street_sets(kind: str, split: str, frames: int, road: int) -> None:
    dataset = open_dataset(kind, DATA / kind, split)
    assert len(dataset) == frames
    image, labels = dataset.load(frames - 1)
    assert image.shape[:2] == labels.shape
    assert road in labels
    assert all((frame.sequence is not None) == (kind == "cityscapes") for frame in dataset)
