"""Label maps: data that ships with the package, and anybody's own file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ood_perception.errors import OodError
from ood_training.datasets.label_map import (
    identity_label_map,
    label_map_names,
    load_label_map,
    make_label_map,
)

IGNORE, UNKNOWN = 255, 254


def named(label_map_name: str, *values: int) -> list[str]:
    """What stored values stand for, in words."""
    label_map = load_label_map(label_map_name)
    words = {IGNORE: "ignore", UNKNOWN: "unknown", -1: "nothing"} | dict(
        enumerate(label_map.classes)
    )
    return [words[int(label_map.table[value])] for value in values]


def test_the_shipped_maps_load_under_their_own_names() -> None:
    assert set(label_map_names()) >= {
        "camvid",
        "cityscapes",
        "cityscapes_to_camvid",
        "fishyscapes",
        "lost_and_found",
        "smiyc",
    }
    for name in label_map_names():
        assert load_label_map(name).name == name


def test_cityscapes_training_ids_are_the_19_classes_in_order() -> None:
    label_map = load_label_map("cityscapes")
    assert label_map.num_classes == 19
    assert label_map.table[:19].tolist() == list(range(19))
    assert label_map.table[255] == IGNORE
    assert (label_map.table[19:255] == -1).all()
    assert named("cityscapes", 0, 1, 10, 11, 18) == ["road", "sidewalk", "sky", "person", "bicycle"]


def test_cityscapes_label_ids_give_the_same_classes() -> None:
    label_map = load_label_map("cityscapes_label_ids")
    assert label_map.classes == load_label_map("cityscapes").classes
    assert label_map.stored == "labelIds"
    kept = [v for v in range(34) if label_map.table[v] != IGNORE]
    # The ids that the data set's own script keeps, in the order of the training ids.
    assert kept == [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    assert label_map.table[kept].tolist() == list(range(19))
    assert (label_map.table[34:] == -1).all()


def test_every_cityscapes_id_has_a_place_among_the_camvid_classes() -> None:
    label_map = load_label_map("cityscapes_to_camvid")
    assert label_map.classes == load_label_map("camvid").classes
    assert (label_map.table[:34] >= 0).all()
    assert (label_map.table[34:] == -1).all()
    assert named("cityscapes_to_camvid", 7, 8, 19, 21, 25) == [
        "road",
        "pavement",
        "sign",
        "tree",
        "bicyclist",
    ]
    assert set(label_map.table[:7].tolist()) == {IGNORE}


def test_anomaly_sets_follow_their_conventions() -> None:
    """Section 1 of the specification."""
    for name in ("smiyc", "fishyscapes"):
        assert named(name, 0, 1, 255, 2) == ["known", "unknown", "ignore", "nothing"]
    assert named("lost_and_found", 1, 2, 0, 255) == ["free road", "unknown", "ignore", "ignore"]


def test_lost_and_found_label_ids_give_what_its_training_ids_give() -> None:
    """Free road is known; lying poles, timber, wheel cap and thin wood are no hazard."""
    label_map = load_label_map("lost_and_found_label_ids")
    table = label_map.table[:44].tolist()
    assert table[0] == IGNORE
    assert table[1] == 0
    no_hazard = {31, 33, 34, 36, 37, 38, 39}
    assert {v for v in range(2, 44) if table[v] == IGNORE} == no_hazard
    assert {v for v in range(44) if table[v] == UNKNOWN} == set(range(2, 44)) - no_hazard
    # SegmentMeIfYouCan counts every labelled object.
    benchmark = load_label_map("lost_and_found_smiyc").table[:44].tolist()
    assert benchmark == [IGNORE, 0] + [UNKNOWN] * 42


def test_anybodys_map_takes_names_or_ids(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nclasses: [road, car]\nmap: {4: car, 5: 0, 6: ignore, 7: unknown, 8: 254}\n"
    )
    label_map = load_label_map(path)
    assert label_map.table[[4, 5, 6, 7, 8, 9]].tolist() == [1, 0, 255, 254, 254, -1]
    assert label_map.has_unknown
    assert not load_label_map("camvid").has_unknown
    stored = np.array([[4, 6]], np.uint8)
    assert label_map.apply(stored, "x.png").tolist() == [[1, 255]]


def test_identity_keeps_unknown_and_ignore() -> None:
    label_map = identity_label_map("x", ["a", "b"])
    assert label_map.table[[0, 1, 2, 254, 255]].tolist() == [0, 1, -1, 254, 255]


@pytest.mark.parametrize(
    ("classes", "entries", "message"),
    [
        (["a", "b"], {3: 2}, "3 goes to 2, but there are 2 classes"),
        (["a", "b"], {3: "c"}, "3 goes to c, but there are 2 classes"),
        (["a", "b"], {3: True}, "3 goes to True"),
        (["a"], {256: 0}, "256 is no label value"),
        (["a"], {"0": 0}, "'0' is no label value"),
        (["a", "a"], {0: 0}, "must be different names"),
        (["a", "ignore"], {0: 0}, "must be different names"),
        ([], {}, "must be different names"),
    ],
)
def test_a_wrong_map_is_refused(classes: list[str], entries: dict, message: str) -> None:
    with pytest.raises(OodError, match=message):
        make_label_map("x", classes, entries)


@pytest.mark.parametrize(
    "text", ["", "[1, 2]", "name: x", "{name: x, classes: [a], map: 3}", "a: [", "\x00"]
)
def test_a_file_that_is_no_map_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "map.yml"
    path.write_text(text)
    with pytest.raises(OodError, match=r"map\.yml: not a label map"):
        load_label_map(path)


def test_a_map_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OodError, match="no label map 'nothing': known are camvid"):
        load_label_map("nothing")
    with pytest.raises(OodError, match="no such label map file"):
        load_label_map(tmp_path / "none.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"name: stra\xdfe")
    with pytest.raises(OodError, match="cannot be read as a label map"):
        load_label_map(tmp_path / "latin.yaml")
