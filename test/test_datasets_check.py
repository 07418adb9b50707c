"""`ood check-data`: every faulty file is named, and a clean tree passes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from dataset_trees import DATA, camvid_frame, city_frame, needs_data, write_picture

from ood_perception.errors import OodError
from ood_training.coco_check import check_coco
from ood_training.data_check import check_frames
from ood_training.data_report import DataReport


def check_data(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ood_perception.cli", "check-data", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def files_by_kind(report: DataReport) -> dict[str, list[str]]:
    return {
        kind: [problem.file for problem in problems] for kind, problems in report.problems_by_kind()
    }


def faulty_camvid(root: Path) -> None:
    """One good frame and one of every fault."""
    camvid_frame(root, "good", [[0, 0, 3, 11]])
    camvid_frame(root, "no_labels", [[0]])
    (root / "trainannot" / "no_labels.png").unlink()
    camvid_frame(root, "no_image", [[0]])
    (root / "train" / "no_image.jpg").unlink()
    camvid_frame(root, "broken", [[0]])
    (root / "train" / "broken.jpg").write_bytes(b"no picture")
    camvid_frame(root, "color_labels", [[0]])
    write_picture(root / "trainannot" / "color_labels.png", np.zeros((1, 1, 3), np.uint8))
    camvid_frame(root, "other_size", [[3, 3]])
    write_picture(root / "trainannot" / "other_size.png", np.full((2, 2), 3, np.uint8))
    camvid_frame(root, "odd_values", [[3, 77, 77, 90]])
    write_picture(root / "train" / "good.png", np.zeros((1, 4, 3), np.uint8))


def test_every_fault_is_named_by_file(tmp_path: Path) -> None:
    faulty_camvid(tmp_path)
    (report,) = check_frames("camvid", tmp_path)
    assert files_by_kind(report) == {
        "files that cannot be used": ["train/broken.jpg", "trainannot/color_labels.png"],
        "frame ids that occur twice": ["train/good.png"],
        "images without labels": ["train/no_labels.jpg"],
        "labels of another size than their image": ["trainannot/other_size.png"],
        "labels without image": ["trainannot/no_image.png"],
        "values outside the label map 'camvid'": ["trainannot/odd_values.png"],
    }
    details = {problem.file: problem for problem in report.problems}
    assert details["trainannot/odd_values.png"].values == {77: 2, 90: 1}
    assert details["trainannot/other_size.png"].detail == "labels of 2x2, image of 2x1"
    assert details["train/broken.jpg"].detail.startswith("cannot be decoded")
    assert report.counts["images"] == 6
    assert report.counts["label pictures"] == 6
    assert report.counts["frames with both"] == 5
    assert report.image_sizes == {"4x1": 2, "1x1": 2, "2x1": 1}


def test_pixel_shares_are_of_all_label_pixels(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0, 0, 3, 11]])
    camvid_frame(tmp_path, "b", [[3, 3, 3, 3]])
    (report,) = check_frames("camvid", tmp_path)
    assert report.problems == ()
    shares = report.shares
    assert (shares["sky"], shares["road"], shares["ignore"]) == (0.25, 0.625, 0.125)
    # A class without a pixel is worth knowing; no unknown pixels in CamVid is not.
    assert shares["car"] == 0
    assert "unknown" not in shares


def test_every_split_is_walked_unless_one_is_named(tmp_path: Path) -> None:
    city_frame(tmp_path, "ulm_000001_000019", [[7]], split="train")
    city_frame(tmp_path, "ulm_000001_000020", [[7]], split="train")
    city_frame(tmp_path, "bonn_000002_000019", [[7]], split="val")
    steps: list[tuple[int, int]] = []
    reports = check_frames(
        "cityscapes", tmp_path, on_progress=lambda done, total: steps.append((done, total))
    )
    assert [report.name for report in reports] == ["cityscapes-train", "cityscapes-val"]
    assert [report.counts["sequences"] for report in reports] == [1, 1]
    assert steps == [(1, 3), (2, 3), (3, 3)]
    assert [one.name for one in check_frames("cityscapes", tmp_path, "val")] == ["cityscapes-val"]


def test_an_empty_selection_is_refused(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    with pytest.raises(OodError, match="no image found"):
        check_frames("folder", tmp_path, label_map="smiyc")


def test_the_command_reports_then_ends_with_one_line(tmp_path: Path) -> None:
    faulty_camvid(tmp_path)
    for number in range(3):
        camvid_frame(tmp_path, f"odd_{number}", [[99]])
    result_file = tmp_path / "report.json"
    result = check_data(tmp_path, "--kind", "camvid", "--most-lines", 2, "--json", result_file)
    assert result.returncode == 2
    assert result.stderr.splitlines() == [
        f"ood: {tmp_path}: 10 problems, listed above; correct or remove the files"
    ]
    assert "  trainannot/odd_0.png: 99 (1 pixels)" in result.stdout.splitlines()
    assert "  ... and 2 more" in result.stdout.splitlines()
    found = json.loads(result_file.read_text())
    assert found["problems"] == 10
    odd = found["reports"][0]["problems"]["values outside the label map 'camvid'"]
    assert [entry["file"] for entry in odd] == [
        "trainannot/odd_0.png",
        "trainannot/odd_1.png",
        "trainannot/odd_2.png",
        "trainannot/odd_values.png",
    ]
    assert odd[3]["values"] == {"77": 2, "90": 1}


def test_the_command_passes_a_clean_tree(tmp_path: Path) -> None:
    camvid_frame(tmp_path, "a", [[0, 3]])
    own = tmp_path / "own.yaml"
    own.write_text("{name: own, classes: [above, below], map: {0: above, 3: below}}")
    result = check_data(tmp_path, "--kind", "camvid", "--split", "train", "--label-map", own)
    assert (result.returncode, result.stderr) == (0, "")
    assert "pixels of below" in result.stdout
    refused = check_data(tmp_path, "--kind", "kitti")
    assert refused.returncode == 2
    assert "known are camvid" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def coco_content() -> dict[str, Any]:
    """Image 1 with a polygon, a crowd of plain and one of packed run lengths; image 2 with none."""
    from pycocotools import mask

    packed = mask.encode(np.asfortranarray(np.ones((8, 8), np.uint8)))["counts"].decode()
    segmentations: list[Any] = [
        [[1.0, 1.0, 6.0, 1.0, 6.0, 6.0]],
        {"size": [8, 8], "counts": [32, 32]},
        {"size": [8, 8], "counts": packed},
    ]
    return {
        "images": [
            {"id": i, "file_name": f"{i:012d}.jpg", "height": 8, "width": 8} for i in (2, 1)
        ],
        "categories": [{"id": 47, "name": "cup"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": 47, "segmentation": s, "iscrowd": int(n > 1)}
            for n, s in enumerate(segmentations, start=1)
        ],
    }


def write_coco(root: Path, content: dict[str, Any]) -> None:
    for number in (1, 2):
        write_picture(root / "train2017" / f"{number:012d}.jpg", np.zeros((8, 8, 3), np.uint8))
    (root / "annotations").mkdir()
    (root / "annotations" / "instances_train2017.json").write_text(json.dumps(content))


def test_a_clean_coco_tree(tmp_path: Path) -> None:
    write_coco(tmp_path, coco_content())
    (report,) = check_coco(tmp_path)
    assert report.problems == ()
    assert report.name == "train2017"
    assert report.categories == {"cup": 3}
    assert report.image_sizes == {"8x8": 2}
    assert report.counts["images without annotation"] == 1
    assert report.counts["crowd regions"] == 2


@pytest.mark.parametrize(
    ("change", "detail"),
    [
        ({"image_id": 9}, "image 9 is not in the list of images"),
        ({"category_id": 9}, "category 9 is not in the list of categories"),
        ({"segmentation": []}, "has no polygon"),
        ({"segmentation": [[1.0, 2.0, 3.0, 4.0]]}, "at least three points"),
        ({"segmentation": [[1.0, 2.0, 3.0, 4.0, 5.0, "6"]]}, "at least three points"),
        ({"segmentation": {"size": [8, 9], "counts": [72]}}, "for [8, 9], the image is [8, 8]"),
        ({"segmentation": {"size": [8, 8], "counts": [32, 31]}}, "do not cover the image"),
        ({"segmentation": {"size": [8, 8], "counts": "zzzzzz"}}, "cannot be decoded"),
        ({"segmentation": {"size": [8, 8]}}, "neither a list nor a string"),
        ({"segmentation": None}, "neither polygons nor run lengths"),
    ],
)
def test_annotations_that_cannot_be_used(tmp_path: Path, change: dict, detail: str) -> None:
    content = coco_content()
    content["annotations"][1].update(change)
    write_coco(tmp_path, content)
    (report,) = check_coco(tmp_path)
    (problem,) = report.problems
    assert problem.file == "annotations/instances_train2017.json annotation 2"
    assert detail in problem.detail


def test_coco_images_that_are_missing_or_differ(tmp_path: Path) -> None:
    write_coco(tmp_path, coco_content())
    write_picture(tmp_path / "train2017" / "000000000001.jpg", np.zeros((8, 9, 3), np.uint8))
    (tmp_path / "train2017" / "000000000002.jpg").unlink()
    (report,) = check_coco(tmp_path, "train2017")
    assert files_by_kind(report) == {
        "images of another size than annotated": ["train2017/000000000001.jpg"],
        "images that are missing": ["train2017/000000000002.jpg"],
    }
    with pytest.raises(OodError, match=r"instances_val2017\.json: no such annotation file"):
        check_coco(tmp_path, "val2017")
    path = tmp_path / "annotations" / "instances_train2017.json"
    path.write_text('{"images": [{"id": 1}], "categories": [], "annotations": []}')
    with pytest.raises(OodError, match="entry 0 of 'images' has no 'file_name'"):
        check_coco(tmp_path)
    path.write_text("{")
    with pytest.raises(OodError, match="cannot be read as JSON"):
        check_coco(tmp_path)


@pytest.mark.data
@needs_data
def test_the_real_anomaly_frames_are_clean() -> None:
    (report,) = check_frames("smiyc", DATA / "road_anomaly")
    assert report.problems == ()
    assert report.image_sizes == {"1280x720": 28}
    assert report.shares["unknown"] == pytest.approx(0.111, abs=0.001)
