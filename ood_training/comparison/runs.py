"""The runs of a comparison: one a seed of every trained method, one of everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ood_perception.errors import OodError
from ood_training.comparison.configuration import ComparisonConfiguration, MethodConfiguration


@dataclass(frozen=True)
class Run:
    """One row's one measurement. seed: None where nothing is trained."""

    name: str
    method: MethodConfiguration
    seed: int | None
    folder: Path

    @property
    def title(self) -> str:
        """For progress and errors."""
        return self.name if self.seed is None else f"{self.name}, seed {self.seed}"


def chosen_methods(comparison: ComparisonConfiguration, names: Sequence[str] = ()) -> list[str]:
    """These methods in the comparison's order, all when empty; OodError for a name that is none."""
    for name in names:
        if name not in comparison.methods:
            raise OodError(f"no method {name!r}: known are {', '.join(comparison.methods)}")
    return [name for name in comparison.methods if not names or name in names]


def runs_of(comparison: ComparisonConfiguration, names: Sequence[str]) -> list[Run]:
    """What is not trained first, then seed after seed, so that a part of it says something."""
    methods = {name: comparison.methods[name] for name in names}
    given = [
        Run(name, one, None, comparison.folder(name))
        for name, one in methods.items()
        if one.training is None
    ]
    return given + [
        Run(name, one, seed, comparison.folder(name, seed))
        for seed in comparison.seeds
        for name, one in methods.items()
        if one.training is not None
    ]


def measured_path(comparison: ComparisonConfiguration, run: Run) -> Path:
    """The checkpoint or bundle of a run; a trained one need not exist yet."""
    if run.method.given is not None:
        return run.method.given
    assert run.seed is not None
    settings = comparison.training(run.name, run.seed)
    return settings.output / f"{settings.stages[-1].name}.safetensors"


def has_these_settings(comparison: ComparisonConfiguration, run: Run, path: Path) -> bool:
    """Whether a run's checkpoint was trained as the comparison says now; true where none is."""
    from ood_training.checkpoint import read_checkpoint
    from ood_training.training.fingerprint import is_same_run

    if run.seed is None:
        return True
    settings = comparison.training(run.name, run.seed)
    return is_same_run(read_checkpoint(path)[1].configuration, settings)


def make_checkpoint(comparison: ComparisonConfiguration, run: Run) -> Path:
    """``measured_path``, trained where it is missing, on from where an interrupted run stopped.

    Raises OodError for a checkpoint of other settings than the comparison has now, and what
    training raises.
    """
    from ood_training.training import train

    path = measured_path(comparison, run)
    if run.seed is None:
        return path
    settings = comparison.training(run.name, run.seed)
    if not path.is_file():
        train(settings)
        if not path.is_file():
            raise OodError(
                f"{path} is gone, though its training is finished: remove {run.folder} to train it "
                "again"
            )
    elif not has_these_settings(comparison, run, path):
        raise OodError(
            f"{path} was trained with other settings than the comparison has now: give the "
            "comparison another output folder, or remove this one"
        )
    return path
