"""What a detector says of an image whose answer is known by formula."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from color_bundle import BLUE, GREEN, GREY, color_image, color_network, write_color_bundle
from hypothesis import given
from hypothesis import strategies as st

from ood_perception.backends.onnxruntime import OnnxRuntimeBackend
from ood_perception.bundle import Bundle, NetworkSpec, write_bundle
from ood_perception.components import component_metrics
from ood_perception.detector import Detector
from ood_perception.errors import BackendError, BundleError, ImageError
from ood_perception.grid_logits import GridLogits
from ood_perception.letterbox import Letterbox

NETWORK = NetworkSpec.of_sizes((64, 128), (32, 64))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_color_bundle(tmp_path_factory.mktemp("models") / "color")


@pytest.fixture(scope="module")
def detector(bundle: Bundle) -> Detector:
    return Detector(bundle)


def test_the_block_is_kept_and_the_speck_is_rejected_with_the_reason(detector: Detector) -> None:
    detection = detector.detect(color_image())
    assert len(detection.kept) == 1
    assert len(detection.rejected) == 1
    block, speck = detection.kept[0], detection.rejected[0]
    assert block.obstacle_probability > 0.5 > speck.obstacle_probability
    assert block.reasons[0].metric == "S"
    assert block.reasons[0].contribution > 0
    assert block.road_border_share == 1.0
    assert block.max_score > 0.99


@pytest.mark.parametrize("size", [(64, 128), (128, 256), (360, 640), (100, 100), (300, 200)])
def test_regions_are_in_full_image_pixels_at_any_size(
    detector: Detector, size: tuple[int, int]
) -> None:
    height, width = size
    detection = detector.detect(color_image(height, width))
    block = max(detection.components, key=lambda component: component.area_px)
    cell = max(2 * height / 64, 2 * width / 128)
    assert block.region.x == pytest.approx(round(width * 0.5), abs=2 * cell)
    assert block.region.y == pytest.approx(round(height * 0.5), abs=2 * cell)
    assert block.region.width == pytest.approx(width * 0.25, abs=3 * cell)
    assert block.region.height == pytest.approx(height * 0.25, abs=3 * cell)
    assert detection.image_labels().shape == size
    assert detection.image_score().shape == size
    assert detection.image_score().dtype == np.float32
    assert block.lower_edge[:, 1].max() == pytest.approx(height * 0.75, abs=2 * cell)


def test_sparse_metrics_equal_the_dense_ones_on_the_grid(detector: Detector) -> None:
    output = detector.run_network(color_image())
    mask = output.score >= 0.7
    sparse = detector.measure(output, mask).metrics
    rows, columns = (grid.ravel() for grid in np.indices((32, 64)))
    logits = GridLogits(output.logits, (32, 64)).at(rows, columns).astype(np.float64)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=0)
    dense = component_metrics(probabilities.reshape(3, 32, 64).astype(np.float32), mask)
    np.testing.assert_allclose(sparse.values, dense.values, atol=1e-5)
    np.testing.assert_array_equal(sparse.labels, dense.labels)


def test_interpolated_logits_give_the_score_of_the_graph(detector: Detector) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (64, 128, 3), np.uint8)
    output = detector.run_network(image)
    rows, columns = (grid.ravel() for grid in np.indices((32, 64)))
    logits = GridLogits(output.logits, (32, 64)).at(rows, columns).astype(np.float64)
    p = np.exp(logits - logits.max(axis=0))
    p /= p.sum(axis=0)
    entropy = -(p * np.log(p)).sum(axis=0) / np.log(3)
    np.testing.assert_allclose(entropy, output.score.ravel(), atol=2e-6)


def test_without_a_meta_classifier_everything_is_kept(tmp_path: Path) -> None:
    detection = Detector(write_color_bundle(tmp_path / "plain", with_meta=False)).detect(
        color_image()
    )
    assert len(detection.kept) == 2
    assert not detection.rejected


def test_an_image_without_anything_unknown_gives_no_component(detector: Detector) -> None:
    detection = detector.detect(np.full((48, 96, 3), GREEN, np.uint8))
    assert detection.components == ()
    assert set(np.unique(detection.labels)) == {1}


def test_an_image_that_is_unknown_all_over_is_one_component(detector: Detector) -> None:
    detection = detector.detect(np.full((64, 128, 3), GREY, np.uint8))
    assert len(detection.components) == 1
    assert detection.components[0].region == (0, 0, 128, 64)
    assert detection.components[0].road_border_share == 0.0


def test_a_component_in_the_hole_of_another_has_its_own_contour(detector: Detector) -> None:
    image = np.full((64, 128, 3), BLUE, np.uint8)
    cv2.rectangle(image, (30, 10), (90, 54), GREY, 8)
    cv2.rectangle(image, (54, 26), (68, 38), GREY, -1)
    detection = detector.detect(image)
    assert len(detection.components) == 2
    outer, inner = detection.components
    assert outer.contour[:, 0].min() < 32 < 50 < inner.contour[:, 0].min()


def test_scores_that_are_no_numbers_are_a_failure_and_never_a_clear_road(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = OnnxRuntimeBackend.run

    def broken(self: OnnxRuntimeBackend, tensors: dict[str, Any]) -> dict[str, Any]:
        outputs = run(self, tensors)
        outputs["score"][0, 0, 0] = np.nan
        return outputs

    detector = Detector(bundle)
    monkeypatch.setattr(OnnxRuntimeBackend, "run", broken)
    with pytest.raises(BackendError, match="no numbers"):
        detector.detect(color_image())


def test_only_the_largest_components_are_looked_at_and_the_others_are_counted(
    bundle: Bundle,
) -> None:
    everything = Detector(bundle).detect(color_image())
    limited = Detector(bundle, max_components=1).detect(color_image())
    assert everything.left_out == 0
    assert limited.left_out == len(everything.components) - 1 == 1
    (largest,) = limited.components
    expected = max(everything.components, key=lambda component: component.area_px)
    assert largest.region == expected.region
    assert largest.reasons == expected.reasons
    assert largest.label == 1
    assert (limited.component_labels > 0).sum() == (
        everything.component_labels == expected.label
    ).sum()


def test_images_of_several_cameras_are_detected_as_if_each_were_alone(tmp_path: Path) -> None:
    detector = Detector(write_color_bundle(tmp_path / "color", batch="batch"))
    images = [color_image(), color_image(100, 100), np.full((64, 128, 3), BLUE, np.uint8)]
    for together, image in zip(detector.detect_batch(images), images, strict=True):
        alone = detector.detect(image)
        np.testing.assert_array_equal(together.labels, alone.labels)
        np.testing.assert_allclose(together.score, alone.score, atol=1e-6)
        assert together.image_size == image.shape[:2]
        assert [c.region for c in together.components] == [c.region for c in alone.components]


def test_a_batch_that_the_graph_does_not_take_is_refused(detector: Detector) -> None:
    with pytest.raises(BackendError, match="failed"):
        detector.detect_batch([color_image(), color_image()])


def test_nothing_is_remembered_from_image_to_image(detector: Detector) -> None:
    first = detector.detect(color_image())
    detector.detect(np.full((300, 200, 3), GREY, np.uint8))
    second = detector.detect(color_image())
    np.testing.assert_array_equal(first.score, second.score)
    assert len(first.components) == len(second.components)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
    ],
)
def test_what_is_no_image_is_refused(detector: Detector, image: np.ndarray) -> None:
    with pytest.raises(ImageError, match="cannot be used"):
        detector.detect(image)


def test_graph_and_manifest_that_disagree_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    manifest = bundle.manifest.model_copy(update={"meta_classifier": None})
    wrong = write_bundle(tmp_path / "wrong", manifest, color_network(height=32))
    with pytest.raises(BundleError, match="the manifest"):
        Detector(wrong)


def test_a_meta_classifier_of_other_metrics_is_refused(bundle: Bundle) -> None:
    meta = bundle.manifest.meta_classifier
    assert meta is not None
    shuffled = meta.model_copy(update={"metric_names": meta.metric_names[::-1]})
    manifest = bundle.manifest.model_copy(update={"meta_classifier": shuffled})
    with pytest.raises(BundleError, match="other metrics"):
        Detector(replace(bundle, manifest=manifest))


def test_an_unknown_backend_and_a_broken_graph_are_named(bundle: Bundle) -> None:
    with pytest.raises(BackendError, match="choose one of onnxruntime"):
        Detector(bundle, backend="abacus")
    with pytest.raises(BackendError, match=r"network\.onnx"):
        Detector(replace(bundle, network_onnx=b"not a graph"))


@given(height=st.integers(1, 400), width=st.integers(1, 400))
def test_the_letterbox_fits_and_its_maps_go_from_border_to_border(height: int, width: int) -> None:
    box = Letterbox.fit(NETWORK, height, width)
    tensor = box.apply(np.full((height, width, 3), 200, np.uint8))
    assert tensor.shape == (1, 64, 128, 3)
    assert (tensor[0, : box.inner_height, : box.inner_width] == 200).all()
    assert 1 <= box.valid_rows <= 32
    assert 1 <= box.valid_columns <= 64
    edges = box.image_y(np.arange(box.valid_rows + 1))
    assert (np.diff(edges) >= 0).all()
    assert edges[0] == pytest.approx(0, abs=0.51 * box.cell_size_px[0])
    assert edges[-1] == pytest.approx(height, abs=1.01 * box.cell_size_px[0])


def test_a_map_returns_to_the_image_where_it_came_from() -> None:
    box = Letterbox.fit(NETWORK, 256, 512)
    ramp = np.tile(np.arange(64, dtype=np.float32), (32, 1))
    there = box.to_image(ramp, cv2.INTER_LINEAR)
    columns = np.arange(20, 490)
    centres = box.image_x(ramp[0] + 0.5)
    expected = np.interp(columns + 0.5, centres, ramp[0])
    np.testing.assert_allclose(there[100, columns], expected, atol=0.04)
