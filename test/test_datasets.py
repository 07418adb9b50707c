"""Data sets: pairing, order, ids, and one clear line for what is wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from dataset_trees import camvid_frame, write_frame, write_picture

from ood_perception.errors import OodError
from ood_training.datasets.camvid import camvid
from ood_training.datasets.frames import sequence_of
from ood_training.datasets.generated import generated
from ood_training.datasets.registry import DATASET_KINDS, dataset_splits, open_dataset


def test_frames_come_sorted_and_mapped(tmp_path: Path) -> None:
    for name in ("b", "c", "a"):
        camvid_frame(tmp_path, name, [[0, 11], [10, 3]])
    dataset = open_dataset("camvid", tmp_path, "train")
    assert dataset.name == "camvid-train"
    assert dataset.frame_ids == ("a", "b", "c")
    image, labels = dataset.load(0)
    assert image.shape == (2, 2, 3)
    assert labels.tolist() == [[0, 255], [10, 3]]
    assert dataset.load_labels(0).tolist() == labels.tolist()
    assert dataset.every(2).frame_ids == ("a", "c")


def test_the_sequence_comes_from_the_file_name() -> None:
    assert sequence_of("04_Maurener_Weg_8_000003_000070") == "04_Maurener_Weg_8_000003"
    assert sequence_of("aachen_000001_000019") == "aachen_000001"
    assert sequence_of("0012_frankfurt_000001_046504") == "frankfurt_000001"
    assert sequence_of("0000_04_Maurener_Weg_8_000000_000030") == "04_Maurener_Weg_8_000000"
    assert sequence_of("0001TP_006690") is None
    assert sequence_of("animals03_Zebras_in_the_road") is None


def test_an_unknown_kind_names_the_kinds(tmp_path: Path) -> None:
    with pytest.raises(OodError) as error:
        open_dataset("kitti", tmp_path)
    assert all(kind in str(error.value) for kind in ("kitti", *DATASET_KINDS))
    with pytest.raises(OodError, match="nowhere: no such folder"):
        open_dataset("camvid", tmp_path / "nowhere")


def test_splits_are_found_and_the_one_for_evaluation_is_the_default(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0]], "train")
    assert open_dataset("camvid", tmp_path).name == "camvid-train"
    camvid_frame(tmp_path, "b", [[0]], "val")
    assert dataset_splits("camvid", tmp_path) == ("train", "val")
    assert open_dataset("camvid", tmp_path).frame_ids == ("b",)
    with pytest.raises(OodError, match="no split 'test' of camvid; there is train, val"):
        open_dataset("camvid", tmp_path, "test")
    camvid_frame(tmp_path, "c", [[0]], "test")
    (tmp_path / "valannot" / "b.png").unlink()
    (tmp_path / "valannot").rmdir()
    with pytest.raises(OodError, match="name a split of camvid: test, train"):
        open_dataset("camvid", tmp_path)


def test_a_tree_without_splits_says_so(tmp_path: Path) -> None:
    with pytest.raises(OodError, match="not the tree of cityscapes"):
        open_dataset("cityscapes", tmp_path)


def test_a_label_outside_the_map_names_file_and_value(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0, 77]])
    with pytest.raises(OodError, match=r"a\.png: label value 77 is not in the label map 'camvid'"):
        camvid(tmp_path, "train").load(0)


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(OodError, match="no image found"):
        camvid(tmp_path, "train")
    camvid_frame(tmp_path, "a", [[0, 0], [0, 0]])
    (tmp_path / "train" / "a.jpg").write_bytes(b"not a picture")
    with pytest.raises(OodError, match=r"a\.jpg: cannot be decoded"):
        camvid(tmp_path, "train").load(0)
    (tmp_path / "train" / "a.jpg").write_bytes(b"")
    with pytest.raises(OodError, match=r"a\.jpg: cannot be decoded"):
        camvid(tmp_path, "train").load(0)
    (tmp_path / "trainannot" / "a.png").unlink()
    with pytest.raises(OodError, match=r"a\.png are missing"):
        camvid(tmp_path, "train")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
def test_a_file_that_ends_too_early_is_refused(tmp_path: Path, suffix: str) -> None:
    """Decoders make grey of what is missing, and a network would learn it."""
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    image = write_picture(tmp_path / "images" / f"a{suffix}", noise)
    write_picture(tmp_path / "masks" / "a.png", np.zeros((64, 64), np.uint8))
    dataset = open_dataset("folder", tmp_path, label_map="smiyc")
    whole = image.read_bytes()
    image.write_bytes(whole + bytes(100_000))  # some cameras append a short film
    assert dataset.load(0)[0].shape == (64, 64, 3)
    image.write_bytes(whole[:-200])
    with pytest.raises(OodError, match=rf"a\{suffix}: the file ends too early"):
        dataset.load(0)


def test_labels_of_another_size_or_depth_are_refused(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0, 0], [0, 0]])
    labels = tmp_path / "trainannot" / "a.png"
    write_picture(labels, np.zeros((3, 2), np.uint8))
    with pytest.raises(OodError, match="labels of 2x3 do not fit the image of 2x2"):
        camvid(tmp_path, "train").load(0)
    write_picture(labels, np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(OodError, match="one channel of 8 bits"):
        camvid(tmp_path, "train").load(0)
    write_picture(labels, np.zeros((2, 2), np.uint16))
    with pytest.raises(OodError, match="uint16"):
        camvid(tmp_path, "train").load(0)


def test_two_images_of_one_id_are_refused(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0]])
    write_picture(tmp_path / "train" / "a.png", np.zeros((1, 1, 3), np.uint8))
    with pytest.raises(OodError, match=r"a\.png: another image has the same frame id"):
        camvid(tmp_path, "train")


def test_other_classes_than_the_network_has_are_refused(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0]])
    classes = open_dataset("camvid", tmp_path).label_map.classes
    assert open_dataset("camvid", tmp_path, classes=classes).label_map.name == "camvid"
    with pytest.raises(OodError, match=r"camvid-train has 11 classes \(sky.*the network 2"):
        open_dataset("camvid", tmp_path, classes=("road", "sky"))


def test_a_plain_folder_takes_masks_or_labels(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("{name: own, classes: [road, sky], map: {7: road, 9: sky, 0: ignore}}")
    for folder in ("masks", "labels"):
        root = tmp_path / folder
        write_frame(root / "images" / "x.JPEG", root / folder / "x.png", [[7, 9, 0]])
        dataset = open_dataset("folder", root, label_map=str(own))
        assert dataset.load(0)[1].tolist() == [[0, 1, 255]]
    (tmp_path / "masks" / "labels").mkdir()
    with pytest.raises(OodError, match="masks/ or labels/; there are both"):
        open_dataset("folder", tmp_path / "masks", label_map=own)
    with pytest.raises(OodError, match="there is neither"):
        open_dataset("folder", tmp_path / "labels" / "images", label_map=own)


def test_a_plain_folder_may_bring_its_label_map(tmp_path: Path) -> None:
    write_frame(tmp_path / "train/images/x.png", tmp_path / "train/masks/x.png", [[3]])
    with pytest.raises(OodError, match="nothing says what the label values mean"):
        open_dataset("folder", tmp_path, "train")
    (tmp_path / "train/label_map.yaml").write_text("{name: a, classes: [b, c], map: {3: c}}")
    assert open_dataset("folder", tmp_path, "train").load(0)[1].tolist() == [[1]]
    with pytest.raises(OodError, match="val: no such folder"):
        open_dataset("folder", tmp_path, "val")


def test_generated_classes_are_ordered_by_id(tmp_path: Path) -> None:
    write_frame(tmp_path / "images" / "x.png", tmp_path / "labels" / "x.png", [[1, 254, 255]])
    entries = [{"id": 1, "name": "sky"}, {"id": 0, "name": "road"}]
    (tmp_path / "classes.yaml").write_text(yaml.safe_dump({"classes": entries}))
    dataset = open_dataset("generated", tmp_path)
    assert dataset.label_map.classes == ("road", "sky")
    assert dataset.load(0)[1].tolist() == [[1, 254, 255]]
    (tmp_path / "classes.yaml").write_text("classes: [{id: 5, name: sky}, {id: 0, name: road}]")
    with pytest.raises(OodError, match="id from 0 on"):
        generated(tmp_path)
