"""A bundle learns how much of a usual scene is unknown to it, and refuses what is far from it."""

import cv2
import numpy as np
import pytest
from color_bundle import GREY, color_image, write_color_bundle

from ood_perception.bundle import load_bundle
from ood_perception.camera_watch import CameraWatch
from ood_perception.detector import Detector
from ood_perception.errors import BlindCameraError, OodError
from ood_perception.image_health import HealthSettings
from ood_training.datasets.frames import Frame
from ood_training.health_calibration import calibrate, fit_health


@pytest.mark.parametrize(("largest", "limit"), [(0.15, 0.3), (0.01, 0.2), (0.9, 0.8)])
def test_the_limit_is_twice_the_strangest_usual_scene_within_bounds(largest, limit):
    shares = np.linspace(0, largest, 25)
    assert fit_health(shares).max_anomalous_share == pytest.approx(limit)


def test_too_few_images_say_nothing():
    with pytest.raises(OodError, match=r"19 images.*at least 20"):
        fit_health(np.zeros(19))


def test_the_limit_stands_in_the_bundle_and_is_what_the_camera_is_judged_by(tmp_path):
    write_color_bundle(tmp_path / "bundle")
    cv2.imwrite(str(tmp_path / "usual.png"), color_image())
    usual = [Frame("usual", tmp_path / "usual.png", tmp_path / "usual.png")] * 20
    spec, shares = calibrate(tmp_path / "bundle", usual)
    # The grey block is a quarter high and wide; the upsampling blurs its rim.
    np.testing.assert_allclose(shares, 1 / 16, rtol=0.2)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.health == spec
    watch, detector = CameraWatch(bundle.manifest, HealthSettings()), Detector(bundle)
    watch.check_detection(detector.detect(color_image()))
    strange = color_image()
    strange[:, :70] = GREY
    with pytest.raises(BlindCameraError, match="unknown to the model"):
        watch.check_detection(detector.detect(strange))
