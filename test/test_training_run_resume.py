"""A run that is killed, at any moment and several times, ends bit for bit as an undisturbed one."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from training_scenes import assert_same_bits, configuration, model_state, stage

from ood_perception.errors import OodError
from ood_training import checkpoint
from ood_training.configuration import TrainingConfiguration
from ood_training.training import CHECKPOINT_NAME, train

STAGES = [
    stage("known", epochs=2, steps_per_epoch=4),
    stage("unknown", epochs=2, steps_per_epoch=4, unknown_objects=True, batch_norm="eval"),
]
# A server that has loaded the program once and forks: a run then starts at once.
CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["ood_training.training"])


def settings(folder: Path, output: str) -> TrainingConfiguration:
    return configuration(
        folder, output=folder / output, stages=STAGES, checkpoint_each_steps=1,
        keep_best_by="mean_iou",
    )  # fmt: skip


def run(content: dict[str, Any], die_at: str = "", save: int = 0, file_limit: int = 0) -> None:
    """Train in this process; die at a moment of a save, counted from 1, or at a full disk."""
    if file_limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    saves = 0
    save_file, replace = checkpoint.save_file, os.replace

    def save_half(tensors: Any, name: str, metadata: Any) -> None:
        nonlocal saves
        saves += 1
        save_file(tensors, name, metadata=metadata)
        if saves == save and die_at == "half_written":
            os.truncate(name, Path(name).stat().st_size // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    def move(source: Any, target: Any) -> None:
        before = die_at == "before_the_move"
        if saves == save and before:
            os.kill(os.getpid(), signal.SIGKILL)
        replace(source, target)
        if saves == save and die_at == "after_the_move":
            os.kill(os.getpid(), signal.SIGKILL)

    checkpoint.save_file, checkpoint.os.replace = save_half, move
    train(TrainingConfiguration.model_validate(content))


def start(content: TrainingConfiguration, *arguments: Any) -> Any:
    child = CONTEXT.Process(target=run, args=(content.model_dump(mode="json"), *arguments))
    child.start()
    return child


def ended(child: Any) -> int:
    child.join(timeout=200)
    return int(child.exitcode)


@pytest.mark.slow
def test_kill_9_at_any_moment_and_resuming_changes_no_bit(tmp_path: Path) -> None:
    assert ended(start(settings(tmp_path, "whole"))) == 0
    broken = settings(tmp_path, "broken")
    last = broken.output / CHECKPOINT_NAME

    for die_at, save in (("half_written", 2), ("before_the_move", 3), ("after_the_move", 4)):
        assert ended(start(broken, die_at, save)) == -signal.SIGKILL
    chance = random.Random(4)
    for _ in range(3):
        seen = last.stat().st_mtime_ns
        child = start(broken)
        while child.is_alive() and last.stat().st_mtime_ns == seen:
            time.sleep(0.002)
        time.sleep(chance.uniform(0.0, 0.15))
        child.kill()
        assert ended(child) == -signal.SIGKILL, "the run was over before it could be killed"
    (broken.output / "last.safetensors.temporary").write_bytes(b"left by another kill")
    assert ended(start(broken)) == 0

    whole = settings(tmp_path, "whole").output
    for name in ("known", "unknown", "best", "last"):
        file = f"{name}.safetensors"
        assert_same_bits(model_state(whole / file), model_state(broken.output / file))
    results = [json.loads((f / "result.json").read_text()) for f in (whole, broken.output)]
    assert [row["epoch"] for row in results[1]["epochs"]] == [1, 2, 1, 2]
    assert results[0]["epochs"] == results[1]["epochs"]
    assert not list(broken.output.glob("*temporary*"))


def test_a_file_that_cannot_grow_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    """The operating system itself refuses, as a full disk does."""
    settled = settings(tmp_path, "run")
    assert ended(start(settled, "after_the_move", 2)) == -signal.SIGKILL
    path = settled.output / CHECKPOINT_NAME
    before = path.read_bytes()
    assert ended(start(settled, "", 0, 100_000)) == 1
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*temporary*"))
    assert checkpoint.read_checkpoint(path)[1].total_step == 2


def test_a_finished_run_is_not_repeated(tmp_path: Path) -> None:
    short = configuration(tmp_path, stages=[stage("only")])
    first = train(short)
    path = short.output / "only.safetensors"
    written = path.stat().st_mtime_ns
    assert train(short)["epochs"] == first["epochs"]
    assert path.stat().st_mtime_ns == written


def test_a_missing_output_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    blocked = configuration(tmp_path, output=tmp_path / "file" / "run")
    with pytest.raises(OodError, match="cannot make the output folder"):
        train(blocked)
