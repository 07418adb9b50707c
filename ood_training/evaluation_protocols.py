"""The pixel protocols of `ood evaluate`, their meters and their definitions in words."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Literal, get_args
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from ood_perception.errors import OodError
from ood_training.metrics.legacy100 import Legacy100
from ood_training.metrics.smiyc_pixel import SmiycPixelCurve

Protocol = Literal["fishyscapes", "smiyc-anomaly", "smiyc-obstacle", "legacy100"]
PROTOCOLS: tuple[str, ...] = get_args(Protocol)

EXACT_TEXT = "Fishyscapes' definitions, pixels not ignored, all frames pooled at image resolution"
MIOU_TEXT = "labelled pixels at image resolution, all frames pooled, mean over classes that occur"
COMPONENTS_TEXT = "on the metrics grid at the bundle's threshold, one common cell is a hit"
SMIYC_COMPONENTS_TEXT = "SegmentMeIfYouCan: components of scores above best_f1_threshold"
SMIYC_META_TEXT = "SegmentMeIfYouCan: components of the bundle's own masks, of any size"
PROTOCOL_TEXTS = {
    "smiyc": "SegmentMeIfYouCan: float16 scores, thresholds from quantiles of each frame, pooled",
    "legacy100": "published code: 100 bins, truncated samples, FPR95 at the nearest point",
}


class Meter(Interface):
    """Counts the pixels of one frame after another by a protocol of its own."""

    def add(self, scores: NDArray[Any], unknown: NDArray[np.bool_]) -> None: ...

    def figures(self) -> dict[str, float]:
        """Figures by their JSON names."""
        ...


def check_protocol(name: str) -> Protocol:
    """The protocol of that name; OodError lists the known ones."""
    if name not in PROTOCOLS:
        raise OodError(f"no protocol {name!r}: known are {', '.join(PROTOCOLS)}")
    return name  # type: ignore[return-value]


def protocol_meters(protocol: Protocol) -> dict[str, Meter]:
    """What a protocol measures beside the exact figures, by its JSON name."""
    if protocol in ("smiyc-anomaly", "smiyc-obstacle"):
        return {"smiyc": _SmiycMeter()}
    if protocol == "legacy100":
        return {"legacy100": _Legacy100Meter()}
    return {}


class _SmiycMeter(SmiycPixelCurve):
    def figures(self) -> dict[str, float]:
        metrics = asdict(self.metrics())
        return {
            "AP": metrics["average_precision"],
            "FPR95": metrics["fpr95"],
            "best_f1": metrics["best_f1"],
            "best_f1_threshold": metrics["best_f1_threshold"],
        }


class _Legacy100Meter(Legacy100):
    def figures(self) -> dict[str, float]:
        metrics = self.metrics()
        return {"AP": metrics.average_precision, "FPR95": metrics.fpr95, "AUROC": metrics.auroc}
