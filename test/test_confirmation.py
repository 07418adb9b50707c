"""Settings that can never confirm an obstacle are refused: the cloud would stay empty for ever."""

from types import SimpleNamespace

import pytest
from obstacle_examples import UNCALIBRATED_BUNDLE

from ood_perception.camera_pipeline import CameraPipeline, PipelineSettings
from ood_perception.confirmation import ConfirmationError, check_confirmable
from ood_perception.tracking import TrackingSettings

HALF = SimpleNamespace(decision=0.5)


def test_the_defaults_confirm_with_and_without_a_meta_classifier():
    for meta in (None, HALF, SimpleNamespace(decision=0.1), SimpleNamespace(decision=1.0)):
        check_confirmable(TrackingSettings(), meta)


def test_more_hits_than_images_are_refused():
    settings = TrackingSettings(confirm_hits=4, confirm_window=3, confirm_evidence=0.0)
    with pytest.raises(ConfirmationError, match="confirm_hits 4 of the last 3 images") as caught:
        check_confirmable(settings, None)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("window", "meta"), [(3, HALF), (10, SimpleNamespace(decision=0.01))], ids=["short", "strict"]
)
def test_evidence_that_the_window_cannot_hold_is_refused(window, meta):
    settings = TrackingSettings(confirm_window=window, confirm_evidence=28.0)
    check_confirmable(settings, None)
    with pytest.raises(ConfirmationError, match="confirm_evidence 28 confirms nothing") as caught:
        check_confirmable(settings, meta)
    assert "\n" not in str(caught.value)


def test_a_pipeline_asks_before_its_first_image():
    settings = PipelineSettings(tracking=TrackingSettings(confirm_hits=11))
    with pytest.raises(ConfirmationError):
        CameraPipeline(SimpleNamespace(bundle=UNCALIBRATED_BUNDLE), settings)
