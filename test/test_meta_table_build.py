"""From labelled images to a table: what is a component, what it hits, what the labels ignore."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from color_bundle import BLUE, GREY, write_color_bundle
from dataset_trees import write_picture
from scipy import ndimage
from typer.testing import CliRunner

from ood_perception.bundle import Bundle
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_training.commands.meta_build import build
from ood_training.datasets.registry import open_dataset
from ood_training.grid_labels import grid_labels
from ood_training.label_values import IGNORE_LABEL, OOD_LABEL
from ood_training.meta.components import collect_components, component_tables
from ood_training.meta.configuration import LabelRules, MetaConfiguration
from ood_training.meta.labelled_frames import LabelledFrame, LabelledFrames, dataset_frames
from ood_training.meta.table import ComponentTable
from ood_training.meta.table_build import BuildRequest, build_table
from ood_training.meta.table_files import read_table

THRESHOLD = 0.7
TOUCHING = np.ones((3, 3))
FRAME = "01_Weg_000003_000070"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_color_bundle(tmp_path_factory.mktemp("models") / "color")


def random_scene(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey blocks on blue, and labels that meet some of them, miss some and ignore some."""
    rng = np.random.default_rng(seed)
    image = np.full((64, 128, 3), BLUE, np.uint8)
    labels = np.zeros((64, 128), np.uint8)
    for value in (None, None, None, IGNORE_LABEL, IGNORE_LABEL, OOD_LABEL, OOD_LABEL, OOD_LABEL):
        height, width = rng.integers(6, 26, 2)
        top, left = rng.integers(0, 64 - height), rng.integers(0, 128 - width)
        place = (slice(top, top + height), slice(left, left + width))
        if value is None:
            image[place] = GREY
        else:
            labels[place] = value
    image[2:10, 2:10] = GREY
    labels[:14, :14] = IGNORE_LABEL
    return image, labels


def one_frame(image: np.ndarray, labels: np.ndarray) -> LabelledFrames:
    frame = LabelledFrame("f", "s", image, labels)
    return LabelledFrames("scene", 1, lambda: iter([frame]))


def table_of(bundle: Bundle, seed: int, **rules: object) -> ComponentTable:
    frames = one_frame(*random_scene(seed))
    return component_tables(bundle, frames, (THRESHOLD,), LabelRules.model_validate(rules))[0]


