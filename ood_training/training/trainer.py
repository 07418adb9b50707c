"""A training run in stages: known classes first, then unknown objects."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ood_perception.errors import OodError
from ood_training import checkpoint
from ood_training.configuration import StageConfiguration, TrainingConfiguration
from ood_training.sampler import TrainingSampler
from ood_training.sampler_prefetch import prefetched_batches
from ood_training.training.fingerprint import is_same_run, run_fingerprint
from ood_training.training.modes import freeze, set_training_mode
from ood_training.training.networks import create_network, kernel_settings
from ood_training.training.optimizer import create_optimizer, set_learning_rates
from ood_training.training.processes import Processes, choose_device
from ood_training.training.record import RunRecord, write_result
from ood_training.training.stage_loss import evidence_of
from ood_training.training.step import TrainingStep
from ood_training.training.validation import Validation, figures_row

_log = logging.getLogger(__name__)
CHECKPOINT_NAME, BEST_NAME = "last.safetensors", "best.safetensors"


@dataclass
class _Place:
    """The next step: its stage, its number in the stage and in the run."""

    stage: int = 0
    step: int = 0
    total_step: int = 0


class Trainer:
    """Runs a configuration from its first, or last saved, step to its end."""

    def __init__(
        self, configuration: TrainingConfiguration, processes: Processes | None = None
    ) -> None:
        self.configuration = configuration
        self.processes = processes or Processes(0, 1, choose_device(configuration.device))
        if configuration.batch_size < self.processes.count:
            raise OodError(
                f"batch_size is {configuration.batch_size}: less than one image for each of "
                f"{self.processes.count} processes"
            )
        if configuration.threads is not None:
            torch.set_num_threads(configuration.threads)
        # numbers too small for the normal format make a CPU's convolutions several times slower
        torch.set_flush_denormal(True)
        torch.manual_seed(configuration.seed)
        self.sampler = TrainingSampler(configuration)
        network = create_network(configuration, self.sampler.classes)
        self.network = network.to(self.processes.device).to(memory_format=torch.channels_last)
        self.step = TrainingStep(self.network, configuration, self.processes)
        self.validation = self._open_validation()
        if configuration.validation is None and configuration.keep_best_by != "none":
            raise OodError(
                f"keep_best_by is {configuration.keep_best_by}, but there is no validation that "
                "measures it: name one, or say none"
            )
        self.place = _Place()
        self.optimizer: torch.optim.Optimizer | None = None
        self.epochs: list[dict[str, Any]] = []
        self._losses: list[float] = []
        self._best: float | None = None
        self._seconds, self._started = 0.0, time.monotonic()

    @property
    def output(self) -> Path:
        return self.configuration.output

    def resume(self) -> bool:
        """Continue from the last checkpoint of this configuration, if there is one."""
        path = self.output / CHECKPOINT_NAME
        tensors: dict[str, Tensor] = {}
        found: dict[str, Any] | None = None
        if self.processes.is_first and path.is_file():
            tensors, progress = checkpoint.read_checkpoint(path)
            self._check_same_run(path, progress)
            found = vars(progress)
        found = self.processes.values_of_first(found)
        if found is None:
            return False
        tensors = self.processes.tensors_of_first(tensors)
        checkpoint.load_network_state(self.network, tensors, path)
        self.place = _Place(found["stage"], found["step"], found["total_step"])
        self.epochs, self._losses = list(found["epochs"]), list(found["losses"])
        self._best, self._seconds = found["best"], found["seconds"]
        if self.place.stage < len(self.configuration.stages):
            self._begin_stage(self.configuration.stages[self.place.stage])
            if self.place.step > 0:
                assert self.optimizer is not None
                checkpoint.load_optimizer_state(self.optimizer, tensors)
            self.step.scaler.load_state_dict(found["loss_scaler"])
        if self.processes.is_first:
            _log.info("resumed at stage %d step %d", self.place.stage, self.place.step)
        return True

    def begin_anew(self) -> None:
        """Put a first checkpoint in the place of what an earlier run would go on from."""
        self._save(CHECKPOINT_NAME)
        if self.processes.is_first:
            (self.output / BEST_NAME).unlink(missing_ok=True)

    def run(self) -> dict[str, Any]:
        """Train to the end; returns and writes ``result.json``: losses, figures, seconds."""
        first = self.processes.is_first
        if first:
            checkpoint.remove_unfinished(self.output)
            _log.info("seed %d, %s", self.configuration.seed, self.sampler.describe())
        stages = self.configuration.stages
        total = sum(stage.epochs * self._epoch_steps(stage) for stage in stages)
        with RunRecord(self.output, self.place.total_step, total, active=first).open() as record:
            while self.place.stage < len(stages):
                stage = stages[self.place.stage]
                if self.optimizer is None:
                    self._begin_stage(stage)
                self._run_stage(stage, record)
                self._save(f"{stage.name}.safetensors")
                self.place = _Place(self.place.stage + 1, 0, self.place.total_step)
                self.optimizer, self._best = None, None
                self._save(CHECKPOINT_NAME)
        result = {
            "name": self.configuration.name,
            "seed": self.configuration.seed,
            "classes": list(self.sampler.classes),
            "seconds": round(self._elapsed(), 1),
            "epochs": self.epochs,
        }
        if first:
            write_result(self.output, result)
        return result

    def _begin_stage(self, stage: StageConfiguration) -> None:
        freeze(self.network, stage.freeze)
        set_training_mode(self.network, stage.batch_norm)
        self.network.evidence = evidence_of(
            self.configuration, unknown_objects=stage.unknown_objects
        )
        self.optimizer = create_optimizer(self.network, self.configuration.optimizer)
        self.step.begin_stage()

    def _run_stage(self, stage: StageConfiguration, record: RunRecord) -> None:
        settings, epoch_steps = self.configuration.optimizer, self._epoch_steps(stage)
        steps = stage.epochs * epoch_steps
        for images, labels in self._batches(stage, range(self.place.step, steps)):
            if settings.reset_each_epoch and self.place.step % epoch_steps == 0:
                self.optimizer = create_optimizer(self.network, settings)
            assert self.optimizer is not None
            set_learning_rates(self.optimizer, stage, settings.schedule, self.place.step, steps)
            loss = self.step.run(
                images, labels, stage, self.optimizer, (self.place.stage, self.place.step)
            )
            self._losses.append(loss)
            self.place.step += 1
            self.place.total_step += 1
            record.step(stage.name, loss, self.place.total_step)
            ended = self.place.step % epoch_steps == 0
            if ended:
                self._end_epoch(stage, record)
            if ended or self.place.step % self.configuration.checkpoint_each_steps == 0:
                self._save(CHECKPOINT_NAME, with_optimizer=True)

    def _batches(self, stage: StageConfiguration, steps: range) -> Iterator[tuple[Tensor, Tensor]]:
        """This process's share of each step's global batch."""
        part = self.processes.share(self.configuration.batch_size)
        return prefetched_batches(
            self.sampler, self.place.stage, steps, stage.unknown_objects, part
        )

    def _end_epoch(self, stage: StageConfiguration, record: RunRecord) -> None:
        epoch = self.place.step // self._epoch_steps(stage)
        row: dict[str, Any] = {
            "stage": stage.name,
            "epoch": epoch,
            "loss": float(np.mean(self._losses)),
        }
        self._losses = []
        drawn = self.sampler.drawn_proxy_ids(self.place.stage, epoch - 1)
        if drawn:
            row["drawn_proxy_ids"] = [int(number) for number in drawn]
        if self.validation is not None and self.validation.due(epoch, stage.epochs):
            row |= figures_row(self.validation.measure(self.network), self.sampler.classes)
        self.epochs.append(row)
        record.epoch(row, self.place.total_step)
        value = row.get(self.configuration.keep_best_by)
        if value is not None and (self._best is None or value > self._best):
            self._best = value
            self._save(BEST_NAME)
        self.processes.wait()

    def _epoch_steps(self, stage: StageConfiguration) -> int:
        return stage.steps_per_epoch or self.sampler.steps_per_epoch(stage.unknown_objects)

    def _open_validation(self) -> Validation | None:
        settings = self.configuration.validation
        if settings is None or not self.processes.is_first:
            return None
        return Validation(settings, self.configuration, self.sampler.classes)

    def _check_same_run(self, path: Path, progress: checkpoint.Progress) -> None:
        if not is_same_run(progress.configuration, self.configuration, self.processes.count):
            raise OodError(
                f"{path}: was written with other settings; use the old settings, another output "
                "folder, or --restart"
            )
        if progress.classes != self.sampler.classes:
            raise OodError(
                f"{path}: was trained on the classes {', '.join(progress.classes)}, but the data "
                f"now has {', '.join(self.sampler.classes)}; use another output folder"
            )

    def _elapsed(self) -> float:
        return self._seconds + time.monotonic() - self._started

    def _save(self, name: str, *, with_optimizer: bool = False) -> None:
        if not self.processes.is_first:
            return
        kernels = kernel_settings(self.configuration.head)
        progress = checkpoint.Progress(
            stage=self.place.stage,
            step=self.place.step,
            total_step=self.place.total_step,
            model=self.configuration.model,
            classes=self.sampler.classes,
            decoder_channels=self.configuration.decoder_channels,
            configuration=run_fingerprint(self.configuration, self.processes.count),
            output_stride=self.configuration.output_stride,
            evidence=asdict(self.network.evidence),
            kernels=asdict(kernels) if kernels else {},
            epochs=tuple(self.epochs),
            losses=tuple(self._losses),
            best=self._best,
            seconds=self._elapsed(),
            loss_scaler=self.step.scaler.state_dict(),
        )
        optimizer = self.optimizer if with_optimizer else None
        checkpoint.save_checkpoint(self.output / name, self.network, optimizer, progress)
