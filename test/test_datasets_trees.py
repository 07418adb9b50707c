"""Official trees of Cityscapes, LostAndFound, Fishyscapes and SegmentMeIfYouCan."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dataset_trees import city_frame, lost_and_found_frame, smiyc_frame, write_frame, write_picture

from ood_perception.errors import OodError
from ood_training.datasets.registry import dataset_splits, open_dataset

ROAD_ID, TREE_ID = 7, 21


def test_cityscapes_of_label_ids(tmp_path: Path) -> None:
    city_frame(tmp_path, "ulm_000001_000019", [[ROAD_ID, 4, 33]], split="val")
    city_frame(tmp_path, "bochum_000001_000002", [[TREE_ID]], split="val")
    city_frame(tmp_path, "aachen_000000_000001", [[ROAD_ID]], split="train")
    dataset = open_dataset("cityscapes", tmp_path)
    assert dataset_splits("cityscapes", tmp_path) == ("train", "val")
    assert dataset.name == "cityscapes-val"
    assert dataset.frame_ids == ("bochum_000001_000002", "ulm_000001_000019")
    assert dataset[1].sequence == "ulm_000001"
    assert dataset.load(1)[1].tolist() == [[0, 255, 18]]
    mapped = open_dataset("cityscapes", tmp_path, "val", "cityscapes_to_camvid")
    assert mapped.load(1)[1].tolist() == [[3, 255, 10]]


def test_cityscapes_of_training_ids(tmp_path: Path) -> None:
    city_frame(tmp_path, "ulm_000001_000019", [[ROAD_ID]], split="val")
    city_frame(tmp_path, "ulm_000001_000019", [[0, 18, 255]], split="val", stored="labelTrainIds")
    for name in (None, "cityscapes"):
        dataset = open_dataset("cityscapes", tmp_path, "val", name)
        assert dataset.load(0)[1].tolist() == [[0, 18, 255]]


def test_the_classes_of_a_network_choose_the_label_map(tmp_path: Path) -> None:
    city_frame(tmp_path, "ulm_000001_000019", [[TREE_ID]], split="train")
    for name in ("cityscapes", "cityscapes_to_camvid"):
        classes = open_dataset("cityscapes", tmp_path, None, name).label_map.classes
        chosen = open_dataset("cityscapes", tmp_path, classes=classes)
        assert chosen.label_map.classes == classes
    with pytest.raises(OodError, match=r"has 19 classes .* the network 11"):
        open_dataset("cityscapes", tmp_path, None, "cityscapes", classes=classes)


def test_a_map_says_which_label_picture_it_reads(tmp_path: Path) -> None:
    city_frame(tmp_path, "ulm_000001_000019", [[5]], split="val", stored="labelTrainIds")
    own = tmp_path / "own.yaml"
    own.write_text("{name: own, stored: labelTrainIds, classes: [pole, other], map: {5: pole}}")
    assert open_dataset("cityscapes", tmp_path, "val", own).load(0)[1].tolist() == [[0]]
    own.write_text("{name: own, classes: [pole, other], map: {5: pole}}")
    with pytest.raises(OodError, match=r"ulm_000001_000019_gtFine_labelIds\.png are missing"):
        open_dataset("cityscapes", tmp_path, "val", own)
    own.write_text("{name: own, stored: color, classes: [pole], map: {5: pole}}")
    with pytest.raises(OodError, match="'stored' is 'color'"):
        open_dataset("cityscapes", tmp_path, "val", own)


def test_lost_and_found_tells_free_road_from_obstacles(tmp_path: Path) -> None:
    frame_id = "04_Maurener_Weg_8_000003_000070"
    lost_and_found_frame(tmp_path, frame_id, [[0, 1, 2, 255]])
    lost_and_found_frame(tmp_path, "01_Hanns_Klemm_Str_45_000000_000010", [[1]], split="train")
    dataset = open_dataset("lost_and_found", tmp_path)
    assert dataset.name == "lost_and_found-test"
    assert dataset.frame_ids == (frame_id,)
    assert dataset[0].sequence == "04_Maurener_Weg_8_000003"
    assert dataset.load(0)[1].tolist() == [[255, 0, 254, 255]]


def test_lost_and_found_of_label_ids(tmp_path: Path) -> None:
    """31 is a lying pole: ignored, but an obstacle for SegmentMeIfYouCan."""
    values = [[0, 1, 2, 31, 43]]
    lost_and_found_frame(tmp_path, "02_Str_000000_000010", values, stored="labelIds")
    dataset = open_dataset("lost_and_found", tmp_path, "test")
    assert dataset.load(0)[1].tolist() == [[255, 0, 254, 255, 254]]
    benchmark = open_dataset("lost_and_found", tmp_path, "test", "lost_and_found_smiyc")
    assert benchmark.load(0)[1].tolist() == [[255, 0, 254, 254, 254]]


@pytest.mark.parametrize(("stored", "background"), [("labelIds", 0), ("labelTrainIds", 255)])
def test_no_known_leaves_out_children_bicycles_and_empty_frames(
    tmp_path: Path, stored: str, background: int
) -> None:
    kept = [
        "01_Hanns_Klemm_Str_45_000008_000010",
        "10_Schlossberg_9_000003_000010",
        "15_Rechbergstr_Other_000000_000010",
    ]
    left_out = [
        "01_Hanns_Klemm_Str_45_000006_000010",
        "01_Hanns_Klemm_Str_45_000007_000010",
        "10_Schlossberg_9_000004_000010",
        "15_Rechbergstr_Deckenpfronn_000000_000010",
    ]
    for frame_id in kept + left_out:
        lost_and_found_frame(tmp_path, frame_id, [[background, 1, 2]], stored=stored)
    empty = "12_Umberto_Nobile_Str_000000_000010"
    lost_and_found_frame(tmp_path, empty, [[background] * 3], stored=stored)
    assert open_dataset("lost_and_found", tmp_path, "testNoKnown").frame_ids == tuple(kept)
    assert len(open_dataset("lost_and_found", tmp_path, "test")) == 8


FISHY_LAF = "0003_04_Maurener_Weg_8_000003_000070"
FISHY_STATIC = "0001_frankfurt_000001_046504"


def _fishyscapes_lost_and_found(root: Path, images: Path) -> None:
    labels = root / "fishyscapes_lostandfound"
    write_picture(labels / f"{FISHY_LAF}_labels.png", np.array([[0, 1, 255]], np.uint8))
    lost_and_found_frame(images, FISHY_LAF[5:], [[1, 2, 0]])
    lost_and_found_frame(images, "04_Maurener_Weg_8_000003_000080", [[1, 2, 0]])


@pytest.mark.parametrize("place", [".", "lost_and_found", "../lost_and_found"])
def test_fishyscapes_takes_images_of_lost_and_found(tmp_path: Path, place: str) -> None:
    root = tmp_path / "fishyscapes"
    _fishyscapes_lost_and_found(root, root / place)
    assert dataset_splits("fishyscapes", root) == ("LostAndFound",)
    dataset = open_dataset("fishyscapes", root)
    assert dataset.name == "fishyscapes-LostAndFound"
    assert dataset.frame_ids == (FISHY_LAF,)
    assert dataset[0].sequence == "04_Maurener_Weg_8_000003"
    image, labels = dataset.load(0)
    assert image.shape == (1, 3, 3)
    assert labels.tolist() == [[0, 254, 255]]


def test_fishyscapes_names_an_image_that_is_missing(tmp_path: Path) -> None:
    _fishyscapes_lost_and_found(tmp_path, tmp_path)
    for path in (tmp_path / "leftImg8bit").rglob("*_000070_*"):
        path.unlink()
    with pytest.raises(OodError, match=rf"{FISHY_LAF}_labels\.png: its image is missing; looked"):
        open_dataset("fishyscapes", tmp_path)


def test_fishyscapes_static_adds_its_overlay_to_cityscapes(tmp_path: Path) -> None:
    folder = tmp_path / "fs_val_v2"
    write_picture(folder / f"{FISHY_STATIC}_labels.png", np.array([[0, 1, 255]], np.uint8))
    overlay = np.zeros((1, 3, 3), np.int16)
    overlay[0, 1] = (10, -20, 200)
    np.savez(folder / f"{FISHY_STATIC}_rgb.npz", rgb=overlay)
    city_frame(tmp_path / "cityscapes", FISHY_STATIC[5:], [[7, 7, 7]], split="val", gray=90)
    dataset = open_dataset("fishyscapes", tmp_path, "Static")
    assert dataset.name == "fishyscapes-Static_v2"
    image, labels = dataset.load(0)
    assert image.tolist() == [[[90, 90, 90], [255, 70, 100], [90, 90, 90]]]
    assert labels.tolist() == [[0, 254, 255]]
    (folder / f"{FISHY_STATIC}_rgb.npz").write_bytes(b"nothing")
    with pytest.raises(OodError, match=r"_rgb\.npz: not an overlay"):
        dataset.load(0)


def test_fishyscapes_static_needs_its_version(tmp_path: Path) -> None:
    with pytest.raises(OodError, match="there is none"):
        open_dataset("fishyscapes", tmp_path, "Static")
    for version in (1, 3):
        (tmp_path / f"fs_val_v{version}").mkdir()
    with pytest.raises(OodError, match="there is Static_v1, Static_v3"):
        open_dataset("fishyscapes", tmp_path, "Static")


@pytest.mark.parametrize("image", [FISHY_LAF, f"{FISHY_LAF}_rgb", f"{FISHY_LAF[5:]}_leftImg8bit"])
@pytest.mark.parametrize("labels", [FISHY_LAF, f"{FISHY_LAF}_labels"])
def test_fishyscapes_as_a_prepared_folder(tmp_path: Path, image: str, labels: str) -> None:
    write_frame(tmp_path / f"images/{image}.png", tmp_path / f"labels/{labels}.png", [[0, 1, 255]])
    dataset = open_dataset("fishyscapes", tmp_path)
    assert dataset.frame_ids == (FISHY_LAF,)
    assert dataset.load(0)[1].tolist() == [[0, 254, 255]]


def test_smiyc_layout(tmp_path: Path) -> None:
    for name, suffix in (("b_000001_000002", ".webp"), ("a", ".jpg"), ("c", ".png")):
        smiyc_frame(tmp_path, name, [[0, 1, 255]], suffix)
    dataset = open_dataset("smiyc", tmp_path)
    assert dataset.name == tmp_path.name
    assert dataset.frame_ids == ("a", "b_000001_000002", "c")
    assert [frame.sequence for frame in dataset] == [None, "b_000001", None]
    assert dataset.load(0)[1].tolist() == [[0, 254, 255]]


def test_smiyc_download_is_its_validation_frames(tmp_path: Path) -> None:
    """The benchmark publishes the test images without their labels."""
    smiyc_frame(tmp_path, "validation0000", [[0, 1, 255]])
    assert dataset_splits("smiyc", tmp_path) == ()
    write_picture(tmp_path / "images" / "airplane0001.jpg", np.zeros((1, 3, 3), np.uint8))
    assert open_dataset("smiyc", tmp_path).frame_ids == ("validation0000",)
    (tmp_path / "labels_masks" / "validation0000_labels_semantic.png").unlink()
    with pytest.raises(OodError, match=r"validation0000_labels_semantic\.png are missing"):
        open_dataset("smiyc", tmp_path)
