"""What a run leaves for people: curves in TensorBoard, ``result.json``, a bar on the terminal."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch.utils.tensorboard import SummaryWriter

from ood_perception.command_line import progress_bar
from ood_training.whole_files import written_whole

_log = logging.getLogger(__name__)
_FIGURES = ("mean_iou", "average_precision", "fpr95", "auroc")


class RunRecord:
    """Curves and progress of a run; one that is not ``active`` writes nothing."""

    def __init__(self, folder: Path, first_step: int, total_steps: int, *, active: bool) -> None:
        # curves of steps that a killed run had done beyond its last checkpoint are dropped
        self._writer = (
            SummaryWriter(str(folder / "tensorboard"), purge_step=first_step + 1)
            if active
            else None
        )
        self._bar = progress_bar()
        self._bar.disable = not active
        self._task = self._bar.add_task("training", total=total_steps, completed=first_step)

    def step(self, stage: str, loss: float, total_step: int) -> None:
        """A finished step; ``total_step`` counts it."""
        self._bar.update(self._task, completed=total_step, description=stage)
        if self._writer is None:
            return
        self._writer.add_scalar("loss", loss, total_step)
        if total_step % 10 == 0:
            _log.info("%s: step %d loss %.4f", stage, total_step, loss)

    def epoch(self, row: dict[str, Any], total_step: int) -> None:
        """A finished epoch's row of figures."""
        if self._writer is None:
            return
        for name in _FIGURES:
            if name in row:
                self._writer.add_scalar(name, row[name], total_step)
        shown = {k: v for k, v in row.items() if k not in ("ious", "drawn_proxy_ids")}
        _log.info("%s", json.dumps(shown))
        if row.get("drawn_proxy_ids"):
            _log.info("proxies of this epoch: %s", " ".join(map(str, row["drawn_proxy_ids"])))

    @contextmanager
    def open(self) -> Iterator[RunRecord]:
        """Show the bar, and close the curves at the end."""
        try:
            with self._bar:
                yield self
        finally:
            if self._writer is not None:
                self._writer.close()


def write_result(folder: Path, result: dict[str, Any]) -> None:
    """Write ``result.json`` whole; OodError when it cannot be written."""
    with written_whole(folder / "result.json") as temporary:
        temporary.write_text(json.dumps(result, indent=2, allow_nan=False) + "\n", "utf-8")
