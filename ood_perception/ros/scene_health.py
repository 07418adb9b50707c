"""What a processed image says about its camera's health."""

from __future__ import annotations

from ood_perception.ros.diagnostics import ERROR, OK, WARN, Health
from ood_perception.ros.stamp_watch import FUTURE_TOLERANCE_S, SIM_TIME_HINT
from ood_perception.scene import Scene, Status


def scene_health(scene: Scene, age_s: float, geometry_fault: str) -> Health:
    """OK only where obstacles and points went out and nothing is to be noted.

    age_s: of the image when it was taken, by the node's clock. geometry_fault: why camera or
    mounting are not known, where that is so.
    """
    notes = "; ".join(scene.notes)
    if scene.status is Status.NO_CAMERA_INFO:
        return Health(
            ERROR, "no_camera_info", f"no obstacle points: {geometry_fault or notes or 'no camera'}"
        )
    if scene.status is Status.NO_TRANSFORM:
        return Health(ERROR, "no_mounting", f"no obstacle points: {geometry_fault}")
    if scene.unconfirmable and not scene.unplaced:
        text = (
            f"no obstacle points: {scene.unconfirmable} relevant obstacle(s) that nothing "
            "confirms, as images come more than tracking.max_gap_s apart"
        )
        return Health(ERROR, "gap", text)
    if not scene.has_valid_geometry:
        text = f"no obstacle points: {scene.unplaced} relevant obstacle(s) without a place"
        return Health(ERROR, "unplaced", text)
    if age_s < -FUTURE_TOLERANCE_S:
        text = f"image is stamped {-age_s:.3f} s in the future: {SIM_TIME_HINT}"
        return Health(WARN, "future_stamp", text)
    if notes:
        return Health(WARN, "ok", notes)
    return Health(OK, "ok", "processing")
