"""Whether anything can be confirmed at all: settings that never do would leave the cloud empty."""

from __future__ import annotations

from ood_perception.errors import OodError
from ood_perception.manifest import MetaClassifierSpec
from ood_perception.track import TrackingSettings
from ood_perception.track_matching import most_evidence


class ConfirmationError(OodError):
    """Settings with which no obstacle would ever be confirmed."""


def check_confirmable(settings: TrackingSettings, meta: MetaClassifierSpec | None) -> None:
    """Raises ConfirmationError when not even a model that is sure in every image of the window
    confirms an obstacle. meta: of the model; None where it has no meta classifier."""
    window = settings.confirm_window
    if settings.confirm_hits > window:
        raise ConfirmationError(
            f"tracking.confirm_hits {settings.confirm_hits} of the last {window} images confirms "
            f"nothing ever; set it to at most tracking.confirm_window"
        )
    if meta is None:
        return
    most = window * most_evidence(1 - meta.decision)
    if settings.confirm_evidence > most:
        raise ConfirmationError(
            f"tracking.confirm_evidence {settings.confirm_evidence:g} confirms nothing ever: "
            f"{window} images of this model say at most {most:.1f}; lower it or raise "
            "tracking.confirm_window"
        )
