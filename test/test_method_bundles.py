"""Each method's bundle is built by TensorRT for RTX without a GPU, and detects like any other."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from method_bundles import METHODS, write_method_bundle

from ood_perception.backends.engine_cache import EngineCache
from ood_perception.bundle import load_bundle
from ood_perception.detector import Detector
from ood_perception.engine_compile import ahead_of_time, compile_bundle

needs_tensorrt_rtx = pytest.mark.skipif(
    importlib.util.find_spec("tensorrt_rtx") is None,
    reason="tensorrt_rtx is not installed: run `make test`, or `pip install tensorrt-rtx-cu13`",
)


@pytest.mark.parametrize("method", METHODS)
def test_a_bundle_of_the_method_detects(tmp_path: Path, method: str) -> None:
    write_method_bundle(tmp_path / "bundle", method)
    bundle = load_bundle(tmp_path / "bundle")
    assert bundle.manifest.probabilities == METHODS[method][1]
    image = np.random.default_rng(0).integers(0, 256, (96, 128, 3)).astype(np.uint8)
    detection = Detector(bundle).detect(image)
    assert 0 <= detection.score.min() <= detection.score.max() <= 1
    assert detection.labels.max() < bundle.num_classes
    assert (detection.component_labels > 0).sum() == (detection.score >= 0.5).sum()


@needs_tensorrt_rtx
@pytest.mark.parametrize(
    ("method", "precision"),
    [
        *((method, "fp32") for method in METHODS),
        # the inverse covariance of mahalanobis may not fit into half precision: it is then refused
        *((method, "fp16") for method in ("entropy", "one_vs_rest_energy", "kernels")),
    ],
)
def test_tensorrt_for_rtx_builds_it_without_a_gpu(
    tmp_path: Path, method: str, precision: str
) -> None:
    bundle = write_method_bundle(tmp_path / "bundle", method, smoothing_cells=1.0)
    cache = EngineCache(tmp_path / "engines")
    (engine,) = compile_bundle(bundle, ahead_of_time(["sm_86"]), precision, cache)
    assert engine.entry.built
    assert len(list(cache.folder.glob("*.engine"))) == 1
