"""A training run in stages: known classes first, then the entropy of unknown objects."""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from ood_perception.errors import OodError
from ood_training import checkpoint
from ood_training.configuration import StageConfiguration, TrainingConfiguration
from ood_training.evaluation import measure_ious
from ood_training.losses import IGNORE_LABEL, OOD_LABEL, entropy_maximization_loss
from ood_training.models import SegmentationNetwork, create_model
from ood_training.models.deeplabv3plus import DeepLabV3Plus, load_imagenet_weights
from ood_training.sampler import TrainingSampler, open_source

_log = logging.getLogger(__name__)
CHECKPOINT_NAME = "last.safetensors"


@dataclass
class _Place:
    """The next step: its stage, its number in the stage and in the run."""

    stage: int = 0
    step: int = 0
    total_step: int = 0


class Trainer:
    """Runs a configuration from its first, or last saved, step to its end."""

    def __init__(self, configuration: TrainingConfiguration) -> None:
        self.configuration = configuration
        if configuration.threads is not None:
            torch.set_num_threads(configuration.threads)
        # numbers too small for the normal format make a CPU's convolutions several times slower
        torch.set_flush_denormal(True)
        torch.manual_seed(configuration.seed)
        self.sampler = TrainingSampler(configuration)
        self.network = self._create_network()
        self.place = _Place()
        self.optimizer = self._create_optimizer()
        self.results: list[dict[str, Any]] = []

    @property
    def output(self) -> Path:
        return self.configuration.output

    def resume(self) -> bool:
        """Continue from the last checkpoint of this configuration, if there is one."""
        path = self.output / CHECKPOINT_NAME
        if not path.is_file():
            return False
        tensors, progress = checkpoint.read_checkpoint(path)
        if progress.configuration != self._fingerprint():
            raise OodError(
                f"{path}: was written with other settings; use the old settings, another output "
                "folder, or --restart"
            )
        checkpoint.load_network_state(self.network, tensors, path)
        self.place = _Place(progress.stage, progress.step, progress.total_step)
        self.optimizer = self._create_optimizer()
        if progress.step > 0:
            checkpoint.load_optimizer_state(self.optimizer, tensors)
        _log.info("resumed at stage %d step %d", progress.stage, progress.step)
        return True

    def run(self, *, save_each_steps: int = 50) -> dict[str, Any]:
        """Train to the end; returns and writes ``result.json``: losses, mIoU, seconds."""
        started = time.monotonic()
        _log.info("seed %d, %s", self.configuration.seed, self.sampler.describe())
        stages = self.configuration.stages
        total = sum(stage.epochs * stage.steps_per_epoch for stage in stages)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
        )
        with SummaryWriter(str(self.output / "tensorboard")) as writer, Progress(*columns) as bar:
            task = bar.add_task("training", total=total, completed=self.place.total_step)
            while self.place.stage < len(stages):
                stage = stages[self.place.stage]
                bar.update(task, description=stage.name)
                self._run_stage(stage, writer, save_each_steps, lambda: bar.advance(task))
                self._save(f"{stage.name}.safetensors", with_optimizer=False)
                self.place = _Place(self.place.stage + 1, 0, self.place.total_step)
                self.optimizer = self._create_optimizer()
                self._save(CHECKPOINT_NAME)
        result = {
            "name": self.configuration.name,
            "seed": self.configuration.seed,
            "classes": list(self.sampler.classes),
            "seconds": round(time.monotonic() - started, 1),
            "epochs": self.results,
        }
        self._write_json("result.json", result)
        return result

    def _run_stage(
        self, stage: StageConfiguration, writer: SummaryWriter, save_each: int, advance: Any
    ) -> None:
        steps = stage.epochs * stage.steps_per_epoch
        losses: list[float] = []
        while self.place.step < steps:
            self._set_learning_rates(stage, self.place.step, steps)
            losses.append(self._step(stage))
            if self.place.step % 10 == 0:
                _log.info("%s step %d/%d loss %.4f", stage.name, self.place.step, steps, losses[-1])
            self.place.step += 1
            self.place.total_step += 1
            writer.add_scalar("loss", losses[-1], self.place.total_step)
            advance()
            if self.place.step % stage.steps_per_epoch == 0:
                self._end_epoch(stage, losses, writer)
                losses = []
            if self.place.step % save_each == 0 or self.place.step % stage.steps_per_epoch == 0:
                self._save(CHECKPOINT_NAME)

    def _step(self, stage: StageConfiguration) -> float:
        images, labels = self.sampler.batch(
            self.place.stage, self.place.step, stage.unknown_objects
        )
        self._set_mode(stage)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.configuration.bfloat16):
            logits = self.network(self._normalise(images))
        loss = self._loss(logits.float(), labels, stage)
        if not math.isfinite(loss.item()):
            raise OodError(
                f"the loss is {loss.item()} at step {self.place.total_step}: "
                "lower the learning rate"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def _loss(self, logits: Tensor, labels: Tensor, stage: StageConfiguration) -> Tensor:
        if stage.unknown_objects:
            settings = self.configuration.loss
            return entropy_maximization_loss(
                logits, labels, ood_weight=settings.ood_weight, reduction=settings.reduction
            )
        known = labels.masked_fill(labels == OOD_LABEL, IGNORE_LABEL)
        return functional.cross_entropy(logits, known, ignore_index=IGNORE_LABEL)

    def _normalise(self, images: Tensor) -> Tensor:
        mean, std = (
            torch.tensor(values).view(1, 3, 1, 1)
            for values in (self.network.mean, self.network.std)
        )
        return ((images - mean) / std).contiguous(memory_format=torch.channels_last)

    def _set_mode(self, stage: StageConfiguration) -> None:
        self.network.train()
        if stage.freeze_batch_norm:
            for module in self.network.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()

    def _set_learning_rates(self, stage: StageConfiguration, step: int, steps: int) -> None:
        """Linear warm-up, then half a cosine down to a hundredth."""
        factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps))
        factor *= min(1.0, (step + 1) / (stage.warmup_steps + 1))
        rates = (stage.encoder_learning_rate, stage.decoder_learning_rate)
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate * factor

    def _end_epoch(
        self, stage: StageConfiguration, losses: list[float], writer: SummaryWriter
    ) -> None:
        epoch = self.place.step // stage.steps_per_epoch
        row: dict[str, Any] = {
            "stage": stage.name,
            "epoch": epoch,
            "loss": round(float(np.mean(losses)), 5),
        }
        validation = self.configuration.validation
        if validation is not None and (
            epoch % validation.each_epochs == 0 or epoch == stage.epochs
        ):
            dataset = open_source(validation.source, self.configuration).every(validation.every)
            ious = measure_ious(self.network, dataset, validation.size)
            row["mean_iou"] = round(float(np.nanmean(ious)), 4)
            row["ious"] = {
                name: None if np.isnan(iou) else round(float(iou), 4)
                for name, iou in zip(self.sampler.classes, ious, strict=True)
            }
            writer.add_scalar("mean_iou", row["mean_iou"], self.place.total_step)
        self.results.append(row)
        _log.info("%s", json.dumps(row))

    def _create_network(self) -> SegmentationNetwork:
        settings = self.configuration
        network = create_model(
            settings.model, len(self.sampler.classes), decoder_channels=settings.decoder_channels
        )
        if settings.imagenet_weights:
            if not isinstance(network, DeepLabV3Plus):
                raise OodError(f"imagenet_weights: there are none for {settings.model!r}")
            load_imagenet_weights(network)
        if settings.initial_checkpoint is not None:
            tensors, _ = checkpoint.read_checkpoint(settings.initial_checkpoint)
            checkpoint.load_network_state(network, tensors, settings.initial_checkpoint)
        return network.to(memory_format=torch.channels_last)

    def _create_optimizer(self) -> torch.optim.Optimizer:
        encoder: list[nn.Parameter] = []
        others: list[nn.Parameter] = []
        for name, parameter in self.network.named_parameters():
            (encoder if name.startswith("encoder.") else others).append(parameter)
        groups = [{"params": encoder}, {"params": others}]
        return torch.optim.AdamW(groups, lr=1e-4, weight_decay=self.configuration.weight_decay)

    def _fingerprint(self) -> str:
        content = self.configuration.model_dump(mode="json", exclude={"output", "threads"})
        return json.dumps(content, sort_keys=True)

    def _save(self, name: str, *, with_optimizer: bool = True) -> None:
        progress = checkpoint.Progress(
            stage=self.place.stage,
            step=self.place.step,
            total_step=self.place.total_step,
            model=self.configuration.model,
            classes=self.sampler.classes,
            decoder_channels=self.configuration.decoder_channels,
            configuration=self._fingerprint(),
        )
        optimizer = self.optimizer if with_optimizer else None
        checkpoint.save_checkpoint(self.output / name, self.network, optimizer, progress)

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        path = self.output / name
        temporary = path.with_suffix(".temporary")
        temporary.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)


def train(configuration: TrainingConfiguration, *, restart: bool = False) -> dict[str, Any]:
    """Run a configuration, going on where an interrupted run of it stopped unless ``restart``.

    Writes into ``configuration.output``: ``last.safetensors`` (to go on from), one
    ``STAGE.safetensors`` at the end of each stage, ``result.json``, ``tensorboard/``. Raises
    OodError for missing data, settings that do not fit the data, or a diverging loss.
    """
    configuration.output.mkdir(parents=True, exist_ok=True)
    trainer = Trainer(configuration)
    if not restart:
        trainer.resume()
    return trainer.run()
