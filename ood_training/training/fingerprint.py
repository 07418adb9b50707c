"""What makes two runs the same run: the settings that its weights depend on."""

from __future__ import annotations

import json
from typing import Any

from ood_training.configuration import TrainingConfiguration

# what does not change the result, or only its last bits
_NOT_THE_RUN = {
    "name",
    "output",
    "threads",
    "device",
    "micro_batches",
    "checkpoint_each_steps",
    "loading",
}


def run_fingerprint(configuration: TrainingConfiguration, processes: int = 1) -> str:
    """The settings as JSON; equal for runs that come to the same weights.

    With batch norm in train mode the statistics are those of one process's micro-batch, so that
    the number of processes and of micro-batches are part of the run.
    """
    content = configuration.model_dump(mode="json", exclude=_NOT_THE_RUN)
    if any(stage.batch_norm == "train" for stage in configuration.stages):
        content["batch_parts"] = processes * configuration.micro_batches
    return json.dumps(content, sort_keys=True)


def is_same_run(fingerprint: str, configuration: TrainingConfiguration, processes: int = 1) -> bool:
    """Whether a fingerprint is of this configuration.

    Settings that did not exist when it was written count as their defaults, under which the run
    was what it is.
    """
    now: dict[str, Any] = json.loads(run_fingerprint(configuration, processes))
    try:
        then = json.loads(fingerprint)
        parts = then.pop("batch_parts", None)
        # what is no part of a fingerprint comes from here
        complete = configuration.model_dump(mode="json", include=_NOT_THE_RUN) | then
        content = json.loads(run_fingerprint(TrainingConfiguration.model_validate(complete)))
    except (TypeError, ValueError):
        return False
    content.pop("batch_parts", None)
    return bool(content == {k: v for k, v in now.items() if k != "batch_parts"}) and (
        parts == now.get("batch_parts")
    )
