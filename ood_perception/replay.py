"""Bag in, bag out through the pipeline of the node: no DDS, no ROS, as fast as the machine is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ood_perception.bag_reading import (
    BagImage,
    camera_name,
    choose_image_topic,
    open_bag,
    read_images,
)
from ood_perception.bag_writing import BagWriter, compressed_image_message
from ood_perception.camera import CameraError, CameraModel, Mounting
from ood_perception.camera_info import camera_of_info, is_rectified_topic
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.drawing import draw_overlay
from ood_perception.errors import BagError, ImageError
from ood_perception.message_types import COMPRESSED_IMAGE_TYPE, OBSTACLES_TYPE, make_message
from ood_perception.obstacle_message_fields import array_fields
from ood_perception.overlapped_work import FinishedBehind, prepared_ahead
from ood_perception.replay_summary import ReplayCounts, ReplaySummary
from ood_perception.scene import Scene
from ood_perception.topic_copying import TopicCopier

OUTPUT_NAMESPACE = "/ood_perception/"
"""Where the node of the same name publishes; recorded topics below it are not copied."""

Progress = Callable[[int, int], None]
"""Called after each frame with the frames done and their total."""

Draw = Callable[[], Any]
"""Makes the message of a picture, or None."""

Write = Callable[[Any], None]
"""Writes the messages of a frame, given that of its picture."""

SceneListener = Callable[[Scene, NDArray[np.uint8]], None]
"""Called for each processed frame with its scene and its image, (H, W, 3) uint8 BGR."""


@dataclass(frozen=True)
class ReplaySettings:
    """What a replay takes from the bag and writes.

    topic: the image topic; None for the only one. mounting: of the camera, None when unknown.
    camera: intrinsics to use instead of the bag's camera_info. ground_frame_id: of positions.
    storage: "mcap" or "sqlite3". overlays: also write pictures for people (JPEG).
    reasons: with what decided in words.
    copy_input: also write every message of the input. overwrite: replace a bag that stands there.
    """

    topic: str | None = None
    mounting: Mounting | None = None
    camera: CameraModel | None = None
    ground_frame_id: str = "base_link"
    storage: str = "mcap"
    overlays: bool = False
    overlay_quality: int = 85
    reasons: bool = True
    copy_input: bool = False
    overwrite: bool = False


def replay(
    bag: Path | str,
    destination: Path | str,
    pipeline: CameraPipeline,
    settings: ReplaySettings | None = None,
    *,
    on_scene: SceneListener | None = None,
    progress: Progress | None = None,
) -> ReplaySummary:
    """Runs every image of one topic through the pipeline and writes what was seen into a new bag.

    For the camera NAME of the topic (its last namespace) the new bag has
    ``/ood_perception/NAME/obstacles`` and ``/ood_perception/NAME/rejected``
    (ObstacleComponentArray) and, if asked for, ``/ood_perception/NAME/overlay/compressed``, with
    the stamps and recording times of the images. An image that cannot be used is counted with its
    reason and nothing is written for it. The latency in the messages is the processing time, as
    if each image had arrived at its stamp; dropped_frames counts the refused images.

    pipeline: starts without a past; it is reset here.
    Raises BagError (no bag, no such topic, no image in it, destination taken); errors of the
    detector other than on bad images pass through, and no bag is left then.
    """
    settings = settings or ReplaySettings()
    chosen = choose_image_topic(bag, settings.topic)
    if chosen.count == 0:
        raise BagError(f"bag {bag}: image topic {chosen.name} holds no message")
    pipeline.reset()
    counts = ReplayCounts()
    start = perf_counter()
    with (
        BagWriter(destination, storage=settings.storage, overwrite=settings.overwrite) as writer,
        _copying(bag, writer, settings, counts) as copy_until,
    ):
        frames = _FrameReplay(writer, pipeline, settings, counts, chosen.name)
        with FinishedBehind[Any]() as behind:
            for image, pixels in prepared_ahead(read_images(bag, chosen.name), _timed_decode):
                draw, write = frames.process(image, pixels, on_scene)
                behind.add(draw, partial(_write_frame, copy_until, image.log_time_ns, write))
                if progress is not None:
                    progress(len(counts.stamps_ns), chosen.count)
        copy_until(None)
    return counts.summary(
        bag=Path(destination),
        model_id=frames.model_id,
        topic=chosen.name,
        wall_s=perf_counter() - start,
        topics=dict(writer.counts),
    )


def _timed_decode(image: BagImage) -> tuple[NDArray[np.uint8], float]:
    """Its pixels and the seconds that they took. Raises ImageError."""
    start = perf_counter()
    return image.decode(), perf_counter() - start


def _write_frame(
    copy_until: Callable[[int | None], None], log_time_ns: int, write: Write, picture: Any
) -> None:
    """Copied messages, then this frame's: the order of the bag is that of recording."""
    copy_until(log_time_ns)
    write(picture)


