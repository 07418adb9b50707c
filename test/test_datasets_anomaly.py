"""One truth for every anomaly set: 0 known, 1 unknown, 255 ignored."""

from __future__ import annotations

from pathlib import Path

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
from ood_training.datasets.anomaly import AnomalyDataset, anomaly_truth
from ood_training.datasets.registry import open_anomaly_dataset, open_dataset


def test_truth_of_labels() -> None:
    labels = np.array([[0, 18, 254, 255]], np.uint8)
    truth = anomaly_truth(labels)
    assert truth.tolist() == [[0, 0, 1, 255]]
    assert truth.dtype == np.uint8
    assert labels.tolist() == [[0, 18, 254, 255]]


def test_lost_and_found_follows_the_published_evaluation(tmp_path: Path) -> None:
    lost_and_found_frame(tmp_path, "04_Weg_000003_000070", [[0, 1, 2, 255]])
    dataset = open_anomaly_dataset("lost_and_found", tmp_path, "test")
    assert dataset.name == "lost_and_found-test"
    assert dataset.load_truth(0).tolist() == [[255, 0, 1, 255]]
    image, truth = dataset.load(0)
    assert image.shape == (1, 4, 3)
    assert image.dtype == truth.dtype == np.uint8
    assert truth.tolist() == [[255, 0, 1, 255]]
    assert dataset.sequence(0) == "04_Weg_000003"


def test_truth_needs_no_image(tmp_path: Path) -> None:
    """Score maps of another method are measured without the pictures being decoded."""
    smiyc_frame(tmp_path, "b", [[1]])
    smiyc_frame(tmp_path, "a", [[0, 255]])
    dataset = open_anomaly_dataset("smiyc", tmp_path)
    assert dataset.frame_ids == ("a", "b")
    assert len(dataset) == 2
    (tmp_path / "images" / "a.jpg").write_bytes(b"")
    assert dataset.load_truth(0).tolist() == [[0, 255]]
    assert dataset.sequence(0) is None
    with pytest.raises(OodError, match="cannot be decoded"):
        dataset.load(0)


def test_generated_scenes_have_unknown_objects(tmp_path: Path) -> None:
    write_frame(tmp_path / "images/x.png", tmp_path / "labels/x.png", [[0, 1, 254, 255]])
    (tmp_path / "classes.yaml").write_text("[road, sky]")
    dataset = open_anomaly_dataset("generated", tmp_path)
    assert dataset.load_truth(0).tolist() == [[0, 0, 1, 255]]


def test_a_plain_folder_is_read_as_0_1_255_unless_told_otherwise(tmp_path: Path) -> None:
    write_frame(tmp_path / "images/x.png", tmp_path / "masks/x.png", [[0, 1, 255]])
    assert open_anomaly_dataset("folder", tmp_path).load_truth(0).tolist() == [[0, 1, 255]]
    (tmp_path / "label_map.yaml").write_text(
        "{name: own, classes: [road], map: {0: unknown, 1: road, 255: ignore}}"
    )
    assert open_anomaly_dataset("folder", tmp_path).load_truth(0).tolist() == [[1, 0, 255]]


def test_a_set_without_unknown_objects_is_refused(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0, 3]])
    with pytest.raises(OodError, match="camvid-train: the label map 'camvid' has no unknown"):
        open_anomaly_dataset("camvid", tmp_path)
    own = tmp_path / "own.yaml"
    own.write_text("{name: own, classes: [sky], map: {0: sky, 3: unknown}}")
    held_out = open_anomaly_dataset("camvid", tmp_path, label_map=own)
    assert held_out.load_truth(0).tolist() == [[0, 1]]


@pytest.mark.data
@needs_data
@pytest.mark.parametrize(
    ("folder", "frames", "size"),
    [("road_anomaly", 28, (720, 1280)), ("lost_and_found", 18, (1024, 2048))],
)
def test_the_real_anomaly_sets(folder: str, frames: int, size: tuple[int, int]) -> None:
    dataset = open_anomaly_dataset("smiyc", DATA / folder)
    assert isinstance(dataset, AnomalyDataset)
    assert len(dataset) == frames
    image, truth = dataset.load(0)
    assert image.shape == (*size, 3)
    assert {0, 1} <= set(np.unique(truth).tolist()) <= {0, 1, 255}
    has_sequences = folder == "lost_and_found"
    assert all((dataset.sequence(i) is not None) == has_sequences for i in range(frames))


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
