"""A training run learns, can be killed and resumed to the same end, and says what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
import yaml

from ood_perception.errors import OodError
from ood_training import checkpoint
from ood_training.configuration import TrainingConfiguration, load_training_configuration
from ood_training.evaluation import class_ious, confusion_matrix
from ood_training.training import CHECKPOINT_NAME, Trainer, train

CONFIGURATIONS = Path(__file__).resolve().parents[1] / "config" / "training"


def write_scenes(root: Path, count: int = 4) -> None:
    """Green over blue, two classes, with a red unknown box on the blue."""
    for part in ("images", "labels"):
        (root / part).mkdir(parents=True)
    for number in range(count):
        labels = np.ones((48, 64), np.uint8)
        labels[20 + number :] = 0
        labels[34:42, 8 * number + 4 : 8 * number + 16] = 254
        colors = np.array([[200, 40, 40], [40, 200, 40], [40, 40, 230]], np.uint8)
        image = colors[np.where(labels == 254, 2, labels)]
        assert cv2.imwrite(str(root / "images" / f"{number}.png"), image)
        assert cv2.imwrite(str(root / "labels" / f"{number}.png"), labels)
    (root / "classes.yaml").write_text("classes: [road, tree]\n")


def configuration(tmp_path: Path, **changes: Any) -> TrainingConfiguration:
    if not (tmp_path / "scenes").is_dir():
        write_scenes(tmp_path / "scenes")
    rates = {"encoder_learning_rate": 3e-3, "decoder_learning_rate": 3e-3}
    stage = {"epochs": 1, "steps_per_epoch": 3, **rates}
    source = {"kind": "generated", "root": "scenes", "scale": [0.9, 1.1]}
    settings = {
        "name": "test", "data_root": tmp_path, "output": tmp_path / "run", "model": "tiny_unet",
        "crop_size": 32, "batch_size": 4, "light": 0.2, "sources": [source],
        "validation": {"source": source, "every": 2, "size": [48, 64]},
        "stages": [
            {"name": "known", **stage},
            {"name": "unknown", "unknown_objects": True, "freeze_batch_norm": True, **stage},
        ],
    } | changes  # fmt: skip
    return TrainingConfiguration.model_validate(settings)


def _state(path: Path) -> dict[str, torch.Tensor]:
    return {k: v for k, v in checkpoint.read_checkpoint(path)[0].items() if k.startswith("model.")}


def test_an_interrupted_run_ends_like_an_uninterrupted_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = configuration(tmp_path, output=tmp_path / "whole")
    train(whole)

    broken = configuration(tmp_path, output=tmp_path / "broken")
    trainer, steps = Trainer(broken), []
    original = trainer._step

    def failing_step(stage: Any) -> float:
        if len(steps) == 5:
            raise KeyboardInterrupt
        steps.append(stage.name)
        return original(stage)

    monkeypatch.setattr(trainer, "_step", failing_step)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(save_each_steps=1)
    assert steps == ["known"] * 3 + ["unknown"] * 2
    train(broken)

    expected, resumed = (
        _state(tmp_path / run / "unknown.safetensors") for run in ("whole", "broken")
    )
    assert expected.keys() == resumed.keys()
    for name, value in expected.items():
        torch.testing.assert_close(resumed[name], value, rtol=1e-4, atol=1e-5)


def test_a_run_learns_its_classes_and_the_unknown(tmp_path: Path) -> None:
    rates = {"encoder_learning_rate": 5e-3, "decoder_learning_rate": 5e-3}
    stages = [
        {"name": "known", "epochs": 1, "steps_per_epoch": 60, **rates},
        {"name": "unknown", "epochs": 1, "steps_per_epoch": 60, "unknown_objects": True, **rates},
    ]
    settings = configuration(tmp_path, stages=stages)
    trainer = Trainer(settings)
    result = trainer.run()
    assert result["epochs"][-1]["mean_iou"] > 0.8
    images, labels = trainer.sampler.batch(9, 0, True)
    trainer.network.eval()
    with torch.inference_mode():
        probabilities = trainer.network(trainer._normalise(images)).softmax(1)
    entropy = -(probabilities * probabilities.clamp_min(1e-9).log()).sum(1) / np.log(2)
    assert entropy[labels == 254].mean() > entropy[labels < 2].mean() + 0.3


def test_batches_depend_on_seed_stage_and_step_only(tmp_path: Path) -> None:
    first, second = (Trainer(configuration(tmp_path)).sampler for _ in range(2))
    images, labels = first.batch(0, 7, False)
    first.batch(0, 8, False)
    assert torch.equal(images, second.batch(0, 7, False)[0])
    assert torch.equal(labels, second.batch(0, 7, False)[1])
    assert not torch.equal(images, second.batch(0, 8, False)[0])
    assert images.shape == (4, 3, 32, 32)
    assert 0 <= images.min() <= images.max() <= 1


def test_frozen_batch_norm_keeps_its_statistics(tmp_path: Path) -> None:
    settings = configuration(tmp_path)
    train(settings)
    known = _state(tmp_path / "run" / "known.safetensors")
    unknown = _state(tmp_path / "run" / "unknown.safetensors")
    means = [name for name in known if name.endswith("running_mean")]
    assert means
    assert all(known[name].equal(unknown[name]) for name in means)
    assert not known["model.classifier.weight"].equal(unknown["model.classifier.weight"])


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(configuration(tmp_path))
    with pytest.raises(OodError, match="written with other settings"):
        train(configuration(tmp_path, batch_size=2))
    assert train(configuration(tmp_path, batch_size=2), restart=True)["name"] == "test"


def test_a_broken_checkpoint_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT_NAME
    with pytest.raises(OodError, match="no such checkpoint"):
        checkpoint.read_checkpoint(path)
    path.write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(OodError, match="not a checkpoint"):
        checkpoint.read_checkpoint(path)


@pytest.mark.parametrize("path", sorted(CONFIGURATIONS.glob("*.yaml")), ids=lambda path: path.name)
def test_shipped_configurations_are_valid(path: Path) -> None:
    if "meta" in path.stem:
        from ood_training.meta_configuration import load_meta_configuration

        assert load_meta_configuration(path).source
    else:
        assert load_training_configuration(path).name == path.stem


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    content = yaml.safe_load((CONFIGURATIONS / "street.yaml").read_text())
    path.write_text(yaml.safe_dump({**content, "batch_sise": 3}))
    with pytest.raises(OodError, match="batch_sise"):
        load_training_configuration(path)
    path.write_text("a: [")
    with pytest.raises(OodError, match="not YAML"):
        load_training_configuration(path)


def test_ious_of_a_known_confusion() -> None:
    predicted = np.array([[0, 0, 1, 1]], np.uint8)
    labels = np.array([[0, 1, 1, 255]], np.uint8)
    confusion = confusion_matrix(predicted, labels, 3)
    assert confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    ious = class_ious(confusion)
    assert ious[:2].tolist() == [0.5, 0.5]
    assert np.isnan(ious[2])
