"""What a bundle's manifest.json may say: the schema, checked field by field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

SCHEMA_VERSION = 1

Pixels = Annotated[int, Field(gt=0, le=16384)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileSpec(_Strict):
    """A file of the bundle: its plain name (no folders) and its SHA-256 in hexadecimal.

    `write_bundle` fills in the hash.
    """

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = "0" * 64


class ClassSpec(_Strict):
    """A known class; its id is its place in the list. ``color``: RGB, 0..255."""

    name: str
    color: tuple[
        Annotated[int, Field(ge=0, le=255)],
        Annotated[int, Field(ge=0, le=255)],
        Annotated[int, Field(ge=0, le=255)],
    ]


class NetworkSpec(FileSpec):
    """The graph: image (1,H,W,3) uint8 BGR -> labels, score on the grid; logits at the stride.

    The camera image is scaled into (input_height, input_width) with its aspect kept, at the top
    left; what remains is padded. Metrics are computed on (grid_height, grid_width), onto which
    the logits are brought bilinearly with aligned corners.

    precision: what the graph computes its convolutions in; ``int8`` stands in the graph itself, as
    QuantizeLinear and DequantizeLinear.
    """

    input_height: Pixels
    input_width: Pixels
    grid_height: Pixels
    grid_width: Pixels
    precision: Literal["fp32", "int8"] = "fp32"

    @classmethod
    def of_sizes(
        cls, input_size: tuple[int, int], grid_size: tuple[int, int], file: str = "network.onnx"
    ) -> NetworkSpec:
        """Of these sizes, (height, width) each, with the other fields' defaults."""
        return cls(
            file=file,
            input_height=input_size[0],
            input_width=input_size[1],
            grid_height=grid_size[0],
            grid_width=grid_size[1],
        )


ScoreName = Literal[
    "entropy",
    "max_softmax",
    "max_logit",
    "standardized_max_logit",
    "energy",
    "max_min_logit",
    "kernel_distance",
    "mahalanobis",
]
BOUNDED_SCORES: tuple[ScoreName, ...] = ("entropy", "max_softmax", "kernel_distance")


class UnitRangeSpec(_Strict):
    """How a score without bounds comes into [0, 1]: 1 / (1 + exp(-(score - center) / scale))."""

    center: Annotated[float, Field(allow_inf_nan=False)]
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]


class LogitStatisticsSpec(_Strict):
    """Of the largest logit where a class is the best one: mean and deviation of each class."""

    means: tuple[Annotated[float, Field(allow_inf_nan=False)], ...]
    deviations: tuple[Annotated[float, Field(gt=0, allow_inf_nan=False)], ...]


class ScoreSpec(_Strict):
    """The anomaly score in the graph, in [0, 1], and the threshold: anomalous is >= threshold.

    unit_range: for the scores that have no bounds of their own.
    logit_statistics: for ``standardized_max_logit``.
    smoothing_cells: deviation of a Gaussian over the grid, before ``unit_range``; 0 is none. Cells
        of the padding beside a picture of another shape count like others.
    calibrated_on: the data that range, statistics and threshold come from, in words.
    """

    name: ScoreName = "entropy"
    threshold: Share
    unit_range: UnitRangeSpec | None = None
    logit_statistics: LogitStatisticsSpec | None = None
    smoothing_cells: Annotated[float, Field(ge=0, le=20)] = 0.0
    calibrated_on: str = ""

    @model_validator(mode="after")
    def _is_complete(self) -> ScoreSpec:
        if (self.unit_range is None) != (self.name in BOUNDED_SCORES):
            needed = "has bounds and takes no" if self.unit_range else "has no bounds: it needs a"
            raise ValueError(f"the score {self.name} {needed} unit_range")
        if (self.logit_statistics is None) == (self.name == "standardized_max_logit"):
            raise ValueError("logit_statistics belong to standardized_max_logit, and only to it")
        return self


class PromiseSpec(_Strict):
    """What conformal risk control promises of a decision, on data alike the calibration's.

    alpha: bound on the expected share of real obstacles dropped, of those that the score hit.
    objects, sequences: the calibration objects that the score hit, and the sequences they are of.
    source, split: the calibration data, and how they were kept apart from the meta training.
    risk: share of the calibration objects that the decision drops.
    """

    alpha: Annotated[float, Field(gt=0, lt=1)]
    objects: Annotated[int, Field(ge=1)]
    sequences: Annotated[int, Field(ge=1)]
    source: str
    split: str
    risk: Share


class MetaClassifierSpec(FileSpec):
    """The false-positive filter; it drops a component when P(false positive) > decision.

    score, threshold: which cells made the components that it was fitted on; None where unknown.
    training_source: the data that it was fitted on, in words.
    """

    kind: str
    metric_names: tuple[str, ...]
    decision: Share = 0.5
    score: str | None = None
    threshold: Share | None = None
    training_source: str = ""
    promise: PromiseSpec | None = None


class ContactSpec(_Strict):
    """How a component's lower edge lies to the obstacle's true foot, in cells of the grid.

    offset_cells: how far components reach below it (a halo), taken off before ranging.
    stddev_cells: standard deviation of what remains where the edge is sharp.
    sharp_cells: an edge whose score falls over at most so many cells is sharp (``edge_softness``).
    softness_gain: what each cell of softness beyond that adds to the deviation, as an independent
        error.
    """

    offset_cells: Annotated[float, Field(ge=-10, le=10)] = 0.0
    stddev_cells: Annotated[float, Field(gt=0, le=10)] = 0.3
    sharp_cells: Annotated[float, Field(ge=0, le=100)] = 0.0
    softness_gain: Annotated[float, Field(ge=0, le=10)] = 0.0


class HealthSpec(_Strict):
    """What the model sees when the camera sees.

    max_anomalous_share: share of the grid at or above the score's threshold beyond which the camera
        is taken for blind (dirt, spray, glare) or far from what the model was trained for.
    """

    max_anomalous_share: Share = 0.5


class Provenance(_Strict):
    """What a user has to know before trusting the model."""

    trained_on: str
    terms: str
    created: str = ""
    commit: str = ""
    recipe: str = ""


class Manifest(_Strict):
    """The bundle's table of contents.

    road_classes: ids of the classes that a vehicle drives on.
    probabilities: what the softmax of the graph's logits is: the network's own softmax, normalised
        ``sigmoids`` of a one-vs-rest head, or normalised ``kernels``.
    """

    schema_version: int
    name: str
    classes: Annotated[tuple[ClassSpec, ...], Field(min_length=2, max_length=250)]
    road_classes: tuple[int, ...]
    network: NetworkSpec
    score: ScoreSpec
    probabilities: Literal["softmax", "sigmoids", "kernels"] = "softmax"
    meta_classifier: MetaClassifierSpec | None = None
    provenance: Provenance
    contact: ContactSpec = ContactSpec()
    health: HealthSpec = HealthSpec()

    @model_validator(mode="after")
    def _check_references(self) -> Manifest:
        unknown = [c for c in self.road_classes if not 0 <= c < len(self.classes)]
        if unknown:
            raise ValueError(f"road_classes {unknown} are not among {len(self.classes)} classes")
        statistics = self.score.logit_statistics
        if statistics is not None:
            counts = {len(statistics.means), len(statistics.deviations)}
            if counts != {len(self.classes)}:
                raise ValueError(f"score.logit_statistics are not of {len(self.classes)} classes")
        return self
