"""A training run learns, keeps what it should and says what is wrong."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from training_scenes import assert_same_bits, configuration, model_state, stage

from ood_perception.errors import OodError
from ood_training import checkpoint
from ood_training.evaluation import NetworkFigures
from ood_training.metrics.pixel import PixelMetrics
from ood_training.training import CHECKPOINT_NAME, Trainer, train
from ood_training.training.trainer import BEST_NAME


def test_a_run_learns_its_classes_and_the_unknown(tmp_path: Path) -> None:
    """The mean of three runs: what one so short one gains depends on seed and processor."""
    rates = {"encoder_learning_rate": 5e-3, "decoder_learning_rate": 5e-3}
    stages = [
        stage("known", steps_per_epoch=90, **rates),
        stage("unknown", steps_per_epoch=90, unknown_objects=True, **rates),
    ]
    gains = []
    for seed in (1, 2, 3):
        output = tmp_path / f"run_{seed}"
        trainer = Trainer(configuration(tmp_path, stages=stages, seed=seed, output=output))
        known, unknown = trainer.run()["epochs"]
        assert unknown["mean_iou"] > 0.8
        assert unknown["average_precision"] > 0.5
        assert unknown["auroc"] > 0.9
        gains.append(unknown["average_precision"] - known["average_precision"])
        assert list((output / "tensorboard").glob("events*"))
        assert json.loads((output / "result.json").read_text())["epochs"] == [known, unknown]
    assert np.mean(gains) > 0.2


def test_batches_depend_on_seed_stage_and_step_only(tmp_path: Path) -> None:
    first, second = (Trainer(configuration(tmp_path)).sampler for _ in range(2))
    images, labels = first.batch(0, 7, False)
    first.batch(0, 8, False)
    assert torch.equal(images, second.batch(0, 7, False)[0])
    assert torch.equal(labels, second.batch(0, 7, False)[1])
    assert not torch.equal(images, second.batch(0, 8, False)[0])
    assert images.shape == (4, 3, 32, 32)
    assert 0 <= images.min() <= images.max() <= 1


def test_batch_norm_in_eval_mode_keeps_its_statistics_and_learns_its_scale(tmp_path: Path) -> None:
    train(configuration(tmp_path))
    known = model_state(tmp_path / "run" / "known.safetensors")
    unknown = model_state(tmp_path / "run" / "unknown.safetensors")
    statistics = [name for name in known if "running_" in name]
    assert statistics
    assert all(known[name].equal(unknown[name]) for name in statistics)
    assert not known["model.classifier.weight"].equal(unknown["model.classifier.weight"])
    norm = statistics[0].replace("running_mean", "weight")
    assert not known[norm].equal(unknown[norm])


@pytest.mark.parametrize("parts", ["backbone", "all_but_head"])
def test_frozen_parts_keep_every_tensor(tmp_path: Path, parts: str) -> None:
    frozen = stage("frozen", freeze=parts, batch_norm="train", unknown_objects=True)
    trainer = Trainer(configuration(tmp_path, validation=None, stages=[frozen]))
    network = trainer.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    trainer.run()
    changed = {
        name for name, value in network.state_dict().items() if not value.equal(before[name])
    }
    if parts == "all_but_head":
        assert changed == {name for name in before if network.is_head_tensor(name)}
    else:
        assert changed
        assert not {n for n in changed if n.startswith(tuple(network.backbone_modules))}


def test_the_published_reset_forgets_the_moments_at_every_epoch(tmp_path: Path) -> None:
    """With a constant rate, two epochs then differ from one of twice the length."""
    settings = {"kind": "adam", "schedule": "constant", "weight_decay": 0.0}

    def final(output: str, reset: bool, epochs: int) -> dict[str, torch.Tensor]:
        stages = [stage("only", epochs=epochs, steps_per_epoch=4 // epochs)]
        optimizer = settings | {"reset_each_epoch": reset}
        train(
            configuration(
                tmp_path, output=tmp_path / output, validation=None, stages=stages,
                optimizer=optimizer,
            )
        )  # fmt: skip
        return model_state(tmp_path / output / "only.safetensors")

    long, kept = final("long", True, 1), final("kept", False, 2)
    assert_same_bits(long, kept)
    reset = final("reset", True, 2)
    assert not reset["model.classifier.weight"].equal(kept["model.classifier.weight"])


def test_best_is_the_epoch_with_the_highest_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = [stage("only", epochs=3, steps_per_epoch=1)]
    trainer = Trainer(configuration(tmp_path, stages=stages, keep_best_by="average_precision"))
    precisions, seen = iter((0.2, 0.6, 0.4)), []

    def measure(network: torch.nn.Module) -> NetworkFigures:
        seen.append({f"model.{k}": v.clone() for k, v in network.state_dict().items()})
        return NetworkFigures(np.array([0.5, 0.5]), PixelMetrics(next(precisions), 0.5, 0.5, 1, 1))

    monkeypatch.setattr(trainer.validation, "measure", measure)
    trainer.run()
    assert_same_bits(model_state(tmp_path / "run" / BEST_NAME), seen[1])
    assert_same_bits(model_state(tmp_path / "run" / CHECKPOINT_NAME), seen[2])


def test_a_full_disk_while_saving_is_one_line_and_keeps_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(configuration(tmp_path, validation=None, stages=[stage("known")]))
    path = tmp_path / "run" / CHECKPOINT_NAME
    before = path.read_bytes()

    def full(tensors: Any, name: str, metadata: Any) -> None:
        Path(name).write_bytes(b"half a checkp")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(OodError, match="No space left on device") as caught:
        train(configuration(tmp_path, validation=None, stages=[stage("known")]), restart=True)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*temporary*"))


def test_a_loss_that_is_no_number_is_one_line(tmp_path: Path) -> None:
    trainer = Trainer(configuration(tmp_path))
    with torch.no_grad():
        next(iter(trainer.network.parameters())).fill_(float("nan"))
    with pytest.raises(
        OodError, match="loss is nan at step 0 of stage 'known': lower the learning"
    ):
        trainer.run()


def test_a_checkpoint_of_other_settings_is_refused(tmp_path: Path) -> None:
    train(configuration(tmp_path))
    with pytest.raises(OodError, match="written with other settings"):
        train(configuration(tmp_path, batch_size=2))
    assert train(configuration(tmp_path, batch_size=2), restart=True)["name"] == "test"


def test_a_restart_leaves_nothing_to_go_on_from_but_itself(tmp_path: Path) -> None:
    settings = configuration(tmp_path)
    train(settings)
    Trainer(settings).begin_anew()
    resumed = Trainer(settings)
    assert resumed.resume()
    assert (resumed.place.stage, resumed.place.total_step, resumed.epochs) == (0, 0, [])
    assert not (settings.output / "best.safetensors").exists()


def test_initial_weights_of_another_number_of_classes_are_refused(tmp_path: Path) -> None:
    train(configuration(tmp_path))
    (tmp_path / "scenes" / "classes.yaml").write_text("classes: [road, tree, sky]\n")
    begin = {"initial_checkpoint": tmp_path / "run" / "known.safetensors", "validation": None}
    with pytest.raises(OodError, match="trained on 2 classes, but the data has 3") as caught:
        Trainer(configuration(tmp_path, **begin))
    assert "\n" not in str(caught.value)
    network = Trainer(configuration(tmp_path, new_head=True, **begin)).network
    known = model_state(tmp_path / "run" / "known.safetensors")
    assert network.state_dict()["stem.0.weight"].equal(known["model.stem.0.weight"])


def test_a_broken_checkpoint_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / CHECKPOINT_NAME
    with pytest.raises(OodError, match="no such checkpoint"):
        checkpoint.read_checkpoint(path)
    path.write_bytes(b"\x08\0\0\0\0\0\0\0{}      ")
    with pytest.raises(OodError, match="not a checkpoint"):
        checkpoint.read_checkpoint(path)


def test_generated_scenes_are_drawn_on_first_use_and_only_then(tmp_path: Path) -> None:
    from ood_training.training.scenes import draw_missing_scenes

    def asked(count: int) -> Any:
        render = {"count": count, "seed": 5}
        source = {"kind": "generated", "root": "drawn", "render": render}
        return configuration(tmp_path, sources=[source], validation=None)

    draw_missing_scenes(asked(2))
    pictures = sorted((tmp_path / "drawn" / "images").iterdir())
    assert len(pictures) == 2
    times = [path.stat().st_mtime_ns for path in pictures]
    draw_missing_scenes(asked(2))
    assert [path.stat().st_mtime_ns for path in pictures] == times
    with pytest.raises(OodError, match="holds 2 other scenes than the 3 of seed 5"):
        draw_missing_scenes(asked(3))


def test_a_run_leaves_the_process_as_it_found_it(tmp_path: Path) -> None:
    """Threads, and numbers too small for the normal format, which a run flushes to zero."""
    threads, tiny = torch.get_num_threads(), torch.tensor(1e-40)
    train(configuration(tmp_path, threads=1 if threads > 1 else 2))
    assert torch.get_num_threads() == threads
    assert float(tiny * 1.0) > 0
