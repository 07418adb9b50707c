"""Training configurations: a YAML file, checked before anything runs."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from ood_training.data_configuration import (
    LoadingConfiguration,
    ObjectsConfiguration,
    PasteConfiguration,
    ProxyConfiguration,
    SourceConfiguration,
    ValidationConfiguration,
)
from ood_training.settings import Section, load_settings


class StageConfiguration(Section):
    """One part of a run.

    unknown_objects: false trains known classes only (254 ignored; cross-entropy, or the kernels'
        own loss); true uses the loss that ``loss`` names, pasted objects and proxies.
    steps_per_epoch: null is one pass over all street frames, and over the drawn proxies of mode
        epoch_draw.
    encoder_learning_rate: of the network's ``backbone_modules``; the other rate is the rest's.
    warmup_steps: the rates rise linearly over so many steps.
    freeze: parts that keep their tensors, batch statistics included.
    batch_norm: eval normalises with the stored statistics and keeps them; train uses and updates
        the statistics of each process's micro-batch. Dropout is active in both.
    """

    name: str = Field(pattern=r"^[\w.-]+$")
    epochs: int = Field(ge=1)
    steps_per_epoch: int | None = Field(default=None, ge=1)
    encoder_learning_rate: float = Field(gt=0)
    decoder_learning_rate: float = Field(gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    unknown_objects: bool = False
    freeze: Literal["none", "backbone", "all_but_head"] = "none"
    batch_norm: Literal["train", "eval"] = "train"


class LossConfiguration(Section):
    """The loss of stages with unknown objects; the others train with cross-entropy.

    A head of kernels has its own in both, of which only ``ood_weight`` is told here.

    kind: ``entropy_maximization`` (spec section 4), or ``one_vs_rest``: each class against all
        others, and none of the classes on unknown objects.
    ood_weight: the paper's lambda.
    top_k: K of ``one_vs_rest``, the strongest classes of an unknown pixel that it holds down.
    logit_scale: s of ``one_vs_rest``, which multiplies the logits.
    """

    kind: Literal["entropy_maximization", "one_vs_rest"] = "entropy_maximization"
    ood_weight: float = Field(default=0.9, ge=0, le=1)
    reduction: Literal["legacy", "per_term"] = "per_term"
    top_k: int = Field(default=5, ge=1)
    logit_scale: float = Field(default=1.0, gt=0)

    @model_validator(mode="after")
    def _fits(self) -> LossConfiguration:
        if self.kind == "one_vs_rest" and self.reduction != "per_term":
            raise ValueError("one_vs_rest knows only the reduction per_term")
        if self.kind != "one_vs_rest" and (self.top_k, self.logit_scale) != (5, 1.0):
            raise ValueError("top_k and logit_scale are of kind one_vs_rest: leave them out")
        return self


class HeadConfiguration(Section):
    """What turns features into classes.

    kind: ``linear``, or ``kernels``: one radial basis kernel a class (deterministic uncertainty
        quantification). Kernels bring their own loss for every stage, known pixels against all
        other classes and unknown pixels against all classes; of ``loss`` only ``ood_weight`` is
        theirs. The other settings here are of kernels.
    kernel_features: m, the numbers that a class makes of a place's features.
    length_scale: sigma; a mean squared distance of sigma^2 from its centroid makes a kernel 0.61.
    momentum: gamma of the centroids' moving average, over the steps.
    gradient_penalty: weight of the two-sided penalty that keeps the kernels as steep as the image;
        0 is none. It needs ``batch_norm: eval``, in which an image's slope is its own. A step
        takes about four times as long on a CPU.
    """

    kind: Literal["linear", "kernels"] = "linear"
    kernel_features: int = Field(default=32, ge=1)
    length_scale: float = Field(default=0.3, gt=0)
    momentum: float = Field(default=0.99, ge=0, lt=1)
    gradient_penalty: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _is_of_its_kind(self) -> HeadConfiguration:
        fields = type(self).model_fields
        other = [k for k, v in fields.items() if k != "kind" and getattr(self, k) != v.default]
        if self.kind == "linear" and other:
            raise ValueError(f"{other[0]} is of kind kernels: name it, or leave {other[0]} out")
        return self


class OptimizerConfiguration(Section):
    """How the weights change. Each stage begins with a new optimiser.

    schedule: of the learning rates over a stage; cosine falls to a hundredth.
    reset_each_epoch: forget the moments at every epoch, as the published code does (spec
        section 5: a defect).
    clip_norm: gradients longer than this are shortened to it; null leaves them.
    """

    kind: Literal["adam", "adamw"] = "adamw"
    weight_decay: float = Field(default=0.01, ge=0)
    schedule: Literal["constant", "cosine"] = "cosine"
    reset_each_epoch: bool = False
    clip_norm: float | None = Field(default=None, gt=0)


class TrainingConfiguration(Section):
    """A whole training run. Paths are relative to the working directory.

    batch_size: images of a step over all processes and micro-batches; what comes out does not
        depend on how they share it, but for batch norm in train mode.
    micro_batches: parts that each process takes one after the other, so that less memory is needed.
    device: auto takes a GPU where there is one. precision: of the network's arithmetic; weights
        and loss stay in float32.
    threads: of PyTorch on the CPU. Resuming gives the same bits only with the same number.
    keep_best_by: the figure of the validation whose best epoch of the last stage is kept as
        ``best.safetensors``.
    checkpoint_each_steps: how often the run is saved to go on from, besides at every epoch's end.
    new_head: the initial checkpoint was trained on other classes; its head is left out.
    initial_checkpoint: network weights to begin with, such as those of an earlier run's stage.
    augmentation: published is a mirror image and a window of ``crop_size``, nothing else (spec
        section 2.3; ``scale`` and ``light`` are not used); recommended changes scale and light too.
    """

    name: str
    data_root: Path
    output: Path
    seed: int = Field(default=0, ge=0)
    model: str
    decoder_channels: int | None = None
    output_stride: int | None = None
    imagenet_weights: bool = False
    initial_checkpoint: Path | None = None
    new_head: bool = False
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    threads: int | None = None
    crop_size: int = Field(default=320, ge=32)
    batch_size: int = Field(default=8, ge=1)
    micro_batches: int = Field(default=1, ge=1)
    optimizer: OptimizerConfiguration = OptimizerConfiguration()
    keep_best_by: Literal["mean_iou", "average_precision", "none"] = "none"
    checkpoint_each_steps: int = Field(default=50, ge=1)
    light: float = Field(default=1.0, ge=0)
    sources: tuple[SourceConfiguration, ...] = Field(min_length=1)
    validation: ValidationConfiguration | None = None
    objects: ObjectsConfiguration = ObjectsConfiguration()
    paste: PasteConfiguration = PasteConfiguration()
    proxies: ProxyConfiguration = ProxyConfiguration()
    augmentation: Literal["published", "recommended"] = "recommended"
    loading: LoadingConfiguration = LoadingConfiguration()
    loss: LossConfiguration = LossConfiguration()
    head: HeadConfiguration = HeadConfiguration()
    stages: tuple[StageConfiguration, ...] = Field(min_length=1)

    @field_validator("stages")
    @classmethod
    def _have_names_of_their_own(
        cls, stages: tuple[StageConfiguration, ...]
    ) -> tuple[StageConfiguration, ...]:
        """Each stage is saved under its name, beside ``last`` and ``best``."""
        names = [stage.name for stage in stages]
        for name in names:
            if name in ("last", "best") or names.count(name) > 1:
                raise ValueError(f"the name {name!r} is taken: each stage needs its own")
        return stages

    @model_validator(mode="after")
    def _uses_its_loss(self) -> TrainingConfiguration:
        if self.loss.kind == "one_vs_rest" and not any(one.unknown_objects for one in self.stages):
            raise ValueError("loss: one_vs_rest is of stages with unknown_objects: true; none has")
        return self

    @model_validator(mode="after")
    def _fits_the_head(self) -> TrainingConfiguration:
        if self.head.kind == "linear":
            return self
        if self.loss.kind != "entropy_maximization" or self.loss.reduction != "per_term":
            raise ValueError("head: kernels have their own loss: leave loss.kind and reduction out")
        if self.head.gradient_penalty and self.precision == "float16":
            raise ValueError("head.gradient_penalty needs the precision float32 or bfloat16")
        if self.head.gradient_penalty and any(s.batch_norm == "train" for s in self.stages):
            raise ValueError("head.gradient_penalty needs batch_norm: eval in every stage")
        return self


def load_training_configuration(path: Path) -> TrainingConfiguration:
    """Read and check a YAML file; OodError names the first setting that is wrong."""
    return load_settings(path, TrainingConfiguration, "training configuration")
