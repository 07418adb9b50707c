"""Objects for training: folds, COCO's images and objects, household objects."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from dataset_trees import DATA, needs_data, write_picture

from ood_perception.errors import OodError
from ood_training.datasets.coco import coco_cutouts, coco_proxies
from ood_training.datasets.cutouts import take_fold
from ood_training.datasets.object_crops import object_crops


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
        write_picture(root / "train2017" / f"{i:012d}.jpg", np.full((64, 64, 3), 50, np.uint8))
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
    write_picture(tmp_path / "cup_crop.png", np.full((20, 30, 3), 7, np.uint8))
    write_picture(tmp_path / "cup_maskcrop.png", mask)
    (cutout,) = object_crops(tmp_path)
    assert cutout.mask.shape == (10, 10)
    write_picture(tmp_path / "cup_maskcrop.png", mask[:10])
    with pytest.raises(OodError, match="another size"):
        object_crops(tmp_path)


@pytest.mark.data
@needs_data
def test_the_real_images_without_street_classes_all_have_objects() -> None:
    excluding_train = coco_proxies(DATA / "coco")
    assert 150 < len(excluding_train) <= 199
    assert all(0 < proxy.share <= 1 for proxy in excluding_train)
