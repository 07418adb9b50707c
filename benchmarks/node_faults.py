"""The faults of a soak: how each is made, and what the node has to say and not to say meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from node_driver import NodeDriver, NotAsWantedError
from numpy.typing import NDArray
from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue
from rclpy.qos import ReliabilityPolicy
from rclpy.serialization import serialize_message
from soaked_node import HANG, NO_MEMORY, RAISE, order

_PERIOD_S = 0.05


class Scene:
    """What a fault may use: the driver, pictures that the model sees well, and random numbers.

    good: stamps (nanoseconds) of images that may be answered. Whatever else is answered is a lie.
    """

    def __init__(
        self, driver: NodeDriver, pictures: list[NDArray[np.uint8]], seed: int, focal_px: float
    ) -> None:
        self.driver, self.focal_px = driver, focal_px
        self.rng = np.random.default_rng(seed)
        self.good: set[int] = set()
        self._pictures = pictures

    def picture(self) -> NDArray[np.uint8]:
        """One of the pictures, with a few pixels of its own so that no two are alike."""
        image = self._pictures[int(self.rng.integers(len(self._pictures)))].copy()
        image[-1, :32] = self.rng.integers(0, 256, (32, 3))
        return image

    def send_good(self, pixels: NDArray[np.uint8] | None = None) -> int:
        """Sends an image that may be answered; its stamp."""
        message = self.driver.image(self.picture() if pixels is None else pixels)
        self.good.add(message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec)
        return self.driver.send(message)

    def until(self, states: tuple[str, ...], step: Callable[[], object], limit_s: float) -> float:
        """Does a step again and again until the node said one of the states; seconds it took."""
        heard = self.driver.heard

        def said() -> bool:
            step()
            time.sleep(_PERIOD_S)
            # The newest alone would miss one that lasts shorter than a turn of a busy machine.
            return any(state in states for state in self.driver.states_since(heard))

        return self.driver.wait(said, f"the state {' or '.join(states)}", limit_s)


@dataclass(frozen=True)
class Fault:
    """make: does it, and returns after how many seconds the node had said so (0: it need not).
    Raises NotAsWantedError when it is not said in time, or done what must not be."""

    name: str
    make: Callable[[Scene], float]


def _noise(scene: Scene, level: float, spread: float) -> NDArray[np.uint8]:
    shape = scene.picture().shape
    return scene.rng.normal(level, spread, shape).clip(0, 255).astype(np.uint8)


def _unseeing(level: float, spread: float) -> Callable[[Scene], float]:
    def make(scene: Scene) -> float:
        def step() -> None:
            scene.driver.send(scene.driver.image(_noise(scene, level, spread)))

        return scene.until(("degraded",), step, 1.5)

    return make


def _spoilt(
    state: str, limit_s: float = 1.5, shift_s: float = 0.0, **changes: object
) -> Callable[[Scene], float]:
    """An image of which a field is wrong, or whose stamp is shifted."""

    def make(scene: Scene) -> float:
        def step() -> None:
            scene.driver.send(scene.driver.image(scene.picture(), shift_s, **changes))

        return scene.until((state,), step, limit_s)

    return make


def _ordered(what: int, state: str) -> Callable[[Scene], float]:
    def make(scene: Scene) -> float:
        def step() -> None:
            scene.driver.send(scene.driver.image(order(scene.picture(), what)))

        return scene.until((state,), step, 2.0)

    return make


def _raise_once(scene: Scene) -> float:
    images = [scene.driver.image(order(scene.picture(), RAISE))]

    def step() -> None:
        if images:
            scene.driver.send(images.pop())

    return scene.until(("failed",), step, 1.5)


def _hang(scene: Scene) -> float:
    """One image takes more than a second; its answer comes late but is right."""
    scene.send_good(order(scene.picture(), HANG))
    time.sleep(0.3)  # a newer image would take its place before its turn
    return scene.until(("slow",), scene.send_good, 1.5)


def _stops(scene: Scene) -> float:
    return scene.until(("no_image",), lambda: None, 2.5)


def _freezes(scene: Scene) -> float:
    still = scene.picture()

    def step() -> None:
        if scene.driver.state != "degraded":
            scene.send_good(still)  # the first ones look like any other

    return scene.until(("degraded",), step, 2.0)


def _stamp_still(scene: Scene) -> float:
    first = scene.driver.image(scene.picture())
    scene.good.add(first.header.stamp.sec * 1_000_000_000 + first.header.stamp.nanosec)

    def step() -> None:
        again = scene.driver.image(scene.picture())
        again.header.stamp = first.header.stamp
        scene.driver.send(again)

    return scene.until(("bad_stamp", "too_old"), step, 1.5)


def _corrupt(scene: Scene) -> float:
    def step() -> None:
        start = bytes(serialize_message(scene.driver.image(scene.picture())))[:12]
        size = int(scene.rng.integers(2, 4000))
        scene.driver.send(start + scene.rng.integers(0, 256, size, np.uint8).tobytes())

    return scene.until(("bad_image",), step, 2.0)


def _many_components(scene: Scene) -> float:
    """Noise: thousands of components, or a scene that the model does not know. Both are answers."""
    before = scene.driver.sent
    for _ in range(5):
        scene.send_good(_noise(scene, 128, 70))
        time.sleep(_PERIOD_S)
    return 0.0 if scene.driver.sent == before + 5 else 1.0


def _no_focal_length(scene: Scene) -> float:
    """Obstacles go on without a place; no cloud may come."""
    scene.driver.send_info(0.0)

    def step() -> None:
        scene.send_good()

    took_s = scene.until(("no_camera_info",), step, 2.0)
    points = len(scene.driver.points)
    for _ in range(4):
        step()
        time.sleep(_PERIOD_S)
    if len(scene.driver.points) > points:
        raise NotAsWantedError("points were published without a focal length")
    scene.driver.send_info(scene.focal_px)
    return took_s


def _transitions(*names: str, wanted: bool = True) -> Callable[[Scene], float]:
    def make(scene: Scene) -> float:
        for name in names:
            scene.send_good()
            if scene.driver.change_state(name) is not wanted:
                raise NotAsWantedError(f"the transition {name}: {'not made' if wanted else 'made'}")
        scene.driver.send_info(scene.focal_px)
        return 0.0

    return make


def _bad_parameter(scene: Scene) -> float:
    value = ParameterValue(type=ParameterType.PARAMETER_DOUBLE, double_value=-1.0)
    if scene.driver.set_parameter(Parameter(name="max_frame_age_s", value=value)):
        raise NotAsWantedError("a parameter out of its range was set")
    return 0.0


def _other_reliability(scene: Scene) -> float:
    scene.driver.publish_as(ReliabilityPolicy.BEST_EFFORT)
    time.sleep(0.3)
    scene.driver.publish_as(ReliabilityPolicy.RELIABLE)
    return 0.0


def _other_size(scene: Scene) -> float:
    for _ in range(4):
        scene.send_good(np.ascontiguousarray(scene.picture()[: -int(scene.rng.integers(2, 20))]))
        time.sleep(_PERIOD_S)
    return 0.0


FAULTS: tuple[Fault, ...] = (
    Fault("camera stops", _stops),
    Fault("camera freezes", _freezes),
    Fault("stamps stand still", _stamp_still),
    Fault("stamps in the future", _spoilt("bad_stamp", shift_s=3600.0)),
    Fault("stamps from long ago", _spoilt("too_old", shift_s=-3600.0)),
    Fault("unknown encoding", _spoilt("bad_image", encoding="klingon8")),
    Fault("wrong step", _spoilt("bad_image", step=10)),
    Fault("no pixels", _spoilt("bad_image", data=b"")),
    Fault("another size", _other_size),
    Fault("corrupt bytes", _corrupt),
    Fault("zero focal length", _no_focal_length),
    Fault("darkness", _unseeing(5, 2)),
    Fault("glare", _unseeing(300, 20)),
    Fault("fog", _unseeing(190, 1)),
    Fault("covered lens", _unseeing(60, 1)),
    Fault("thousands of components", _many_components),
    Fault("backend raises once", _raise_once),
    Fault("backend raises again and again", _ordered(RAISE, "failed")),
    Fault("out of memory", _ordered(NO_MEMORY, "failed")),
    Fault("one image hangs", _hang),
    Fault("deactivated and activated", _transitions("deactivate", "activate")),
    Fault(
        "cleaned up and configured",
        _transitions("deactivate", "cleanup", "configure", "activate"),
    ),
    Fault("impossible transition", _transitions("configure", "cleanup", wanted=False)),
    Fault("parameter out of range", _bad_parameter),
    Fault("publisher of another reliability", _other_reliability),
)
