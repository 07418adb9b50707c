"""An exported graph is held against PyTorch, on real pictures where there are some."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from ood_perception.bundle import NetworkSpec, load_bundle
from ood_perception.detector import Detector
from ood_perception.errors import OodError
from ood_training.checkpoint import Progress, save_checkpoint
from ood_training.export import ENTROPY, ExportSettings, export_bundle, network_to_onnx
from ood_training.export_check import Expectation, check_graph, real_images, synthetic_image
from ood_training.models import SegmentationNetwork, create_model

SIZE, GRID = (32, 48), (16, 24)
SETTINGS = ExportSettings("scenes", "generated scenes", "Apache-2.0", SIZE, GRID)
CLASSES = ("road", "tree", "sky")


def _network(seed: int = 0) -> SegmentationNetwork:
    torch.manual_seed(seed)
    return create_model("tiny_unet", 3).eval()


def _pictures(folder: Path) -> Path:
    """A wide one, a tall one and one of the network's size."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number, shape in enumerate([(40, 120, 3), (90, 50, 3), (*SIZE, 3)]):
        picture = rng.integers(0, 256, shape).astype(np.uint8)
        assert cv2.imwrite(str(folder / f"{number}.png"), picture)
    return folder


def _checkpoint(path: Path) -> Path:
    progress = Progress(1, 0, 10, "tiny_unet", CLASSES, None, "{}")
    save_checkpoint(path, _network(), None, progress)
    return path


def test_pictures_are_fitted_as_the_vehicle_fits_them(tmp_path: Path) -> None:
    folder = _pictures(tmp_path / "pictures")
    spec = NetworkSpec.of_sizes((32, 48), (16, 24))
    images = list(real_images(folder, spec))
    assert [(image.shape, image.dtype) for image in images] == [((1, 32, 48, 3), np.uint8)] * 3
    assert np.array_equal(images[2][0], cv2.imread(str(folder / "2.png")))
    assert (images[0][0, 16:] == 127).all()  # a wide picture leaves room below


def test_a_true_graph_passes_and_says_how_near_it_is() -> None:
    network = _network()
    graph = network_to_onnx(network, SIZE, GRID)
    difference = check_graph(
        graph, Expectation(network, GRID, ENTROPY), [synthetic_image(SIZE)] * 2
    )
    assert difference.images == 2
    assert 0 < difference.logits < 1e-4
    assert 0 <= difference.score < 1e-4
    assert difference.label_agreement > 0.995


def test_another_function_is_refused() -> None:
    network, image = _network(), synthetic_image(SIZE)
    graph = network_to_onnx(network, SIZE, GRID)
    with pytest.raises(OodError, match=r"graph differs from the network: logits by .*\(2 images\)"):
        check_graph(graph, Expectation(_network(1), GRID, ENTROPY), [image, image])
    # the same weights, but an input that is prepared in another way
    network.mean = (0.4, 0.5, 0.5)
    with pytest.raises(OodError, match="graph differs from the network"):
        check_graph(graph, Expectation(network, GRID, ENTROPY), [image])
    network.mean = (float("nan"),) * 3
    with pytest.raises(OodError, match="graph differs from the network: logits by nan"):
        check_graph(graph, Expectation(network, GRID, ENTROPY), [image])
    with pytest.raises(OodError, match="no image to check the exported graph on"):
        check_graph(graph, Expectation(network, GRID, ENTROPY), [])


def test_nothing_is_written_when_the_pictures_are_no_use(tmp_path: Path) -> None:
    checkpoint, folder = _checkpoint(tmp_path / "x.safetensors"), tmp_path / "pictures"
    folder.mkdir()
    with pytest.raises(OodError, match="holds no image"):
        export_bundle(checkpoint, tmp_path / "bundle", SETTINGS, check_images=folder)
    (folder / "broken.png").write_bytes(b"no picture")
    with pytest.raises(OodError, match=r"broken\.png"):
        export_bundle(checkpoint, tmp_path / "bundle", SETTINGS, check_images=folder)
    with pytest.raises(OodError, match="does not exist"):
        export_bundle(checkpoint, tmp_path / "bundle", SETTINGS, check_images=tmp_path / "none")
    assert not (tmp_path / "bundle").exists()


def test_a_checkpoint_over_an_encoder_keeps_its_decoder_and_stride(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = create_model("deeplabv3plus_resnet18", 3, decoder_channels=16, output_stride=8)
    progress = Progress(1, 0, 10, "deeplabv3plus_resnet18", CLASSES, 16, "{}", output_stride=8)
    save_checkpoint(tmp_path / "x.safetensors", network, None, progress)
    settings = replace(SETTINGS, grid_size=None)
    folder = _pictures(tmp_path / "pictures")
    bundle, difference = export_bundle(
        tmp_path / "x.safetensors", tmp_path / "bundle", settings, check_images=folder
    )
    assert difference.images == 3
    assert (bundle.manifest.network.grid_height, bundle.manifest.network.grid_width) == (16, 24)
    detection = Detector(load_bundle(tmp_path / "bundle")).detect(np.zeros((64, 96, 3), np.uint8))
    assert detection.score.shape == (16, 24)


def test_the_verb_reports_the_check(tmp_path: Path) -> None:
    import typer

    from ood_training.cli import register

    app = typer.Typer()
    register(app)
    folder = _pictures(tmp_path / "pictures")
    arguments = [
        "export", _checkpoint(tmp_path / "x.safetensors"), "--out", tmp_path / "bundle",
        "--input-size", *SIZE, "--trained-on", "nothing", "--terms", "none",
        "--check-images", folder, "--json", tmp_path / "export.json",
    ]  # fmt: skip
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    check = json.loads((tmp_path / "export.json").read_text())["check"]
    assert check["images"] == 3
    assert check["source"] == str(folder)
    assert check["max_logit_difference"] < 1e-3
    assert check["max_score_difference"] < 1e-3
    assert check["label_agreement"] > 0.99
