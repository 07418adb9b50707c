"""What every segmentation network of this package offers."""

from __future__ import annotations

import torch.nn.functional as functional
from torch import Tensor, nn

from ood_training.evidence import Evidence

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class SegmentationNetwork(nn.Module):
    """A network whose full output is the bilinear upsampling of small logits.

    Subclasses implement ``features`` and ``classify``; the rest is final, so that a deployed graph
    may work on the small logits and know exactly what the training saw.

    num_classes: number of known classes, C.
    evidence: what the logits say of the classes.
    mean, std: per RGB channel, for an input that was scaled to [0, 1].
    backbone_modules: dotted names of the submodules that were, or could be, pretrained on another
        task: the encoder or trunk.
    head_modules: dotted names of the layers that turn features into classes: all that must change
        with the number of classes.

    Whatever belongs to neither is the decoder.
    """

    backbone_modules: tuple[str, ...] = ()
    head_modules: tuple[str, ...] = ()

    def __init__(
        self,
        num_classes: int,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.mean = mean
        self.std = std
        self.evidence = Evidence()

    def features(self, image: Tensor) -> Tensor:
        """Features (B, D, h, w) at the decoder's stride for a normalised (B, 3, H, W) image."""
        raise NotImplementedError

    def classify(self, features: Tensor) -> Tensor:
        """Logits (B, C, h, w) of features: all that ``head_modules`` do, each place by itself."""
        raise NotImplementedError

    def small_logits(self, image: Tensor) -> Tensor:
        """Logits (B, C, h, w) at the decoder's stride for a normalised (B, 3, H, W) image."""
        return self.classify(self.features(image))

    def forward(self, image: Tensor) -> Tensor:
        """Logits (B, C, H, W): ``small_logits`` upsampled, bilinear with aligned corners."""
        return functional.interpolate(
            self.small_logits(image), size=image.shape[-2:], mode="bilinear", align_corners=True
        )

    def backbone_parameters(self) -> list[nn.Parameter]:
        """The parameters of ``backbone_modules``, in the order of ``parameters()``."""
        return self._parameters_under(self.backbone_modules)

    def head_parameters(self) -> list[nn.Parameter]:
        """The parameters of ``head_modules``, in the order of ``parameters()``."""
        return self._parameters_under(self.head_modules)

    def is_head_tensor(self, name: str) -> bool:
        """Whether an entry of the ``state_dict`` belongs to ``head_modules``."""
        return _is_under(name, self.head_modules)

    def _parameters_under(self, modules: tuple[str, ...]) -> list[nn.Parameter]:
        return [p for name, p in self.named_parameters() if _is_under(name, modules)]


def _is_under(name: str, modules: tuple[str, ...]) -> bool:
    return any(name.startswith(f"{module}.") for module in modules)
