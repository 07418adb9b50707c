"""A whole run from settings to files, in one process or in those that torchrun started."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ood_perception.errors import OodError
from ood_training.configuration import TrainingConfiguration
from ood_training.training.processes import open_processes
from ood_training.training.scenes import draw_missing_scenes
from ood_training.training.trainer import Trainer

_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def train(configuration: TrainingConfiguration, *, restart: bool = False) -> dict[str, Any]:
    """Run a configuration, going on where an interrupted run of it stopped unless ``restart``.

    Started by torchrun, each process takes its share of every batch, and the first one writes.
    Writes into ``configuration.output``: ``last.safetensors`` (to go on from), one
    ``STAGE.safetensors`` at the end of each stage, ``best.safetensors`` where ``keep_best_by`` asks
    for it, ``result.json``, ``tensorboard/``. Raises OodError for missing data, settings that do
    not fit the data, a diverging loss or a full disk.
    """
    with _processor_state_restored(), open_processes(configuration.device) as processes:
        try:
            if processes.is_first:
                _make_folder(configuration.output)
                draw_missing_scenes(configuration)
            processes.wait()
            trainer = Trainer(configuration, processes)
            if restart:
                trainer.begin_anew()
            else:
                trainer.resume()
            return trainer.run()
        except OSError as error:
            if error.errno not in _CANNOT_WRITE:
                raise
            raise OodError(
                f"cannot write into {configuration.output}: {error.strerror}; a checkpoint that "
                "was there stays: make room, or name another output folder, and run it again"
            ) from error


@contextmanager
def _processor_state_restored() -> Iterator[None]:
    """A run sets PyTorch's threads and how the processor takes tiny numbers, for itself alone."""
    threads = torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        # there is no way to ask for what it was; this is how every process begins
        torch.set_flush_denormal(False)


def _make_folder(output: Path) -> None:
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OodError(f"cannot make the output folder {output}: {error.strerror}") from error
