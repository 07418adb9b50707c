"""Shipped configurations are valid, say what they are for, and run; wrong ones are named."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml
from training_scenes import configuration, stage

from ood_perception.errors import OodError
from ood_training.comparison.configuration import merged
from ood_training.configuration import TrainingConfiguration, load_training_configuration
from ood_training.data_configuration import ObjectsConfiguration
from ood_training.sampler_epochs import EpochPlan
from ood_training.training import train
from ood_training.training.fingerprint import is_same_run, run_fingerprint
from ood_training.training.validation import _refuse_shared_objects

CONFIGURATIONS = Path(__file__).resolve().parents[1] / "config" / "training"
PRESETS = ("published", "thesis", "recommended")


def load(name: str) -> TrainingConfiguration:
    return load_training_configuration(CONFIGURATIONS / f"{name}.yaml")


@pytest.mark.parametrize("path", sorted(CONFIGURATIONS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_are_valid(path: Path) -> None:
    if "meta" in path.stem:
        from ood_training.meta.configuration import load_meta_configuration

        assert load_meta_configuration(path).source
    else:
        assert load_training_configuration(path).name == path.stem


def test_the_published_preset_has_every_switch_of_the_specification() -> None:
    """Sections 2 to 5 and 10."""
    settings = load("published")
    proxies, optimizer, (stage,) = settings.proxies, settings.optimizer, settings.stages
    assert (proxies.background, proxies.exclude_train, proxies.min_side) == ("road", False, 480)
    assert (proxies.mode, proxies.epoch_fraction) == ("epoch_draw", 0.1)
    assert (proxies.min_share, proxies.max_share) == (0.0, 1.0)
    assert (settings.loss.reduction, settings.loss.ood_weight) == ("legacy", 0.9)
    assert (optimizer.kind, optimizer.weight_decay, optimizer.schedule) == ("adam", 0, "constant")
    assert (optimizer.reset_each_epoch, optimizer.clip_norm) == (True, None)
    assert (stage.batch_norm, stage.freeze, stage.warmup_steps) == ("train", "none", 0)
    assert (stage.encoder_learning_rate, stage.decoder_learning_rate) == (1e-5, 1e-5)
    assert (settings.augmentation, settings.crop_size, settings.batch_size) == ("published", 480, 8)
    assert (settings.paste.probability, settings.objects.fold) == (0, None)
    assert (stage.epochs, stage.steps_per_epoch) == (4, None)
    assert EpochPlan(1, settings.batch_size, 2975, proxies=46751, drawn=297).steps == 409


def test_the_thesis_preset_differs_from_the_published_one_in_what_the_thesis_changed() -> None:
    published, thesis = (load(name).model_dump(mode="json") for name in ("published", "thesis"))
    different = {
        key for key, value in published.items() if value != thesis[key] and key not in PRESETS
    }
    assert different == {"name", "output", "batch_size", "proxies"}
    assert thesis["proxies"] == published["proxies"] | {"min_side": 0}
    assert (thesis["batch_size"], thesis["micro_batches"]) == (2, 1)


def write_street_and_coco(root: Path) -> None:
    """Six Cityscapes frames and four COCO images with a cup each, as the official trees lay out."""
    for split in ("train", "val"):
        for number in range(6 if split == "train" else 1):
            image = np.full((64, 96, 3), 90 + 5 * number, np.uint8)
            labels = np.zeros((64, 96), np.uint8)
            labels[:24] = 10
            name = f"town_{number:06d}_000019"
            for kind, suffix, picture in (
                ("leftImg8bit", "leftImg8bit", image),
                ("gtFine", "gtFine_labelTrainIds", labels),
            ):
                folder = root / "cityscapes" / kind / split / "town"
                folder.mkdir(parents=True, exist_ok=True)
                assert cv2.imwrite(str(folder / f"{name}_{suffix}.png"), picture)
    (root / "coco" / "train2017").mkdir(parents=True)
    (root / "coco" / "annotations").mkdir()
    images, annotations = [], []
    for number in range(1, 5):
        picture = np.full((64, 80, 3), 30 * number, np.uint8)
        picture[20:44, 20:44] = (20, 30, 220)
        name = f"{number:012d}.jpg"
        assert cv2.imwrite(str(root / "coco" / "train2017" / name), picture)
        images.append({"id": number, "file_name": name, "height": 64, "width": 80})
        outline = [20.0, 20.0, 44.0, 20.0, 44.0, 44.0, 20.0, 44.0]
        annotations.append(
            {"id": number, "image_id": number, "category_id": 47, "segmentation": [outline],
             "area": 576.0, "bbox": [20, 20, 24, 24], "iscrowd": 0}
        )  # fmt: skip
    categories = [{"id": 47, "name": "cup", "supercategory": "kitchen"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    path = root / "coco" / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_run_from_end_to_end_on_small_trees(tmp_path: Path, name: str) -> None:
    write_street_and_coco(tmp_path)
    content = yaml.safe_load((CONFIGURATIONS / f"{name}.yaml").read_text())
    small: dict[str, Any] = {
        "data_root": str(tmp_path), "output": str(tmp_path / "run"), "model": "tiny_unet",
        "initial_checkpoint": None, "crop_size": 32, "batch_size": 2, "device": "cpu",
        "threads": 1, "loading": {"workers": 0}, "proxies": {"min_side": 0, "epoch_fraction": 0.5},
        "validation": {"every": 1, "size": [64, 96]},
        "stages": [content["stages"][0] | {"epochs": 2}],
    }  # fmt: skip
    if name == "recommended":
        small["stages"][0]["steps_per_epoch"] = 2
        small["paste"] = {"probability": 1.0, "known_classes": []}
        small["validation"]["paste_objects"] = {"fold": 1, "folds": 2}
    result = train(TrainingConfiguration.model_validate(merged(content, small)))
    first, second = result["epochs"]
    assert np.isfinite([first["loss"], second["loss"]]).all()
    if name == "recommended":
        assert 0 < second["average_precision"] <= 1
        assert (tmp_path / "run" / "best.safetensors").is_file()
    else:
        assert "average_precision" not in second
        assert len(set(first["drawn_proxy_ids"])) == 3
        assert set(first["drawn_proxy_ids"]) <= {1, 2, 3, 4}


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    content = yaml.safe_load((CONFIGURATIONS / "street.yaml").read_text())
    path.write_text(yaml.safe_dump({**content, "batch_sise": 3}))
    with pytest.raises(OodError, match="batch_sise"):
        load_training_configuration(path)
    stages = content["stages"] * 2
    path.write_text(yaml.safe_dump({**content, "stages": stages}))
    with pytest.raises(OodError, match=r"setting stages: .*'known_classes' is taken"):
        load_training_configuration(path)
    source = content["sources"][0] | {"scale": [1.5, 0.5]}
    path.write_text(yaml.safe_dump({**content, "sources": [source]}))
    with pytest.raises(OodError, match=r"setting sources\.0\.scale: .*least and greatest"):
        load_training_configuration(path)
    path.write_text("a: [")
    with pytest.raises(OodError, match="not YAML"):
        load_training_configuration(path)


def test_batch_statistics_of_one_image_are_refused_in_one_line(tmp_path: Path) -> None:
    settings = configuration(
        tmp_path, model="deeplabv3plus_resnet18", micro_batches=4, crop_size=32, validation=None
    )
    assert settings.stages[0].batch_norm == "train"
    with pytest.raises(OodError, match="at least 2 images at a time") as caught:
        train(settings)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("used", "held_out", "shared"),
    [
        ((0, 2), (1, 2), False),
        ((0, 2), (1, 10), False),
        ((0, 2), (2, 10), True),
        ((None, 2), (1, 2), True),
        ((0, 3), (1, 2), True),
    ],
)
def test_objects_of_the_training_are_not_validated_on(
    used: tuple[int | None, int], held_out: tuple[int, int], shared: bool
) -> None:
    first, second = (
        ObjectsConfiguration(coco="coco", fold=fold, folds=folds)
        for fold, folds in (held_out, used)
    )
    with pytest.raises(OodError, match="that the training uses too") if shared else nullcontext():
        _refuse_shared_objects(first, second)


def test_the_best_epoch_needs_a_validation_to_be_found(tmp_path: Path) -> None:
    with pytest.raises(OodError, match="keep_best_by is mean_iou, but there is no validation"):
        train(configuration(tmp_path, validation=None, keep_best_by="mean_iou"))


def test_micro_batches_are_part_of_a_run_whose_batch_statistics_depend_on_them(
    tmp_path: Path,
) -> None:
    for mode, same in (("eval", True), ("train", False)):
        parts = [
            run_fingerprint(
                configuration(tmp_path, micro_batches=n, stages=[stage("known", batch_norm=mode)])
            )
            for n in (1, 2)
        ]
        assert (parts[0] == parts[1]) is same


def test_a_run_goes_on_under_settings_that_are_newer_than_it(tmp_path: Path) -> None:
    """A fingerprint without a setting is of its default, as the run was; of no other value."""
    now = configuration(tmp_path)
    older = json.loads(run_fingerprint(now))
    del older["head"], older["loss"]["kind"], older["paste"]["style"]
    fingerprint = json.dumps(older)
    assert is_same_run(fingerprint, now)
    assert is_same_run(run_fingerprint(now, 2), now, 2)
    assert not is_same_run(fingerprint, configuration(tmp_path, loss={"kind": "one_vs_rest"}))
    assert not is_same_run(fingerprint, configuration(tmp_path, seed=7))
    assert not is_same_run(run_fingerprint(now, 2), now, 1), "batch statistics of other parts"
    assert not is_same_run("no settings at all", now)
