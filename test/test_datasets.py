"""Data sets: pairing, order, label maps, folds, and one clear line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from ood_perception.errors import OodError
from ood_training.datasets.camvid import camvid
from ood_training.datasets.cityscapes import cityscapes
from ood_training.datasets.coco import coco_cutouts, coco_proxies
from ood_training.datasets.cutouts import take_fold
from ood_training.datasets.generated import generated
from ood_training.datasets.label_map import load_label_map, make_label_map
from ood_training.datasets.object_crops import object_crops
from ood_training.datasets.smiyc import smiyc

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason="../shared/data is missing")


def _write(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)
    return path


def _camvid_frame(root: Path, name: str, labels: np.ndarray) -> None:
    _write(root / "train" / f"{name}.jpg", np.full((*labels.shape, 3), 90, np.uint8))
    _write(root / "trainannot" / f"{name}.png", labels)


def test_frames_come_sorted_and_mapped(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        _camvid_frame(tmp_path, name, np.array([[0, 11], [10, 3]], np.uint8))
    dataset = camvid(tmp_path, "train")
    assert [frame.frame_id for frame in dataset.frames] == ["a", "b", "c"]
    image, labels = dataset.load(0)
    assert image.shape == (2, 2, 3)
    assert labels.tolist() == [[0, 255], [10, 3]]


def test_a_label_outside_the_map_names_file_and_value(tmp_path: Path) -> None:
    _camvid_frame(tmp_path, "a", np.array([[0, 77]], np.uint8))
    with pytest.raises(OodError, match=r"a\.png: label value 77 is not in the label map 'camvid'"):
        camvid(tmp_path, "train").load(0)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OodError, match="no image found"):
        camvid(tmp_path, "train")
    _camvid_frame(tmp_path, "a", np.zeros((2, 2), np.uint8))
    (tmp_path / "train" / "a.jpg").write_bytes(b"not a picture")
    with pytest.raises(OodError, match=r"a\.jpg: cannot be decoded"):
        camvid(tmp_path, "train").load(0)
    (tmp_path / "trainannot" / "a.png").unlink()
    with pytest.raises(OodError, match=r"a\.png are missing"):
        camvid(tmp_path, "train")


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    _camvid_frame(tmp_path, "a", np.zeros((2, 2), np.uint8))
    _write(tmp_path / "trainannot" / "a.png", np.zeros((3, 2), np.uint8))
    with pytest.raises(OodError, match="labels of 2x3 do not fit the image of 2x2"):
        camvid(tmp_path, "train").load(0)


def test_every_cityscapes_id_has_a_place_among_the_camvid_classes() -> None:
    label_map = load_label_map("cityscapes_to_camvid")
    assert label_map.classes == load_label_map("camvid").classes
    assert (label_map.table[:34] >= 0).all()
    assert (label_map.table[34:] == -1).all()
    names = {stored: label_map.classes[label_map.table[stored]] for stored in (7, 8, 19, 21, 25)}
    assert names == {7: "road", 8: "pavement", 19: "sign", 21: "tree", 25: "bicyclist"}
    assert set(label_map.table[:7].tolist()) == {255}


def test_cityscapes_tree(tmp_path: Path) -> None:
    name = "bochum_000001_000002"
    _write(
        tmp_path / "leftImg8bit" / "val" / "bochum" / f"{name}_leftImg8bit.png",
        np.zeros((1, 3, 3), np.uint8),
    )
    _write(
        tmp_path / "gtFine" / "val" / "bochum" / f"{name}_gtFine_labelIds.png",
        np.array([[7, 4, 33]], np.uint8),
    )
    dataset = cityscapes(tmp_path, "val")
    assert dataset.frames[0].frame_id == name
    assert dataset.load(0)[1].tolist() == [[3, 255, 10]]


def test_anomaly_sets_use_254(tmp_path: Path) -> None:
    _write(tmp_path / "images" / "x.jpg", np.zeros((1, 3, 3), np.uint8))
    _write(tmp_path / "labels_masks" / "x_labels_semantic.png", np.array([[0, 1, 255]], np.uint8))
    assert smiyc(tmp_path).load(0)[1].tolist() == [[0, 254, 255]]


def test_generated_classes_are_ordered_by_id(tmp_path: Path) -> None:
    _write(tmp_path / "images" / "x.png", np.zeros((1, 3, 3), np.uint8))
    _write(tmp_path / "labels" / "x.png", np.array([[1, 254, 255]], np.uint8))
    entries = [{"id": 1, "name": "sky"}, {"id": 0, "name": "road"}]
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump({"classes": entries}))
    dataset = generated(tmp_path)
    assert dataset.label_map.classes == ("road", "sky")
    assert dataset.load(0)[1].tolist() == [[1, 254, 255]]
    (tmp_path / "classes.yaml").write_text("classes: [{id: 5, name: sky}, {id: 0, name: road}]")
    with pytest.raises(OodError, match="id from 0 on"):
        generated(tmp_path)


def test_a_label_map_with_a_target_beyond_its_classes_is_refused() -> None:
    with pytest.raises(OodError, match="3 goes to 2, but there are 2 classes"):
        make_label_map("x", ["a", "b"], {3: 2})
    with pytest.raises(OodError, match="no label map 'nothing': known are camvid"):
        load_label_map("nothing")


def test_folds_share_nothing_and_cover_all() -> None:
    items = list("abcde")
    assert take_fold(items, 0) == ["a", "c", "e"]
    assert take_fold(items, 1) == ["b", "d"]
    assert take_fold(items, None) == items
    with pytest.raises(OodError, match="fold 2 does not exist"):
        take_fold(items, 2)
    with pytest.raises(OodError, match="empty"):
        take_fold(["a"], 1)


def _write_coco(root: Path) -> None:
    """Image 1 a cup, 2 a cup and a train, 3 nothing, 4 a crowd of cups and a cup at the border."""
    square = [[8.0, 8.0, 40.0, 8.0, 40.0, 40.0, 8.0, 40.0]]
    corner = [[0.0, 0.0, 30.0, 0.0, 30.0, 30.0, 0.0, 30.0]]
    crowd = {"counts": [64 * 32, 64 * 32], "size": [64, 64]}
    rows = [(1, 47, square, 0), (2, 47, square, 0), (2, 7, square, 0), (4, 47, crowd, 1)]
    rows.append((4, 47, corner, 0))
    content = {
        "images": [
            {"id": i, "file_name": f"{i:012d}.jpg", "height": 64, "width": 64} for i in (4, 3, 2, 1)
        ],
        "categories": [{"id": 47, "name": "cup"}, {"id": 7, "name": "train"}],
        "annotations": [
            {"id": n, "image_id": i, "category_id": c, "segmentation": s, "iscrowd": crowd_flag}
            for n, (i, c, s, crowd_flag) in enumerate(rows, start=1)
        ],
    }
    for i in range(1, 5):
        _write(root / "train2017" / f"{i:012d}.jpg", np.full((64, 64, 3), 50, np.uint8))
    (root / "annotations").mkdir()
    path = root / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(content))


def test_coco_drops_street_classes_trains_and_empty_images(tmp_path: Path) -> None:
    _write_coco(tmp_path)
    proxies = coco_proxies(tmp_path)
    assert [proxy.image_id for proxy in proxies] == [1, 4]
    assert [one.image_id for one in coco_proxies(tmp_path, excluded=())] == [1, 2, 4]
    assert [one.image_id for one in coco_proxies(tmp_path, fold=1)] == [4]
    # crowd regions count in the mask, but are no object to cut out
    assert proxies[1].share >= 0.5
    assert len(proxies[1].objects) == 1


def test_coco_cutouts_leave_out_objects_at_the_border(tmp_path: Path) -> None:
    _write_coco(tmp_path)
    cutouts = coco_cutouts(coco_proxies(tmp_path))
    assert [cutout.cutout_id for cutout in cutouts] == ["coco/000000000001/1"]
    assert cutouts[0].mask.all()
    assert cutouts[0].image.shape[:2] == cutouts[0].mask.shape


def test_coco_without_annotations_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OodError, match="no such annotation file"):
        coco_proxies(tmp_path)
    _write_coco(tmp_path)
    (tmp_path / "annotations" / "instances_train2017.json").write_text("{")
    with pytest.raises(OodError, match="not COCO instance annotations"):
        coco_proxies(tmp_path)


def test_object_crops_are_cropped_to_their_mask(tmp_path: Path) -> None:
    mask = np.zeros((20, 30), np.uint8)
    mask[5:15, 10:20] = 255
    _write(tmp_path / "cup_crop.png", np.full((20, 30, 3), 7, np.uint8))
    _write(tmp_path / "cup_maskcrop.png", mask)
    (cutout,) = object_crops(tmp_path)
    assert cutout.mask.shape == (10, 10)
    _write(tmp_path / "cup_maskcrop.png", mask[:10])
    with pytest.raises(OodError, match="another size"):
        object_crops(tmp_path)


@pytest.mark.data
@needs_data
def test_the_real_sets_read_whole() -> None:
    sets = [camvid(DATA / "camvid", "train"), cityscapes(DATA / "cityscapes", "train")]
    assert [len(one) for one in sets] == [367, 10]
    for one in sets:
        image, labels = one.load(len(one) - 1)
        assert image.shape[:2] == labels.shape
        assert 3 in labels
    excluding_train = coco_proxies(DATA / "coco")
    assert 150 < len(excluding_train) <= 199
    assert all(0 < proxy.share <= 1 for proxy in excluding_train)
    assert {254, 0} <= set(np.unique(smiyc(DATA / "road_anomaly").load(0)[1]).tolist())
