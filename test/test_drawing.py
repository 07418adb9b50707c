"""Pictures have the image's size, leave it unchanged, and show what was decided."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from obstacle_examples import (
    HEIGHT,
    UNCALIBRATED_BUNDLE,
    WIDTH,
    camera,
    detection,
    mounting,
    upright_component,
)

from ood_perception.annotation_canvas import AnnotationCanvas
from ood_perception.bundle import NetworkSpec
from ood_perception.camera_pipeline import CameraPipeline
from ood_perception.components import metric_names
from ood_perception.detection import Detection, Reason, Region
from ood_perception.drawing import (
    CONFIRMED,
    IRRELEVANT,
    UNCONFIRMED,
    colour_labels,
    colour_score,
    draw_overlay,
)
from ood_perception.letterbox import Letterbox
from ood_perception.metric_words import metric_words
from ood_perception.scene import Scene

COLOURS = np.array([[128, 64, 128], [180, 130, 70]], np.uint8)


def whole_pixels(component):
    return replace(component, region=type(component.region)(*map(round, component.region)))


def board(x_m=9.0, y_m=0.0, **changes):
    return whole_pixels(upright_component(x_m, y_m, 1.0, 0.8, camera(), mounting(), **changes))


def grey_image():
    """Grain: an image of one grey is taken for a blind camera's."""
    grain = np.random.default_rng(0).integers(90, 140, (HEIGHT, WIDTH, 1), np.uint8)
    return np.repeat(grain, 3, axis=2)


def scene(*components, frames=2) -> Scene:
    class Fake:
        bundle = UNCALIBRATED_BUNDLE

        def detect(self, image):
            found = detection(components)
            if not any(component.road_border_share for component in components):
                found.labels[:] = 1  # no road anywhere
            return found

    pipeline = CameraPipeline(Fake())
    for i in range(frames):
        seen = pipeline.process(grey_image() + np.uint8(i), i, camera(), mounting())
    return seen


def has_colour(picture, colour, component):
    x, y, width, height = component.region
    crop = picture[y - 3 : y + height + 3, x - 3 : x + width + 3].astype(int)
    return bool((np.abs(crop - np.array(colour)).max(axis=2) < 12).any())


def test_labels_take_their_colours_and_unknown_ids_are_black():
    picture = colour_labels(np.array([[0, 1], [1, 255]], np.uint8), COLOURS)
    np.testing.assert_array_equal(picture, [[COLOURS[0], COLOURS[1]], [COLOURS[1], [0, 0, 0]]])
    assert picture.dtype == np.uint8


def test_enlarged_labels_hold_no_mixed_colours():
    labels = np.random.default_rng(0).integers(0, 2, (9, 16), dtype=np.uint8)
    picture = colour_labels(labels, COLOURS, (90, 160))
    assert picture.shape == (90, 160, 3)
    np.testing.assert_array_equal(picture[5::10, 5::10], COLOURS[labels])


def test_a_higher_score_is_a_brighter_colour():
    ramp = np.linspace(0, 1, 11, dtype=np.float32)[None]
    brightness = colour_score(ramp)[0].astype(int).sum(axis=1)
    assert (np.diff(brightness) > 0).all()
    assert colour_score(ramp, (36, 64)).shape == (36, 64, 3)


def test_a_score_outside_of_its_range_does_not_wrap():
    odd = np.array([[-1.0, 2.0, np.nan]], np.float32)
    ends = colour_score(np.array([[0.0, 1.0, 0.0]], np.float32))
    np.testing.assert_array_equal(colour_score(odd), ends)


def test_overlay_has_the_images_size_and_leaves_the_image_alone():
    image = grey_image()
    picture = draw_overlay(image, scene(board(), board(20, 3, label=2, kept=False)), COLOURS)
    assert picture.shape == image.shape
    assert picture.dtype == np.uint8
    np.testing.assert_array_equal(image, grey_image())


@pytest.mark.parametrize(
    ("frames", "share", "colour"),
    [(2, 0.6, CONFIRMED), (1, 0.6, UNCONFIRMED), (2, 0.0, IRRELEVANT)],
)
def test_the_outline_tells_what_an_obstacle_is(frames, share, colour):
    component = board(road_border_share=share)
    picture = draw_overlay(grey_image(), scene(component, frames=frames), COLOURS)
    others = {CONFIRMED, UNCONFIRMED, IRRELEVANT} - {colour}
    assert has_colour(picture, colour, component)
    assert not any(has_colour(picture, other, component) for other in others)


def test_a_rejected_component_has_no_obstacles_outline():
    component = board(kept=False)
    picture = draw_overlay(grey_image(), detection([component]), COLOURS)
    assert not has_colour(picture, CONFIRMED, component)
    without = draw_overlay(grey_image(), detection([]), COLOURS)
    x, y, width, height = component.region
    assert (picture != without)[y : y + height, x : x + width].any(), "people still see it"


