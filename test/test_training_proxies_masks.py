"""`ood proxies`: masks equal the annotations pixel by pixel, and the exclusions are complete."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from coco_examples import CUP, DOG, GOLDEN, WIDTH, expected_mask, rectangle, write_annotations
from typer.testing import CliRunner

from ood_perception.errors import OodError
from ood_training import proxy_masks, whole_files
from ood_training.datasets.coco import ProxyImage, coco_proxies
from ood_training.datasets.coco_annotations import EXCLUDED_CATEGORIES, STREET_CATEGORIES
from ood_training.proxy_index import read_index
from ood_training.proxy_masks import build_proxies

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "coco"


@pytest.fixture
def coco(tmp_path: Path) -> Path:
    write_annotations(tmp_path / "coco", GOLDEN)
    return tmp_path / "coco"


def test_masks_hold_254_on_every_annotation_and_0_elsewhere(coco: Path, tmp_path: Path) -> None:
    result = build_proxies(coco, tmp_path / "out")
    folder = tmp_path / "out" / "ood_seg_train2017"
    # 5 shows a person, 6 nothing, 7 a train, 10 a region without pixels
    assert sorted(path.name for path in folder.iterdir()) == [
        f"{i:012d}.png" for i in (1, 2, 3, 4, 8, 9)
    ]
    for i in (1, 2, 3, 4, 8, 9):
        mask = cv2.imread(str(folder / f"{i:012d}.png"), cv2.IMREAD_UNCHANGED)
        assert mask.dtype == np.uint8
        assert (mask == expected_mask(i)).all(), i
    counts = {key: result[key] for key in ("images", "with_excluded_category", "without_pixels")}
    assert counts == {"images": 6, "with_excluded_category": 2, "without_pixels": 1}
    assert result["without_annotation"] == 1


def test_trains_stay_where_they_are_wanted(coco: Path, tmp_path: Path) -> None:
    assert build_proxies(coco, tmp_path / "out", exclude_train=False)["images"] == 7
    mask = tmp_path / "out" / "ood_seg_train2017" / f"{7:012d}.png"
    assert (cv2.imread(str(mask), cv2.IMREAD_UNCHANGED) == expected_mask(7)).all()


def test_the_index_counts_overlaps_once(coco: Path, tmp_path: Path) -> None:
    build_proxies(coco, tmp_path / "out")
    rows = {row.image_id: row for row in read_index(tmp_path / "out" / "ood_seg_train2017.csv")}
    assert list(rows) == [1, 2, 3, 4, 8, 9]
    # two kitchen squares of 16 pixels share 4; the dog lies on one of them
    assert rows[2].areas == {"kitchen": 28, "animal": 4}
    assert rows[2].share == 28 / 200
    assert rows[4].areas == {"kitchen": 20, "animal": 30}
    assert rows[4].share == 47 / 200
    assert (rows[8].share, rows[9].share) == (0.2, 0.8)
    assert (rows[1].file_name, rows[1].height, rows[1].width) == (f"{1:012d}.jpg", 10, WIDTH)
    assert rows[1].license_id == 3


def test_an_image_is_in_one_fold_whatever_else_is_left_out(coco: Path, tmp_path: Path) -> None:
    """Or else objects held out for the meta classifier would have been trained on."""
    numbers = {}
    for name, settings in (("a", {}), ("b", {"exclude_train": False}), ("c", {"min_side": 10})):
        build_proxies(coco, tmp_path / name, **settings)
        rows = read_index(tmp_path / name / "ood_seg_train2017.csv")
        numbers[name] = {row.image_id: row.number for row in rows}
    assert numbers["a"] == numbers["c"] == {1: 0, 2: 1, 3: 2, 4: 3, 8: 4, 9: 5}
    assert numbers["b"] == {**numbers["a"], 7: 0}
    for fold in (0, 1):
        kept = {one.image_id for one in coco_proxies_of(coco, fold, EXCLUDED_CATEGORIES)}
        more = {one.image_id for one in coco_proxies_of(coco, fold, STREET_CATEGORIES)}
        assert kept == {i for i, number in numbers["a"].items() if number % 2 == fold}
        assert more - kept == ({7} if fold == 0 else set())


def coco_proxies_of(coco: Path, fold: int, excluded: tuple[str, ...]) -> list[ProxyImage]:
    (coco / "train2017").mkdir(exist_ok=True)
    for i in GOLDEN:
        (coco / "train2017" / f"{i:012d}.jpg").touch()
    return coco_proxies(coco, fold=fold, excluded=excluded)


def test_statistics_and_plot_tell_the_subsets_apart(coco: Path, tmp_path: Path) -> None:
    result = build_proxies(coco, tmp_path / "out")
    little, much = result["subsets"]["L-20%"], result["subsets"]["M-80%"]
    assert (result["subsets"]["all"]["images"], little["images"], much["images"]) == (6, 4, 1)
    # images 1, 2, 3 and 8 of 200 pixels each: kitchen on 12 + 28, animal on 4 + 30 + 40
    assert little["supercategories"]["kitchen"] == {"images": 2, "pixel_share": 40 / 800}
    assert little["supercategories"]["animal"] == {"images": 3, "pixel_share": 74 / 800}
    assert much["supercategories"]["kitchen"] == {"images": 0, "pixel_share": 0.0}
    plot = cv2.imread(result["plot"])
    assert plot is not None
    assert len(np.unique(plot.reshape(-1, 3), axis=0)) > 10


def test_small_images_are_left_out_on_request(coco: Path, tmp_path: Path) -> None:
    assert build_proxies(coco, tmp_path / "out", min_side=10)["images"] == 6
    with pytest.raises(OodError, match="no image is left: 2 show an excluded category, 1 have no"):
        build_proxies(coco, tmp_path / "none", min_side=11)
    assert not (tmp_path / "none").exists()


def test_masks_of_another_selection_are_not_mixed(coco: Path, tmp_path: Path) -> None:
    build_proxies(coco, tmp_path / "out", exclude_train=False)
    with pytest.raises(OodError, match=r"holds 1 masks of images .* such as 000000000007.png"):
        build_proxies(coco, tmp_path / "out")


def test_an_interrupted_build_leaves_whole_files_and_goes_on(
    coco: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "out" / "ood_seg_train2017"
    original, moved = whole_files.os.replace, []

    def full_disk(source: Path, target: Path) -> None:
        if len(moved) == 3:
            raise OSError(28, "No space left on device")
        moved.append(target)
        original(source, target)

    monkeypatch.setattr(whole_files.os, "replace", full_disk)
    with pytest.raises(OodError, match=r"cannot write .*000000000004.png: No space left"):
        build_proxies(coco, tmp_path / "out")
    assert sorted(path.name for path in folder.iterdir()) == [f"{i:012d}.png" for i in (1, 2, 3)]
    assert not (tmp_path / "out" / "ood_seg_train2017.csv").exists()
    monkeypatch.undo()
    assert build_proxies(coco, tmp_path / "out")["images"] == 6


@pytest.mark.parametrize(
    ("region", "message"),
    [
        ([[0, 0, 5, 5]], "annotation 1 of image 1: a polygon has less than three corners"),
        ({"size": [5, 5], "counts": [25]}, "annotation 1 of image 1: .* not of the image's size"),
        ([], "annotation 1 of image 1: it has no segmentation"),
        ({"size": [10, 20]}, "annotation 1 of image 1: its segmentation cannot be read"),
    ],
)
def test_a_broken_region_is_named(tmp_path: Path, region: object, message: str) -> None:
    path = write_annotations(tmp_path, {1: [(CUP, region, 0)]})
    with pytest.raises(OodError, match=message) as raised:
        build_proxies(tmp_path, tmp_path / "out")
    assert str(path) in str(raised.value)


def test_an_unknown_category_is_named(tmp_path: Path) -> None:
    write_annotations(tmp_path, {1: [(99, rectangle(0, 0, 5, 5), 0)]})
    with pytest.raises(OodError, match="annotation 1 is of category 99, which the file"):
        build_proxies(tmp_path, tmp_path / "out")


def test_one_image_is_held_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_annotations(tmp_path, {i: [(DOG, rectangle(0, 0, 5, 5), 0)] for i in range(1, 6)})
    order = []
    original = proxy_masks.iterate_proxies

    def watched(*arguments: object) -> object:
        for proxy in original(*arguments):
            order.append("made")
            yield proxy

    monkeypatch.setattr(proxy_masks, "iterate_proxies", watched)
    monkeypatch.setattr(proxy_masks, "_write_mask", lambda path, mask: order.append("written"))
    build_proxies(tmp_path, tmp_path / "out")
    assert order == ["made", "written"] * 5


def test_the_command_reports_and_refuses_in_one_line(coco: Path, tmp_path: Path) -> None:
    from ood_perception.cli import app

    report = tmp_path / "report.json"
    arguments = ["proxies", str(coco), "--out", str(tmp_path / "out"), "--json", str(report)]
    result = CliRunner().invoke(app, [*arguments, "--keep-train", "--min-side", "5"])
    assert result.exit_code == 0, result.output
    assert json.loads(report.read_text())["images"] == 7
    missing = CliRunner().invoke(app, [*arguments, "--year", "val2017"])
    assert isinstance(missing.exception, OodError)
    assert "instances_val2017.json: no such annotation file" in str(missing.exception)


@pytest.mark.data
@pytest.mark.skipif(not DATA.is_dir(), reason="no ../shared/data/coco")
def test_the_real_annotations_give_the_documented_count(tmp_path: Path) -> None:
    # the data's own description counts the images without the eight categories
    result = build_proxies(DATA, tmp_path, exclude_train=False)
    assert (result["images"], result["with_excluded_category"]) == (199, 41)
