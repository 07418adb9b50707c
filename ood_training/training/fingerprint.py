"""What makes two runs the same run: the settings that its weights depend on."""

from __future__ import annotations

import json

from ood_training.configuration import TrainingConfiguration

# what does not change the result, or only its last bits
_NOT_THE_RUN = {"output", "threads", "device", "micro_batches", "checkpoint_each_steps", "loading"}


def run_fingerprint(configuration: TrainingConfiguration, processes: int = 1) -> str:
    """The settings as JSON; equal for runs that come to the same weights.

    With batch norm in train mode the statistics are those of one process's micro-batch, so that
    the number of processes and of micro-batches are part of the run.
    """
    content = configuration.model_dump(mode="json", exclude=_NOT_THE_RUN)
    if any(stage.batch_norm == "train" for stage in configuration.stages):
        content["batch_parts"] = processes * configuration.micro_batches
    return json.dumps(content, sort_keys=True)
