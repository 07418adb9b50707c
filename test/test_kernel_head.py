"""The kernel head: its kernels and centroids, its place in every network, its exported graph."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ood_perception.backends import create_backend
from ood_perception.errors import OodError
from ood_training.checkpoint import Progress, save_checkpoint
from ood_training.export import load_trained_network, network_to_onnx
from ood_training.export_check import synthetic_image
from ood_training.models import create_model
from ood_training.models.deeplabv3plus_wide_resnet38 import DeepLabV3PlusWideResNet38
from ood_training.models.kernel_head import (
    KernelHead,
    KernelSettings,
    class_sums,
    install_kernel_head,
    kernel_head,
)
from ood_training.training.modes import freeze


def small_head(momentum: float = 0.5) -> KernelHead:
    """Two classes, two features, m = 2, sigma = 1: W_0 is the identity, W_1 swaps and doubles."""
    head = KernelHead(2, 2, KernelSettings(2, 1.0, momentum))
    with torch.no_grad():
        head.weights.copy_(torch.tensor([[[1.0, 0], [0, 1]], [[0, 2], [2, 0]]]))
        head.counts.copy_(torch.tensor([2.0, 4.0]))
        head.sums.copy_(torch.tensor([[2.0, 4], [0, 8]]))
    return head


def test_kernels_computed_by_hand() -> None:
    """e_0 = (1, 2), e_1 = (0, 2), f = (3, 1): W_0 f = (3, 1), W_1 f = (2, 6)."""
    head = small_head()
    assert head.centroids.tolist() == [[1, 2], [0, 2]]
    found = head(torch.tensor([3.0, 1.0]).view(1, 2, 1, 1)).flatten().tolist()
    # mean of (4, 1) and of (4, 16), over 2 sigma^2 = 2
    assert found == pytest.approx([-1.25, -5.0])


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.integers(1, 5), st.sampled_from([0.1, 1.0, 3.0]))
def test_kernels_equal_the_definition_place_by_place(seed: int, m: int, sigma: float) -> None:
    torch.manual_seed(seed)
    head = KernelHead(3, 4, KernelSettings(m, sigma, 0.9))
    features = torch.randn(2, 4, 3, 2)
    found = head(features)
    assert found.shape == (2, 3, 3, 2)
    for b, c, y, x in torch.cartesian_prod(*map(torch.arange, found.shape)):
        image = head.weights[c].double() @ features[b, :, y, x].double()
        away = image - head.sums[c].double() / head.counts[c].double()
        kernel = torch.exp(-away.square().mean() / (2 * sigma**2))
        assert found[b, c, y, x].exp().item() == pytest.approx(kernel.item(), rel=1e-4, abs=1e-30)


def test_a_place_at_its_centroid_has_the_kernel_one() -> None:
    head = small_head()
    at_centroid = head(torch.tensor([1.0, 2.0]).view(1, 2, 1, 1))
    assert at_centroid[0, 0].item() == 0.0
    assert (at_centroid <= 0).all()


def test_centroids_follow_the_equations_over_two_steps() -> None:
    """Worked out by hand with gamma = 0.5, from n = (2, 4), m_0 = (2, 4), m_1 = (0, 8)."""
    head = small_head(momentum=0.5)
    features = torch.tensor([[[[1.0, 3.0, 9.0]], [[0.0, 2.0, 9.0]]]])  # (1,0), (3,2), (9,9)
    head.update_centroids(*class_sums(features, torch.tensor([[[0, 0, 254]]]), 2))
    # W_0 of the two pixels: (1,0) + (3,2) = (4,2); class 1 has none
    assert head.counts.tolist() == [2.0, 2.0]
    assert head.sums.tolist() == [[3.0, 3.0], [0.0, 4.0]]
    assert head.centroids.tolist() == [[1.5, 1.5], [0.0, 2.0]]
    head.update_centroids(*class_sums(features, torch.tensor([[[1, 255, 0]]]), 2))
    # W_0 (9,9) = (9,9) and W_1 (1,0) = (0,2), one pixel each
    assert head.counts.tolist() == [1.5, 1.5]
    assert head.sums.tolist() == [[6.0, 6.0], [0.0, 3.0]]
    assert head.centroids.tolist() == [[4.0, 4.0], [0.0, 2.0]]


def test_a_class_that_is_never_seen_keeps_its_centroid_for_ever() -> None:
    head = small_head(momentum=0.5)
    before = head.centroids.clone()
    for _ in range(300):
        head.update_centroids(torch.tensor([3.0, 0.0]), torch.tensor([[3.0, 6.0], [0.0, 0.0]]))
    assert head.centroids[1].equal(before[1])
    assert head.centroids[0].tolist() == pytest.approx([1.0, 2.0])
    # and it takes up its first pixel at once
    head.update_centroids(torch.tensor([0.0, 1.0]), torch.tensor([[0.0, 0.0], [7.0, 5.0]]))
    assert head.centroids[1].tolist() == pytest.approx([10.0, 14.0], rel=1e-4)


def test_a_place_has_the_label_of_the_nearest_pixel_with_aligned_corners() -> None:
    """Of 7 pixels in a row, 4 places sit on the pixels 0, 2, 4 and 6."""
    labels = torch.tensor([[[0, 9, 1, 9, 1, 9, 255]]]).repeat(1, 3, 1)
    features = torch.tensor([1.0, 10.0, 100.0, 1000.0]).expand(1, 1, 2, 4)
    counts, sums = class_sums(features, labels, 10)
    assert counts.tolist()[:2] == [2.0, 4.0]
    assert sums[:2, 0].tolist() == [2.0, 220.0]
    assert counts.sum() == 6


@pytest.mark.parametrize("name", ["tiny_unet", "deeplabv3plus_resnet18", "wide_resnet38"])
def test_the_head_replaces_the_linear_one_of_any_network(name: str) -> None:
    torch.manual_seed(0)
    network = DeepLabV3PlusWideResNet38(3, 16) if name == "wide_resnet38" else create_model(name, 3)
    image = torch.rand(1, 3, 32, 64)
    with torch.no_grad():
        features = network.eval().features(image)
        install_kernel_head(network, KernelSettings(5, 1.0, 0.9))
        head = kernel_head(network)
        assert head is not None
        assert network.small_logits(image).equal(head(features))
    assert network.evidence.kind == "kernels"
    assert [tuple(p.shape) for p in network.head_parameters()] == [(3, 5, features.shape[1])]
    freeze(network, "all_but_head")
    learning = [name for name, p in network.named_parameters() if p.requires_grad]
    assert learning == [f"{network.head_modules[0]}.weights"]
    stored = {n for n in network.state_dict() if network.is_head_tensor(n)}
    assert {n.rpartition(".")[2] for n in stored} == {"weights", "counts", "sums"}


def test_half_precision_around_it_leaves_the_kernels_exact() -> None:
    head, features = small_head(), torch.randn(1, 2, 4, 4)
    with torch.autocast("cpu", torch.bfloat16):
        found = head(features)
    assert found.dtype == torch.float32
    assert found.equal(head(features))


def trained_file(folder: Path) -> Path:
    torch.manual_seed(1)
    kernels = KernelSettings(6, 0.7, 0.9)
    network = create_model("tiny_unet", 3, kernels=kernels)
    for name, value in network.state_dict().items():
        # equal tensors, as a network has them before it learns, share one place in a graph
        if value.ndim == 1 and not network.is_head_tensor(name):
            value.mul_(1 + 0.1 * torch.rand(value.shape)).add_(0.1 * torch.rand(value.shape))
    head = kernel_head(network)
    assert head is not None
    head.update_centroids(torch.full((3,), 50.0), torch.randn(3, head.weights.shape[2]) * 200)
    progress = Progress(
        1, 0, 1, "tiny_unet", ("a", "b", "c"), None, "{}",
        evidence={"kind": "kernels", "scale": 1.0}, kernels=vars(kernels),
    )  # fmt: skip
    save_checkpoint(folder / "kernels.safetensors", network, None, progress)
    return folder / "kernels.safetensors"


def test_the_exported_graph_computes_the_kernels_in_every_backend(tmp_path: Path) -> None:
    network, _ = load_trained_network(trained_file(tmp_path))
    head = kernel_head(network)
    assert head is not None
    assert (head.length_scale, head.momentum) == (0.7, 0.9)
    graph = network_to_onnx(network, (48, 64), (24, 32))
    image = synthetic_image((48, 64))
    rgb = torch.from_numpy(image[..., ::-1].copy()).permute(0, 3, 1, 2) / 255.0
    with torch.no_grad():
        expected = network.small_logits((rgb - 0.5) / 0.25).numpy()
    assert expected.min() < -0.5
    pytest.importorskip("onnx2pytorch", reason="the training extra is not installed")
    for name in ("onnxruntime", "pytorch"):
        backend = create_backend(name, graph, "network.onnx")
        found = backend.run({"image": np.concatenate([image, image])})
        assert found["logits"].shape == (2, *expected.shape[1:])
        np.testing.assert_allclose(found["logits"][1:], expected, rtol=1e-3, atol=1e-4)


def test_the_graph_computes_neither_weights_nor_shapes_when_it_runs(tmp_path: Path) -> None:
    """As engines and int8 want it. The bias of the head's convolution is minus the centroids."""
    import onnx

    network, _ = load_trained_network(trained_file(tmp_path))
    model = onnx.load_model_from_string(network_to_onnx(network, (48, 64), (24, 32)))
    kinds = [n.op_type for n in model.graph.node if "/classifier/" in n.name]
    kinds = [kind for kind in kinds if kind != "Constant"]
    assert kinds == ["Conv", "Mul", "Split", *["ReduceMean"] * 3, "Concat", "Mul"]
    values = {value.name: onnx.numpy_helper.to_array(value) for value in model.graph.initializer}
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    assert all(set(node.input[1:]) <= values.keys() for node in convolutions)
    head = kernel_head(network)
    assert head is not None
    _, weights, bias = convolutions[-1].input
    assert values[weights].shape == (3 * 6, head.weights.shape[2], 1, 1)
    np.testing.assert_allclose(values[bias], -head.centroids.flatten().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"kernel_features": 0}, "kernel_features is 0"),
        ({"length_scale": 0.0}, "length_scale is 0.0"),
        ({"length_scale": math.nan}, "length_scale is nan"),
        ({"momentum": 1.0}, "momentum is 1.0"),
    ],
)
def test_settings_that_make_no_kernel_are_refused(settings: dict[str, float], words: str) -> None:
    with pytest.raises(OodError, match=words):
        KernelSettings(**settings)  # type: ignore[arg-type]
