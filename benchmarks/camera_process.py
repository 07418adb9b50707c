"""Cameras as a process of their own: raw images over DDS at a steady rate until it is told to end.

`python benchmarks/camera_process.py --cameras front,left --rate 30 [--size 1280x720]`: prints
"ready", publishes ~/NAME/image and ~/NAME/camera_info of the node ood_perception, and ends with its
standard input. Each camera has the rate for itself; cameras take their turns in between. Last it
prints as JSON how long after its stamp each image was really out: {stamp in nanoseconds: seconds}.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any

import numpy as np

from ood_perception.generated_drive import CameraSetup, random_scene
from ood_perception.generated_drive.mounted_camera import camera_model

ROOT = Path(__file__).resolve().parents[1]
SCENES = 6


class CameraProcess:
    """The asking side; a context manager that ends the process.

    published_s: after the end, by an image's stamp in nanoseconds, how long it took the camera to
    publish it: a camera that the machine held up then made it no older than it had to be.
    """

    def __init__(self, cameras: tuple[str, ...], rate_hz: float, size: tuple[int, int]) -> None:
        """Start to publish images of (width, height), and wait until the first can be."""
        self.published_s: dict[int, float] = {}
        self._process = subprocess.Popen(
            [
                *(sys.executable, __file__, "--cameras", ",".join(cameras)),
                *("--rate", str(rate_hz), "--size", f"{size[0]}x{size[1]}"),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
                "FASTRTPS_DEFAULT_PROFILES_FILE": str(ROOT / "config" / "fastdds_profile.xml"),
            },
        )
        assert self._process.stdout is not None
        if not self._process.stdout.readline():
            raise SystemExit("camera_process: the cameras ended early, see above")

    def __enter__(self) -> CameraProcess:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        told = json.loads(self._process.stdout.readline() or "{}")
        self.published_s = {int(stamp_ns): seconds for stamp_ns, seconds in told.items()}
        self._process.wait(20)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cameras", default="camera")
    parser.add_argument("--rate", type=float, default=10.0)
    parser.add_argument("--size", default="1280x720")
    arguments = parser.parse_args()
    width, height = (int(part) for part in arguments.size.split("x"))
    publish(arguments.cameras.split(","), arguments.rate, (width, height))


def publish(cameras: list[str], rate_hz: float, size: tuple[int, int]) -> None:
    """Publishes until standard input ends."""
    import rclpy
    from rclpy.qos import QoSProfile, ReliabilityPolicy
    from sensor_msgs.msg import CameraInfo, Image

    rclpy.init()
    node = rclpy.create_node("cameras")
    qos = QoSProfile(depth=2, reliability=ReliabilityPolicy.BEST_EFFORT)
    images = [
        node.create_publisher(Image, f"/ood_perception/{camera}/image", qos) for camera in cameras
    ]
    infos = [
        node.create_publisher(CameraInfo, f"/ood_perception/{camera}/camera_info", 1)
        for camera in cameras
    ]
    setup = CameraSetup.default(*size)
    messages = [_message(seed, setup) for seed in range(SCENES)]
    info = _camera_info(setup)
    ended = Event()
    Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
    print("ready", flush=True)
    period_s, started_s, number = 1 / (rate_hz * len(cameras)), time.monotonic(), 0
    published_s: dict[int, float] = {}
    while not ended.is_set():
        place, message = number % len(cameras), messages[number % len(messages)]
        now = node.get_clock().now()
        message.header.stamp = now.to_msg()
        images[place].publish(message)
        published_s[now.nanoseconds] = (node.get_clock().now() - now).nanoseconds / 1e9
        if number % (10 * len(cameras)) < len(cameras):
            infos[place].publish(info)
        number += 1
        ended.wait(max(0.0, started_s + number * period_s - time.monotonic()))
    print(json.dumps(published_s), flush=True)
    node.destroy_node()
    rclpy.shutdown()


def _message(seed: int, setup: CameraSetup) -> Any:
    from std_msgs.msg import Header

    from ood_perception.ros.image_messages import image_message

    pixels = random_scene(seed, camera=setup, obstacle_count=2).image
    return image_message(pixels, Header(frame_id="camera_optical"))


def _camera_info(setup: CameraSetup) -> Any:
    from sensor_msgs.msg import CameraInfo

    model = camera_model(setup)
    return CameraInfo(
        width=model.width,
        height=model.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=[float(value) for value in np.asarray(model.matrix).reshape(-1)],
    )


if __name__ == "__main__":
    main()