def truth_of(bundle: Bundle, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells over the threshold and labels, both on the grid."""
    image, labels = random_scene(seed)
    output = Detector(bundle).run_network(image)
    on_grid = grid_labels(labels, output.letterbox, output.score.shape)
    return output.score >= THRESHOLD, on_grid


@pytest.mark.parametrize("seed", range(6))
def test_every_component_is_told_by_its_cells(bundle: Bundle, seed: int) -> None:
    """Against the definitions of section 7.1, cell by cell."""
    table = table_of(bundle, seed, ignored="false_positive")
    mask, labels = truth_of(bundle, seed)
    unknown = labels == OOD_LABEL
    components, count = ndimage.label(mask, TOUCHING)
    objects, object_count = ndimage.label(unknown, TOUCHING)
    missed, _ = ndimage.label(unknown & ~mask, TOUCHING)
    assert len(table) == count > 1
    assert table.objects == object_count > 0
    expected_pairs = set()
    for k in range(count):
        cells = components == k + 1
        hit = set(objects[cells & unknown].tolist())
        expected_pairs |= {(k, one - 1) for one in hit}
        around = ndimage.binary_dilation(cells, TOUCHING)
        reached = np.isin(missed, list(set(missed[around].tolist()) - {0}))
        union = cells.sum() + (reached.sum() if hit else 0)
        assert table.area_cells[k] == cells.sum()
        assert table.false_positive[k] == (not hit)
        assert table.iou[k] == pytest.approx((cells & unknown).sum() / union)
        assert table.ignored[k] == (labels[cells] == IGNORE_LABEL).all()
    pairs = list(zip(table.pair_component.tolist(), table.pair_object.tolist(), strict=True))
    assert sorted(pairs) == sorted(expected_pairs)
    assert table.object_area_cells.tolist() == np.bincount(objects.ravel())[1:].tolist()
    assert table.metrics[:, table.origin.metric_names.index("S")].tolist() == list(table.area_cells)


def test_the_scenes_show_every_case(bundle: Bundle) -> None:
    tables = [table_of(bundle, seed, ignored="false_positive") for seed in range(6)]
    assert any(table.ignored.any() for table in tables)
    assert any((~table.false_positive).any() for table in tables)
    assert any((table.false_positive & ~table.ignored).any() for table in tables)
    assert any((~table.hit()).any() for table in tables)


@pytest.mark.parametrize("seed", range(6))
def test_ignored_components_are_dropped_or_kept_as_false_positives(
    bundle: Bundle, seed: int
) -> None:
    dropped = table_of(bundle, seed)
    kept = table_of(bundle, seed, ignored="false_positive")
    assert kept.ignored.any()
    assert kept.false_positive[kept.ignored].all()
    assert not dropped.ignored.any()
    np.testing.assert_array_equal(dropped.metrics, kept.metrics[~kept.ignored])
    np.testing.assert_array_equal(dropped.hit(), kept.hit())


@pytest.mark.parametrize("seed", range(6))
def test_the_published_region_cuts_components_at_ignored_cells(bundle: Bundle, seed: int) -> None:
    table = table_of(bundle, seed, roi="labels")
    mask, labels = truth_of(bundle, seed)
    inside = mask & (labels != IGNORE_LABEL)
    assert len(table) == ndimage.label(inside, TOUCHING)[1]
    assert table.area_cells.sum() == inside.sum() < mask.sum()
    assert not table.ignored.any()


def test_a_least_overlap_makes_grazing_components_false_positives(bundle: Bundle) -> None:
    for seed in range(6):
        strict, loose = table_of(bundle, seed, least_overlap=0.5), table_of(bundle, seed)
        assert (strict.false_positive >= loose.false_positive).all()
        assert not strict.false_positive[strict.pair_component].any()
        assert (strict.hit() <= loose.hit()).all()
    strict = [table_of(bundle, seed, least_overlap=0.99).false_positive.sum() for seed in range(6)]
    loose = [table_of(bundle, seed).false_positive.sum() for seed in range(6)]
    assert sum(strict) > sum(loose)
    assert "least overlap 0.5" in table_of(bundle, 0, least_overlap=0.5).origin.source


def test_all_thresholds_come_from_one_run_of_the_network(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = []
    run_network = Detector.run_network

    def counted(self: Detector, image: np.ndarray) -> object:
        runs.append(image)
        return run_network(self, image)

    monkeypatch.setattr(Detector, "run_network", counted)
    steps: list[tuple[int, int]] = []
    frames = one_frame(*random_scene(0))
    low, high = component_tables(bundle, frames, (0.2, 0.9), None, lambda *s: steps.append(s))
    assert len(runs) == 1
    assert steps == [(1, 1)]
    assert low.area_cells.sum() > high.area_cells.sum()
    assert (low.origin.threshold, high.origin.threshold) == (0.2, 0.9)
    assert low.origin.network_sha256 == bundle.manifest.network.sha256


def test_bad_thresholds_and_missing_frames_are_refused(bundle: Bundle) -> None:
    frames = one_frame(*random_scene(0))
    with pytest.raises(OodError, match=r"threshold 1\.5 is out of range"):
        component_tables(bundle, frames, (0.5, 1.5))
    with pytest.raises(OodError, match="scene: no frame"):
        component_tables(bundle, LabelledFrames("scene", 0, lambda: iter([])), (0.5,))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two frames of one recording and one of another, in SegmentMeIfYouCan's layout."""
    root = tmp_path / "set"
    for seed, name in enumerate((FRAME, "01_Weg_000003_000080", "01_Weg_000004_000000")):
        image, labels = random_scene(seed)
        stored = np.where(labels == OOD_LABEL, 1, labels).astype(np.uint8)
        write_picture(root / "images" / f"{name}.png", image)
        write_picture(root / "labels_masks" / f"{name}_labels_semantic.png", stored)
    return root


def test_the_command_writes_table_and_counts(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(build)
    out, figures = tmp_path / "t.parquet", tmp_path / "t.json"
    options = ("--format", "smiyc", "--threshold", 0.6, "--out", out, "--json", figures)
    arguments = ["--bundle", bundle.folder, "--data", data, *options]
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    table, counts = read_table(out), json.loads(figures.read_text())
    frames = dataset_frames("smiyc", open_dataset("smiyc", data))
    expected = component_tables(bundle, frames, (0.6,))[0]
    np.testing.assert_array_equal(table.metrics, expected.metrics)
    np.testing.assert_array_equal(table.hit(), expected.hit())
    assert (
        counts["components"]
        == len(table)
        == sum(one["components"] for one in counts["sequences"].values())
    )
    assert counts["objects"] == table.objects == expected.objects > 0
    assert counts["objects_hit"] == table.hit().sum()
    assert sorted(counts["sequences"]) == ["01_Weg_000003", "01_Weg_000004"]
    assert counts["frames"] == 3
    assert set(table.frame) <= {frame.frame_id for frame in open_dataset("smiyc", data)}


def test_pasted_objects_are_objects_of_their_frame(bundle: Bundle, tmp_path: Path) -> None:
    """A configuration with a folder of crops, the same table for the same seed."""
    rng = np.random.default_rng(0)
    for number in range(3):
        name = f"{number:06d}"
        write_picture(tmp_path / "camvid/val" / f"0016E5_{name}.png", np.full((64, 128, 3), BLUE))
        write_picture(tmp_path / "camvid/valannot" / f"0016E5_{name}.png", np.full((64, 128), 3))
        picture = rng.integers(100, 156, (40, 40, 3))
        write_picture(tmp_path / "crops" / f"thing_{number}_1_1_crop.png", picture)
        mask = np.full((40, 40), 255)
        write_picture(tmp_path / "crops" / f"thing_{number}_1_1_maskcrop.png", mask)
    settings = MetaConfiguration.model_validate(
        {
            "data_root": tmp_path,
            "source": {"kind": "camvid", "root": "camvid", "split": "val"},
            "objects": {"object_crops": "crops", "fold": None},
            "height_px": (20, 40),
            "repeats": 2,
        }
    )
    table = collect_components(bundle, settings, (0.3,))[0]
    again = collect_components(bundle, settings, (0.3,))[0]
    assert table.objects >= 6
    assert table.hit().any()
    assert set(table.object_sequence) == {"0016E5"}
    assert len(set(table.object_frame)) == 3
    np.testing.assert_array_equal(table.metrics, again.metrics)


def refused(bundle: Bundle, out: Path, **request: object) -> str:
    with pytest.raises(OodError) as caught:
        build_table(BuildRequest(bundle=bundle.folder, out=out, **request))
    assert not out.exists()
    return str(caught.value)


def test_requests_that_do_not_fit_are_refused(bundle: Bundle, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "t.parquet"
    assert "give --data and --format" in refused(bundle, out)
    assert "leave out --data" in refused(bundle, out, data=data, configuration=tmp_path / "c.yaml")
    assert "NAME.parquet" in refused(bundle, tmp_path / "t.csv", data=data, kind="smiyc")
    assert "every 0" in refused(bundle, out, data=data, kind="smiyc", every=0)
    wrong = {"rules": {"least_overlap": 2.0}}
    assert "--least-overlap 2.0" in refused(bundle, out, data=data, kind="smiyc", **wrong)
    assert "--ignored keep" in refused(
        bundle, out, data=data, kind="smiyc", rules={"ignored": "keep"}
    )
    for image in (data / "images").iterdir():
        write_picture(image, np.full((64, 128, 3), BLUE))
    assert "no component at threshold 0.9" in refused(
        bundle, out, data=data, kind="smiyc", threshold=0.9
    )
    street = tmp_path / "street"
    write_picture(street / "val" / "a.png", np.zeros((64, 128, 3)))
    write_picture(street / "valannot" / "a.png", np.zeros((64, 128)))
    assert "has no unknown objects" in refused(bundle, out, data=street, kind="camvid")
