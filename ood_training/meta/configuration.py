"""Configuration of meta training: a YAML file, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from ood_training.data_configuration import ObjectsConfiguration, SourceConfiguration
from ood_training.settings import Section, load_settings


class LabelRules(Section):
    """Which components a table holds, and what makes one of them a false positive.

    least_overlap: a component with less than this share of its cells on unknown objects is a
        false positive; 0 means that one cell is enough (the published definition).
    ignored: what becomes of a component that lies wholly on cells that the labels ignore (255).
        drop leaves it out; with false_positive it stays, because the vehicle meets sky and bonnet
        too.
    roi: with labels, ignored cells leave the anomalous ones before components are made, as
        published (section 6.1), which no vehicle can do; with none they stay.
    """

    least_overlap: float = Field(default=0.0, ge=0, lt=1)
    ignored: Literal["drop", "false_positive"] = "drop"
    roi: Literal["none", "labels"] = "none"

    @property
    def in_words(self) -> str:
        """What differs from the defaults, to be put behind the name of a data set."""
        words = []
        if self.least_overlap > 0:
            words.append(f"least overlap {self.least_overlap:g}")
        if self.roi == "labels":
            words.append("inside the labels' region")
        elif self.ignored == "false_positive":
            words.append("ignored components as false positives")
        return f" ({', '.join(words)})" if words else ""


class MetaConfiguration(LabelRules):
    """What the meta classifier is fitted on. Paths are relative to the working directory.

    source: labelled frames that the network was not trained on.
    objects: the fold of objects that the network was not trained on; none of them are pasted
        when it is empty, for frames that hold unknown objects of their own (254).
    repeats: how often each frame is used, each time with other objects.
    thresholds: candidates; the one with the best F1 of hit objects and false components after
        meta classification is chosen. Without candidates the bundle's threshold stays.
    keep_objects: the decision is put so that at least this share of the objects that were hit
        stays hit, out of fold; null puts it at a probability of one half (the published rule).
    The rest as ``LabelRules``.
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


def load_meta_configuration(path: Path) -> MetaConfiguration:
    """Read and check a YAML file; OodError names the first setting that is wrong."""
    return load_settings(path, MetaConfiguration, "meta configuration")
