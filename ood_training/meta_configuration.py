"""Configuration of meta training: a YAML file, checked before anything runs."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from ood_training.data_configuration import ObjectsConfiguration, SourceConfiguration
from ood_training.settings import Section, load_settings


class MetaConfiguration(Section):
    """What the meta classifier is fitted on. Paths are relative to the working directory.

    source: labelled frames that the network was not trained on.
    objects: the fold of objects that the network was not trained on; none of them are pasted
        when it is empty, for frames that hold unknown objects of their own (254).
    repeats: how often each frame is used, each time with other objects.
    thresholds: candidates; the one with the best F1 of hit objects and false components after
        meta classification is chosen. Without candidates the bundle's threshold stays.
    keep_objects: the decision is put so that at least this share of the objects that were hit
        stays hit, out of fold; null puts it at a probability of one half (the published rule).
    least_overlap: a component with less than this share of its cells on unknown objects is a
        false positive; 0 means that one cell is enough (the published definition).
    """

    data_root: Path
    source: SourceConfiguration
    objects: ObjectsConfiguration = ObjectsConfiguration()
    ground_classes: tuple[str, ...] = ("road",)
    height_px: tuple[int, int] = (8, 120)
    most_objects: int = Field(default=5, ge=1)
    repeats: int = Field(default=1, ge=1)
    seed: int = 0
    thresholds: tuple[float, ...] = ()
    keep_objects: float | None = Field(default=None, gt=0, le=1)
    least_overlap: float = Field(default=0.0, ge=0, lt=1)


def load_meta_configuration(path: Path) -> MetaConfiguration:
    """Read and check a YAML file; OodError names the first setting that is wrong."""
    return load_settings(path, MetaConfiguration, "meta configuration")