def test_the_banner_changes_with_the_status():
    seen = scene(board())
    degraded = replace(seen, status=type(seen.status).DEGRADED, unplaced=1)
    banners = [draw_overlay(grey_image(), s, COLOURS)[2, -2] for s in (seen, degraded)]
    assert banners[0][1] > banners[0][2], "green when all is well"
    assert banners[1][2] > banners[1][1], "red when an obstacle has no place"


@pytest.mark.parametrize("size", [(32, 32), (360, 640), (720, 1280)])
def test_any_image_size_can_be_drawn_on(size):
    image = np.full((*size, 3), 100, np.uint8)
    crowd = [board(8 + i, label=i + 1, kept=i % 2 == 0) for i in range(30)]
    picture = draw_overlay(image, scene(*crowd), COLOURS)
    assert picture.shape == image.shape


def test_a_padded_grid_is_drawn_where_it_lies():
    """The lower half of this network's input is padding: the grid shows the image's upper rows."""
    network = NetworkSpec.of_sizes((720, 640), (180, 160))
    letterbox = Letterbox.fit(network, HEIGHT, WIDTH)
    labels = np.zeros((letterbox.valid_rows, letterbox.valid_columns), np.uint8)
    labels[labels.shape[0] // 2 :] = 1
    flat = np.zeros(labels.shape)
    seen = Detection(
        (HEIGHT, WIDTH),
        labels,
        flat.astype(np.float32),
        flat.astype(np.int32),
        (),
        letterbox=letterbox,
    )
    picture = draw_overlay(np.zeros((HEIGHT, WIDTH, 3), np.uint8), seen, COLOURS * 0 + [[0], [255]])
    column = picture[40:, WIDTH // 2, 0]
    assert abs(int(np.argmax(column > 50)) + 40 - HEIGHT / 2) <= letterbox.cell_size_px[0]
    assert (column[-10:] > 50).all()


@pytest.fixture
def written(monkeypatch):
    """The lines of text of the pictures drawn in this test."""
    texts = []
    put_text = cv2.putText
    monkeypatch.setattr(
        "ood_perception.annotation_canvas.cv2.putText",
        lambda picture, text, *rest: (texts.append(text), put_text(picture, text, *rest)),
    )
    return texts


REASONS = (Reason("E", 0.912, 2.0), Reason("ndist1", 0.4, -1.0), Reason("S", 312.0, 0.5))
NAMES = ("road", "sky")


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        (240, []),
        (360, ["+ mean entropy 0.91"]),
        (720, ["+ mean entropy 0.91", "- sky next to it 40%"]),
    ],
)
def test_an_obstacle_says_in_words_what_decided_where_that_can_be_read(written, rows, shown):
    image = np.full((rows, rows * 16 // 9, 3), 100, np.uint8)
    draw_overlay(image, detection([board(reasons=REASONS)]), COLOURS, NAMES)
    assert [text for text in written if text[0] in "+-"] == shown


def test_a_rejected_component_says_what_spoke_most_against_it(written):
    component = board(kept=False, reasons=REASONS)
    draw_overlay(grey_image(), detection([component]), COLOURS, NAMES)
    assert "10%  - sky next to it 40%" in written
    draw_overlay(grey_image(), detection([component]), COLOURS)
    assert written[-1] == "10%  - class 1 next to it 40%", "no names: the class's number"


def test_without_reasons_nothing_but_the_decision_is_written(written):
    components = [board(reasons=REASONS), board(20, 3, label=2, kept=False, reasons=REASONS)]
    draw_overlay(grey_image(), detection(components), COLOURS, NAMES, reasons=False)
    assert written[1:] == ["90%", "10%"]


def test_reasons_of_a_crowd_are_left_out_rather_than_labels_covered(written):
    crowd = [board(7 + 3 * i, i - 6, label=i + 1, reasons=REASONS) for i in range(14)]
    draw_overlay(np.full((720, 1280, 3), 100, np.uint8), detection(crowd), COLOURS, NAMES)
    assert written.count("90%") == len(crowd)
    assert 0 < len([text for text in written if text[0] in "+-"]) <= 2 * 4


def test_a_label_lies_in_a_large_component_rather_than_on_another_label():
    canvas = AnnotationCanvas(np.zeros((720, 1280, 3), np.uint8))
    filling = replace(board(), region=Region(0, 0, 1280, 720))
    small = [replace(board(), region=Region(600 + 30 * i, 400, 12, 6)) for i in range(3)]
    for component in (filling, *small):
        canvas.keep_clear(component)
    for component in small:
        canvas.label(component, "90%", CONFIRMED, details=["+ mean entropy 0.91"])
    assert len(canvas.taken) == 3
    for i, (left, top, right, bottom) in enumerate(canvas.taken):
        for other in canvas.taken[:i]:
            apart = right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
            assert apart


def test_every_metric_has_words_of_its_own():
    names = metric_names(19)
    words = [metric_words(name) for name in names]
    assert len(set(words)) == len(names)
    assert not set(words) & set(names)
    assert metric_words("cprob1", NAMES) == "probability of sky"
    assert metric_words("someone_elses") == "someone_elses"
