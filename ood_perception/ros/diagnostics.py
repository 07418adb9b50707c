"""What the node says about itself on /diagnostics: one status for the node, one for each camera."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from ood_perception.backends.fallback import FALLBACK
from ood_perception.ros.frame_counts import FrameCounts

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True)
class Health:
    """level: OK, WARN or ERROR. state: one word for programs. message: one line for people."""

    level: bytes
    state: str
    message: str


@dataclass(frozen=True)
class CameraReport:
    """All that is said about one camera. Faults stay named after they have passed.

    figures: rates, ages and times of the last seconds by name, units in the names.
    """

    camera: str
    health: Health
    counts: FrameCounts
    figures: dict[str, float]
    last_refusal: str
    last_error: str
    reliability: str


def active_health(device: str) -> Health:
    """Of a node that is active. device: what the model runs on, in words."""
    if FALLBACK in device:
        return Health(WARN, "active", f"active, not on the wanted backend: {device}")
    return Health(OK, "active", "active")


def node_status(name: str, health: Health, values: dict[str, Any]) -> DiagnosticStatus:
    """The status of the node itself: which state, which model, which backend."""
    return _status(name, name, health, values)


def camera_status(name: str, report: CameraReport, values: dict[str, Any]) -> DiagnosticStatus:
    """The status of one camera. values: model and backend, the same for all cameras."""
    counts = report.counts
    numbers: dict[str, Any] = asdict(counts)
    numbers |= {"dropped": counts.dropped, "pending": counts.pending}
    numbers |= {key: f"{value:.3f}" for key, value in report.figures.items()}
    texts = {
        "last_refusal": report.last_refusal,
        "last_error": report.last_error,
        "reliability": report.reliability,
    }
    every = {**numbers, **texts, **values}
    return _status(f"{name}: {report.camera}", report.camera, report.health, every)


def diagnostic_array(stamp: Any, statuses: list[DiagnosticStatus]) -> DiagnosticArray:
    """The message for /diagnostics; stamp: builtin_interfaces/Time."""
    message = DiagnosticArray(status=statuses)
    message.header.stamp = stamp
    return message


def _status(
    name: str, hardware_id: str, health: Health, values: dict[str, Any]
) -> DiagnosticStatus:
    pairs = {"state": health.state, **values}
    return DiagnosticStatus(
        level=health.level,
        name=name,
        message=health.message,
        hardware_id=hardware_id,
        values=[KeyValue(key=key, value=str(value)) for key, value in pairs.items()],
    )
