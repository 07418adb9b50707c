"""A bundle's network in 8-bit integers: what changes, what must not, and what is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from color_bundle import CLASSES, area_meta_classifier, write_color_bundle
from quantization_examples import GRID, PROMISE, float_bundle, picture, write_pictures
from typer.testing import CliRunner

from ood_perception.bundle import Bundle, Manifest, load_bundle, write_bundle
from ood_perception.detector import Detector
from ood_perception.errors import BundleError, OodError
from ood_perception.letterbox import Letterbox
from ood_training.quantization import QuantizationReport, quantize_bundle


@dataclass(frozen=True)
class Quantized:
    source: Bundle
    images: Path
    bundle: Bundle
    report: QuantizationReport
    progress: list[tuple[int, int | None]]


@pytest.fixture(scope="module")
def quantized(tmp_path_factory: pytest.TempPathFactory) -> Quantized:
    place = tmp_path_factory.mktemp("quantization")
    pictures = write_pictures(place / "pictures", 6)
    source = float_bundle(place / "float")
    progress: list[tuple[int, int | None]] = []
    bundle, report = quantize_bundle(
        place / "float",
        pictures,
        place / "int8",
        count=4,
        on_progress=lambda done, total: progress.append((done, total)),
    )
    return Quantized(source, pictures, bundle, report, progress)


def _nodes(bundle: Bundle) -> list[onnx.NodeProto]:
    return list(onnx.load_model_from_string(bundle.network_onnx).graph.node)


def _after(nodes: list[onnx.NodeProto], start: str) -> list[onnx.NodeProto]:
    reached, found = {start}, []
    for node in nodes:
        if reached.intersection(node.input):
            reached.update(node.output)
            found.append(node)
    return found


def _first(nodes: list[onnx.NodeProto], kind: str) -> int:
    return next(place for place, node in enumerate(nodes) if node.op_type == kind)


def test_the_convolutions_are_quantized_a_scale_a_channel(quantized: Quantized) -> None:
    nodes = _nodes(quantized.bundle)
    makers = {name: node for node in nodes for name in node.output}
    convolutions = [node for node in nodes if node.op_type == "Conv"]
    of_integers = [node for node in convolutions if node.input[1] in makers]
    assert len(of_integers) == len(convolutions) - 2 > 3  # all but the first and the last
    constants = {
        one.name: onnx.numpy_helper.to_array(one)
        for one in onnx.load_model_from_string(quantized.bundle.network_onnx).graph.initializer
    }
    for node in of_integers:
        assert makers[node.input[0]].op_type == "DequantizeLinear"
        weights, scale, _ = makers[node.input[1]].input
        assert constants[weights].dtype == np.int8
        assert constants[scale].shape == constants[weights].shape[:1]


def test_the_image_and_all_from_the_logits_on_stay_float(quantized: Quantized) -> None:
    nodes, source = _nodes(quantized.bundle), _nodes(quantized.source)
    head = nodes[: _first(nodes, "Conv") + 1]
    assert not [node for node in head if "QuantizeLinear" in node.op_type]
    tail = [node.op_type for node in _after(nodes, "logits")]
    assert "QuantizeLinear" not in tail
    assert "DequantizeLinear" not in tail
    folded = {"Shape", "Slice", "Concat", "Gather", "Cast"}  # sizes, known beforehand
    of_source = [node.op_type for node in _after(source, "logits")]
    kinds, of_source_kinds = (sorted(set(one) - folded) for one in (tail, of_source))
    assert kinds == of_source_kinds
    maker = next(node for node in nodes if "logits" in node.output)
    assert maker.op_type == "Conv"  # the logits themselves are no steps of 1/256


def test_edges_are_as_they_were(quantized: Quantized) -> None:
    def edges(bundle: Bundle) -> list[tuple[str, str, list[int]]]:
        session = onnxruntime.InferenceSession(bundle.network_onnx)
        both = [*session.get_inputs(), *session.get_outputs()]
        return [(one.name, one.type, one.shape) for one in both]

    assert edges(quantized.bundle) == edges(quantized.source)


def test_the_detector_runs_it_and_it_is_near_the_float_network(quantized: Quantized) -> None:
    exact, rounded = Detector(quantized.source), Detector(load_bundle(quantized.bundle.folder))
    rng = np.random.default_rng(9)
    for image in [picture(rng) for _ in range(3)]:
        one, other = exact.detect(image), rounded.detect(image)
        assert (one.labels == other.labels).mean() > 0.95
        difference = np.abs(one.score - other.score)
        assert 0 < difference.mean() < 0.03
        assert other.score.dtype == np.float32


def test_score_and_labels_are_exactly_those_of_its_logits(quantized: Quantized) -> None:
    session = onnxruntime.InferenceSession(quantized.bundle.network_onnx)
    fitted = Letterbox.fit(quantized.bundle.manifest.network, 120, 200)
    image = fitted.apply(picture(np.random.default_rng(5)))
    labels, score, logits = session.run(["labels", "score", "logits"], {"image": image})
    upsampled = torch.nn.functional.interpolate(
        torch.from_numpy(logits), size=GRID, mode="bilinear", align_corners=True
    )
    log_p = upsampled.double().log_softmax(1)
    entropy = -(log_p.exp() * log_p).sum(1) / np.log(len(CLASSES))
    np.testing.assert_allclose(score, entropy.numpy(), atol=1e-4)
    assert (labels == upsampled.argmax(1).numpy()).mean() > 0.999


def test_the_bundle_says_what_it_is(quantized: Quantized) -> None:
    manifest, source = quantized.bundle.manifest, quantized.source.manifest
    assert (source.network.precision, manifest.network.precision) == ("fp32", "int8")
    assert manifest.network.sha256 != source.network.sha256
    recipe = manifest.provenance.recipe
    assert recipe.startswith(
        "by hand, then int8 for ONNX Runtime on a CPU, calibrated on 4 of 6 images of "
    )
    assert recipe.endswith("/pictures")
    assert len(quantized.bundle.network_onnx) < len(quantized.source.network_onnx)
    card = (quantized.bundle.folder / "README.md").read_text()
    assert card.startswith("# Model card: scenes\n\nAs it was.\n")
    assert "fitted on the components of the float32 network" in card
    assert quantized.progress == [(done, 4) for done in (1, 2, 3, 4)]
    assert (quantized.report.images, quantized.report.available) == (4, 6)
    assert 0.95 < quantized.report.label_agreement <= 1
    assert 0 < quantized.report.mean_score_difference < quantized.report.max_score_difference


def test_the_filter_is_carried_over_without_its_promise(quantized: Quantized) -> None:
    assert quantized.bundle.meta_classifier_onnx == quantized.source.meta_classifier_onnx
    meta, of_source = (one.manifest.meta_classifier for one in (quantized.bundle, quantized.source))
    assert meta is not None
    assert of_source is not None
    assert of_source.promise == PROMISE
    assert meta == of_source.model_copy(update={"promise": None})


def test_manifests_from_before_are_float32(quantized: Quantized) -> None:
    old = json.loads(quantized.source.manifest.model_dump_json())
    del old["network"]["precision"]
    assert Manifest.model_validate(old).network.precision == "fp32"


def test_what_cannot_be_quantized_is_refused(quantized: Quantized, tmp_path: Path) -> None:
    source, images = quantized.source.folder, quantized.images
    out = tmp_path / "out"
    with pytest.raises(BundleError, match="quantised already: start from its float32 bundle"):
        quantize_bundle(quantized.bundle.folder, images, out)
    # also where only the graph tells
    manifest = quantized.source.manifest
    write_bundle(tmp_path / "b", manifest, quantized.bundle.network_onnx, area_meta_classifier(20))
    with pytest.raises(BundleError, match="quantised already"):
        quantize_bundle(tmp_path / "b", images, out)
    write_color_bundle(tmp_path / "color")
    with pytest.raises(OodError, match="no convolution to quantise"):
        quantize_bundle(tmp_path / "color", images, out)
    with pytest.raises(BundleError, match="the float32 bundle itself"):
        quantize_bundle(source, images, source)
    with pytest.raises(OodError, match="at least 1 image"):
        quantize_bundle(source, images, out, count=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "color"]


def test_bad_images_and_places_are_refused(quantized: Quantized, tmp_path: Path) -> None:
    source, out = quantized.source.folder, tmp_path / "out"
    with pytest.raises(OodError, match="does not exist"):
        quantize_bundle(source, tmp_path / "nowhere", out)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OodError, match="holds no image"):
        quantize_bundle(source, tmp_path / "empty", out)
    (tmp_path / "empty" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(OodError, match=r"broken\.png"):
        quantize_bundle(source, tmp_path / "empty", out)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BundleError, match="cannot write the bundle"):
        quantize_bundle(source, quantized.images, tmp_path / "file" / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file"]


def test_the_verb_reports_what_it_did(quantized: Quantized, tmp_path: Path) -> None:
    import typer

    from ood_training.cli import register

    app = typer.Typer()
    register(app)
    arguments = [
        "quantize", "--bundle", quantized.source.folder, "--images", quantized.images,
        "--out", tmp_path / "int8", "--count", 2, "--json", tmp_path / "int8.json",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "int8.json").read_text())
    assert written["precision"] == "int8"
    assert written["calibration"]["images"] == 2
    assert written["model"] == load_bundle(tmp_path / "int8").model_id
