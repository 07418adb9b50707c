"""Batches: complete epochs, proxies drawn without replacement, parts that join to the whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from coco_examples import write_proxies

from ood_perception.errors import OodError
from ood_training.configuration import TrainingConfiguration
from ood_training.proxy_masks import build_proxies
from ood_training.sampler import TrainingSampler
from ood_training.sampler_cache import PictureCache
from ood_training.sampler_prefetch import prefetched_batches

FRAMES, PROXIES = 10, 6
EPOCH_DRAW = {"mode": "epoch_draw", "epoch_fraction": 0.2}


def write_street(root: Path, count: int = FRAMES) -> None:
    """Frames of one grey each, 10 + number, all road but for a tree in the upper half."""
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    for number in range(count):
        labels = np.zeros((48, 64), np.uint8)
        labels[:24] = 1
        image = np.full((48, 64, 3), 10 + number, np.uint8)
        assert cv2.imwrite(str(root / "images" / f"{number:02d}.png"), image)
        assert cv2.imwrite(str(root / "labels" / f"{number:02d}.png"), labels)
    (root / "classes.yaml").write_text("classes: [road, tree]\n")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write_street(tmp_path / "street")
    write_proxies(tmp_path / "coco", PROXIES)
    return tmp_path


def stages(steps: int = 3) -> list[dict[str, Any]]:
    """One of known classes, and one with unknown objects and epochs of so many steps."""
    rates = {"epochs": 1, "encoder_learning_rate": 1e-3, "decoder_learning_rate": 1e-3}
    both = {"name": "both", "unknown_objects": True, "steps_per_epoch": steps, **rates}
    return [{"name": "known", "steps_per_epoch": 3, **rates}, both]


def sampler(data: Path, **changes: Any) -> TrainingSampler:
    settings = {
        "name": "test", "data_root": data, "output": data / "run", "model": "tiny_unet",
        "crop_size": 32, "batch_size": 4, "light": 0, "augmentation": "published",
        "sources": [{"kind": "generated", "root": "street"}],
        "objects": {"coco": "coco", "fold": None},
        "paste": {"probability": 0}, "proxies": EPOCH_DRAW,
        "stages": stages(),
    } | changes  # fmt: skip
    return TrainingSampler(TrainingConfiguration.model_validate(settings))


def epoch(one: TrainingSampler, stage: int, number: int = 0) -> list[int]:
    """The grey of every sample of an epoch: 10.. street frames, 101.. proxies."""
    unknown = stage == 1
    steps = one.steps_per_epoch(unknown)
    greys = []
    for step in range(number * steps, (number + 1) * steps):
        images, _ = one.batch(stage, step, unknown)
        greys += (images * 255).round().int().amax(dim=(1, 2, 3)).tolist()
    return greys


def test_an_epoch_holds_every_frame_once_and_its_drawn_proxies(data: Path) -> None:
    one = sampler(data)
    assert one.steps_per_epoch(True) == 3
    orders = []
    for number in range(4):
        greys = epoch(one, 1, number)
        assert sorted(grey for grey in greys if grey < 100) == list(range(10, 10 + FRAMES))
        drawn = one.drawn_proxy_ids(1, number)
        assert sorted(grey - 100 for grey in greys if grey > 100) == sorted(drawn)
        assert len(set(drawn)) == 2
        orders.append(greys)
    assert len({tuple(order) for order in orders}) == 4


def test_proxies_are_drawn_anew_each_epoch_and_alike_for_the_same_seed(data: Path) -> None:
    first, again, other = sampler(data), sampler(data), sampler(data, seed=1)
    draws = [first.drawn_proxy_ids(1, number) for number in range(20)]
    assert draws == [again.drawn_proxy_ids(1, number) for number in range(20)]
    assert draws != [other.drawn_proxy_ids(1, number) for number in range(20)]
    assert len(set(draws)) > 5
    assert {image_id for draw in draws for image_id in draw} == set(range(1, PROXIES + 1))


def test_a_last_batch_is_filled_from_the_epochs_beginning(data: Path) -> None:
    one = sampler(data)
    greys = epoch(one, 0)
    assert (one.steps_per_epoch(False), len(greys)) == (3, 12)
    assert sorted(greys[:FRAMES]) == list(range(10, 10 + FRAMES))
    assert greys[FRAMES:] == greys[:2]
    assert one.drawn_proxy_ids(0, 0) == ()


def test_the_number_drawn_is_rounded_down(data: Path) -> None:
    for fraction, count, steps in ((0.19, 1, 3), (0.29999, 2, 3), (0.3, 3, 4), (0.6, 6, 4)):
        proxies = {**EPOCH_DRAW, "epoch_fraction": fraction}
        one = sampler(data, proxies=proxies, stages=stages(steps))
        assert len(one.drawn_proxy_ids(1, 0)) == count
    with pytest.raises(OodError, match=r"wants 7 proxy images, but only 6 .*epoch_fraction"):
        sampler(data, proxies={**EPOCH_DRAW, "epoch_fraction": 0.7})


def test_an_epoch_of_the_configuration_is_a_whole_one(data: Path) -> None:
    with pytest.raises(OodError, match=r"'both': steps_per_epoch is 5, .* set it to 3$"):
        sampler(data, stages=stages(5))
    assert sampler(data, stages=stages(5), proxies={"image_share": 0.5}).steps_per_epoch(True) == 3


SHARE = {
    "proxies": {"mode": "image_share", "image_share": 0.4},
    "augmentation": "recommended", "light": 1.0,
    "paste": {"probability": 1.0, "height_px": [6, 20], "marks_probability": 0.5},
}  # fmt: skip


@pytest.mark.parametrize("changes", [{}, SHARE])
def test_parts_of_a_batch_join_to_the_whole(data: Path, changes: dict[str, Any]) -> None:
    one, other = sampler(data, **changes), sampler(data, **changes)
    for step in (0, 5):
        images, labels = one.batch(1, step, True)
        assert images.shape == (4, 3, 32, 32)
        assert (images.dtype, labels.dtype) == (torch.float32, torch.int64)
        for parts in ([slice(0, 2), slice(2, 4)], [slice(0, 1), slice(1, 3), slice(3, None)]):
            # drawn last part first: what came before must not matter
            drawn = [other.batch(1, step, True, part) for part in reversed(parts)][::-1]
            assert torch.equal(torch.cat([part[0] for part in drawn]), images)
            assert torch.equal(torch.cat([part[1] for part in drawn]), labels)
    assert other.batch(1, 0, True, slice(2, 2))[0].shape == (0, 3, 32, 32)


def test_what_is_held_in_memory_changes_nothing(data: Path) -> None:
    held = sampler(data, **SHARE)
    unheld = sampler(data, **SHARE, loading={"cache_mebibytes": 0})
    for step in range(6):
        for one, other in zip(held.batch(1, step, True), unheld.batch(1, step, True), strict=True):
            assert torch.equal(one, other)
    assert held._cache.held_bytes > 0
    assert unheld._cache.held_bytes == 0


def test_pictures_are_read_when_they_are_drawn_and_then_held(data: Path) -> None:
    """Thousands of full-size frames and proxies fit on a disk, not into memory."""
    one = sampler(data)
    first = one.batch(1, 0, True)[0]
    for path in [*(data / "street" / "images").iterdir(), *(data / "coco/train2017").iterdir()]:
        path.write_bytes(b"")
    assert torch.equal(one.batch(1, 0, True)[0], first)
    with pytest.raises(OodError, match=r"\.png: "):
        epoch(one, 1)
    with pytest.raises(OodError, match=r"\.png: "):
        sampler(data).batch(1, 0, True)


def test_the_memory_holds_no_more_than_its_limit() -> None:
    cache, loaded = PictureCache(250), []

    def load(number: int) -> tuple[np.ndarray, np.ndarray]:
        loaded.append(number)
        return np.full(60, number, np.uint8), np.zeros(40, bool)

    for number in (1, 2, 1, 3, 1, 2):
        assert cache.get(number, lambda number=number: load(number))[0][0] == number
        assert cache.held_bytes <= 250
    # 3 took the place of 2, which had been used before 1
    assert loaded == [1, 2, 3, 2]
    cache.get("large", lambda: np.zeros(251, np.uint8))
    assert cache.held_bytes == 200


def test_pasting_leaves_the_frames_in_memory_as_they_are(data: Path) -> None:
    paste = {"probability": 1.0, "height_px": [6, 20], "anywhere": 1.0}
    one = sampler(data, paste=paste, crop_size=48, proxies={})
    assert 254 in torch.cat([one.batch(1, step, True)[1] for step in range(8)])
    for step in range(8):
        assert set(one.batch(0, step, False)[1].unique().tolist()) == {0, 1}


@pytest.mark.parametrize(("background", "label"), [("ignore", 255), ("road", 0), ("tree", 1)])
@pytest.mark.parametrize("augmentation", ["published", "recommended"])
def test_the_background_of_a_proxy(
    data: Path, background: str, label: int, augmentation: str
) -> None:
    settings = {"image_share": 0.99, "background": background}
    one = sampler(data, proxies=settings, augmentation=augmentation)
    images, labels = one.batch(1, 0, True)
    proxies = images.amax(dim=(1, 2, 3)) > 0.38
    assert proxies.sum() >= 3
    assert set(labels[proxies].unique().tolist()) == {254, label}


def test_an_index_gives_the_batches_of_its_annotations(data: Path) -> None:
    build_proxies(data / "coco", data / "masks")
    index = {"index": "masks/ood_seg_train2017.csv"}
    for fold in (None, 0, 1):
        objects = {"coco": "coco", "fold": fold, "folds": 2}
        read = sampler(data, objects=objects)
        stored = sampler(data, objects=objects, proxies={**EPOCH_DRAW, **index})
        assert read.describe() == stored.describe()
        for step in range(3):
            for a, b in zip(read.batch(1, step, True), stored.batch(1, step, True), strict=True):
                assert torch.equal(a, b)


def test_a_selection_limits_what_is_drawn_and_may_not_be_empty(data: Path) -> None:
    with pytest.raises(OodError, match=r"\[0.8, 1.0\]; widen min_share"):
        sampler(data, proxies={**EPOCH_DRAW, "min_share": 0.8})
    with pytest.raises(OodError, match="sides of at least 61 pixels"):
        sampler(data, proxies={**EPOCH_DRAW, "min_side": 61})
    with pytest.raises(OodError, match="supercategory 'food': known are animal"):
        sampler(data, proxies={**EPOCH_DRAW, "supercategories": ["food"]})
    with pytest.raises(OodError, match=r"objects\.coco names no folder"):
        sampler(data, objects={})
    with pytest.raises(OodError, match="no class 'grass': the classes are road, tree"):
        sampler(data, proxies={**EPOCH_DRAW, "background": "grass"})
    assert sampler(data, proxies={"image_share": 0.1}).describe()["proxy_images"] == PROXIES


def test_a_missing_or_damaged_picture_is_named(data: Path) -> None:
    path = data / "coco" / "train2017" / f"{3:012d}.png"
    path.write_bytes(path.read_bytes()[:20])
    one = sampler(data)
    with pytest.raises(OodError, match=r"000000000003.png: .*fetch"):
        [epoch(one, 1, number) for number in range(10)]
    path.unlink()
    with pytest.raises(OodError, match=r"000000000003.png: no such image"):
        sampler(data)
    (data / "street" / "images" / "04.png").write_bytes(b"")
    with pytest.raises(OodError, match=r"04.png: .*fetch"):
        epoch(sampler(data, objects={}, proxies={"mode": "epoch_draw"}), 0)


def test_pasted_objects_come_from_both_sources_in_the_given_share(data: Path) -> None:
    crops = data / "crops"
    crops.mkdir()
    for number in range(40):
        assert cv2.imwrite(str(crops / f"{number}_crop.png"), np.zeros((30, 30, 3), np.uint8))
        mask = np.full((30, 30), 255, np.uint8)
        assert cv2.imwrite(str(crops / f"{number}_maskcrop.png"), mask)
    objects = {"coco": "coco", "object_crops": "crops", "fold": None}
    counts = {}
    for share in (None, 0.0, 0.5, 1.0):
        drawing = sampler(data, objects=objects, paste={"crops_share": share})._objects
        assert drawing is not None
        assert drawing.cutouts == PROXIES + 40
        rng = np.random.default_rng(0)
        drawn = [drawing.draw_cutout(rng).cutout_id for _ in range(200)]
        counts[share] = sum(name.startswith("object_crops") for name in drawn)
    assert (counts[0.0], counts[1.0]) == (0, 200)
    assert 80 <= counts[0.5] <= 120
    assert counts[None] > 150
    with pytest.raises(OodError, match=r"crops_share is above 0, but objects\.object_crops"):
        sampler(data, paste={"crops_share": 0.5})


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_made_ahead_are_the_same_in_the_same_order(data: Path, workers: int) -> None:
    one, state = sampler(data, **SHARE), torch.get_rng_state()
    part = slice(1, 3)
    found = list(prefetched_batches(one, 1, range(2, 7), True, part, workers))
    assert torch.equal(torch.get_rng_state(), state)
    assert len(found) == 5
    for step, (images, labels) in enumerate(found, start=2):
        expected = one.batch(1, step, True, part)
        assert torch.equal(images, expected[0])
        assert torch.equal(labels, expected[1])


def test_an_error_in_a_worker_is_the_error_itself(data: Path) -> None:
    (data / "street" / "images" / "04.png").write_bytes(b"")
    one = sampler(data)
    with pytest.raises(OodError, match=r"04.png: .*fetch") as raised:
        list(prefetched_batches(one, 0, range(3), False, workers=1))
    assert "\n" not in str(raised.value)


def test_a_worker_that_is_ended_is_one_line(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = sampler(data)
    monkeypatch.setattr(one, "arrays", lambda *arguments: os._exit(1))
    with pytest.raises(OodError, match=r"loads training samples ended: .*lower loading\.workers"):
        list(prefetched_batches(one, 0, range(3), False, workers=1))