@contextmanager
def _copying(
    bag: Path | str, writer: BagWriter, settings: ReplaySettings, counts: ReplayCounts
) -> Iterator[Callable[[int | None], None]]:
    """A function that copies the input up to a time, or one that does nothing."""
    with ExitStack() as stack:
        if not settings.copy_input:
            yield lambda _: None
            return
        reader = stack.enter_context(open_bag(bag))
        copier = TopicCopier(bag, reader, writer, OUTPUT_NAMESPACE)
        counts.notes.update(copier.notes)
        yield copier.copy_until


class _FrameReplay:
    """Processes the images of one camera and writes what comes of them."""

    def __init__(
        self,
        writer: BagWriter,
        pipeline: CameraPipeline,
        settings: ReplaySettings,
        counts: ReplayCounts,
        image_topic: str,
    ) -> None:
        self._writer = writer
        self._pipeline = pipeline
        self._settings = settings
        self._counts = counts
        bundle = pipeline.detector.bundle
        self.model_id: str = bundle.model_id
        self._threshold: float = bundle.manifest.score.threshold
        self._colours_bgr = [color[::-1] for color in bundle.class_colors]
        self._class_names: list[str] = bundle.class_names
        self._cameras = _BagCamera(settings.camera, counts, is_rectified_topic(image_topic))
        namespace = f"{OUTPUT_NAMESPACE}{camera_name(image_topic)}"
        self._obstacles_topic = f"{namespace}/obstacles"
        self._rejected_topic = f"{namespace}/rejected"
        self._overlay_topic = f"{namespace}/overlay/compressed"
        # Announced at once: also a bag in which every image was refused says what it is about.
        writer.add_topic(self._obstacles_topic, OBSTACLES_TYPE)
        writer.add_topic(self._rejected_topic, OBSTACLES_TYPE)

    def process(
        self,
        image: BagImage,
        decoded: Callable[[], tuple[NDArray[np.uint8], float]],
        on_scene: SceneListener | None,
    ) -> tuple[Draw, Write]:
        """Its scene, counted; returns what draws it and what writes it with its picture."""
        self._counts.stamps_ns.append(image.stamp_ns)
        try:
            pixels, decode_s = decoded()
            start = perf_counter()
            scene = self._pipeline.process(
                pixels,
                image.stamp_ns,
                self._cameras.model(image.camera_info),
                self._settings.mounting,
            )
        except ImageError as error:
            self._counts.refuse(str(error))
            return lambda: None, lambda picture: None
        latency_s = decode_s + perf_counter() - start
        self._counts.add(scene, latency_s)
        messages = self._messages(image, scene, round(latency_s * 1e9))
        if on_scene is not None:
            on_scene(scene, pixels)
        return partial(self._draw, image, pixels, scene), partial(self._write, image, messages)

    def _messages(self, image: BagImage, scene: Scene, latency_ns: int) -> list[tuple[str, Any]]:
        """(topic, message) of what was seen."""
        messages = []
        for topic, rejected in ((self._obstacles_topic, False), (self._rejected_topic, True)):
            fields = array_fields(
                scene,
                stamp_ns=image.stamp_ns,
                frame_id=image.frame_id,
                ground_frame_id=self._settings.ground_frame_id,
                model_id=self.model_id,
                threshold=self._threshold,
                latency_ns=latency_ns,
                dropped_frames=self._counts.refused,
                rejected=rejected,
            )
            messages.append((topic, make_message(OBSTACLES_TYPE, fields)))
        return messages

    def _write(self, image: BagImage, messages: list[tuple[str, Any]], picture: Any) -> None:
        for topic, message in messages:
            self._writer.write(topic, OBSTACLES_TYPE, image.log_time_ns, message)
        if picture is not None:
            kind = COMPRESSED_IMAGE_TYPE
            self._writer.write(self._overlay_topic, kind, image.log_time_ns, picture)

    def _draw(self, image: BagImage, pixels: NDArray[np.uint8], scene: Scene) -> Any:
        """The message of its overlay, None unless asked for; on any thread."""
        if not self._settings.overlays:
            return None
        picture = draw_overlay(
            pixels, scene, self._colours_bgr, self._class_names, self._settings.reasons
        )
        return compressed_image_message(
            picture, image.stamp_ns, image.frame_id, self._settings.overlay_quality
        )


class _BagCamera:
    """Intrinsics of the camera_info that comes with an image, worked out once for equal ones."""

    def __init__(self, override: CameraModel | None, counts: ReplayCounts, rectified: bool) -> None:
        self._override = override
        self._rectified = rectified
        self._counts = counts
        self._key: tuple[Any, ...] | None = None
        self._model: CameraModel | None = None

    def model(self, info: Any) -> CameraModel | None:
        if self._override is not None or info is None:
            return self._override
        roi = info.roi
        region = (roi.x_offset, roi.y_offset, roi.width, roi.height)
        binning = (info.binning_x, info.binning_y)
        size = (info.width, info.height)
        key = (*size, *info.k, *info.d, *info.p, info.distortion_model, *region, *binning)
        if key != self._key:
            self._key = key
            try:
                self._model = camera_of_info(info, self._rectified)
            except CameraError as error:
                self._counts.notes[str(error)] += 1
                self._model = None
        return self._model
