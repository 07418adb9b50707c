"""The loss of kernels and the gradient penalty, against literal versions and values by hand."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from ood_training.losses.gradient_penalty import gradient_penalty, random_signs
from ood_training.losses.kernels import kernel_terms
from ood_training.losses.labels import count_pixels
from ood_training.models import create_model
from ood_training.models.deeplabv3plus_wide_resnet38 import DeepLabV3PlusWideResNet38
from ood_training.models.kernel_head import KernelHead, KernelSettings, install_kernel_head

CPU = torch.device("cpu")


def test_values_computed_by_hand() -> None:
    """One known pixel of class 1 and one unknown pixel, with kernels (1/2, 1/4)."""
    kernels = torch.tensor([0.5, 0.25]).view(1, 2, 1, 1).expand(1, 2, 1, 3).log()
    labels = torch.tensor([[[1, 254, 255]]])
    known = kernel_terms(kernels, labels, 1.0, 0.0).item()
    unknown = kernel_terms(kernels, labels, 0.0, 1.0).item()
    assert known == pytest.approx(math.log(4) + math.log(2))  # -ln 1/4 - ln(1 - 1/2)
    assert unknown == pytest.approx((math.log(2) - math.log(0.75)) / 2)
    assert kernel_terms(kernels, labels, 3.0, 5.0).item() == pytest.approx(3 * known + 5 * unknown)


@st.composite
def batches(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    """ln K from nearly 0 to far below, float32 or float64, and labels of every kind."""
    classes, height, width = (draw(st.integers(low, 4)) for low in (2, 1, 1))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    logarithms = -torch.rand(2, classes, height, width, generator=generator, dtype=dtype) - 1e-3
    logarithms = logarithms * draw(st.sampled_from([0.1, 1.0, 20.0]))
    kinds = torch.tensor([*range(classes), 254, 255])
    return logarithms, kinds[torch.randint(len(kinds), (2, height, width), generator=generator)]


@settings(max_examples=40, deadline=None)
@given(batches(), st.sampled_from([0.0, 0.3, 2.0]))
def test_value_and_gradient_equal_the_binary_cross_entropy_pixel_by_pixel(
    batch: tuple[Tensor, Tensor], unknown_weight: float
) -> None:
    found = batch[0].clone().requires_grad_()
    exact = batch[0].double().requires_grad_()
    labels, classes = batch[1], found.shape[1]
    loss = kernel_terms(found, labels, 0.7, unknown_weight)
    literal = 0.0 * exact.sum()
    for b, y, x in torch.cartesian_prod(*map(torch.arange, labels.shape)):
        label, kernels = int(labels[b, y, x]), exact[b, :, y, x].exp()
        for c in range(classes):
            if label < 254:
                literal = literal - 0.7 * (kernels[c] if c == label else 1 - kernels[c]).log()
            elif label == 254:
                literal = literal - unknown_weight / classes * (1 - kernels[c]).log()
    loss.backward()
    literal.backward()
    assert loss.dtype == found.dtype
    relative = 1e-9 if found.dtype == torch.float64 else 1e-4
    assert loss.item() == pytest.approx(literal.item(), rel=relative, abs=relative)
    assert found.grad is not None
    assert exact.grad is not None
    torch.testing.assert_close(found.grad.double(), exact.grad, rtol=relative, atol=relative)


def test_the_loss_has_the_gradient_of_finite_differences() -> None:
    generator = torch.Generator().manual_seed(2)
    logarithms = -torch.rand(2, 3, 2, 3, generator=generator, dtype=torch.float64) * 3 - 0.01
    labels = torch.tensor([[[0, 1, 254], [2, 255, 0]], [[254, 254, 1], [2, 2, 0]]])
    inputs = logarithms.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: kernel_terms(x, labels, 0.2, 0.8), inputs)


@pytest.mark.parametrize("label", [0, 1, 254])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_kernels_of_zero_and_one_give_finite_values_and_gradients(
    label: int, dtype: torch.dtype
) -> None:
    ends = torch.tensor([0.0, 1e-7, -1e-30, -1e-7, -1e-3, -90.0, -1e6, -1e30])
    pairs = torch.cartesian_prod(ends, ends).T.reshape(1, 2, 8, 8).to(dtype).requires_grad_()
    loss = kernel_terms(pairs, torch.full((1, 8, 8), label), 1.0, 1.0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert torch.isfinite(loss)
    assert pairs.grad is not None
    assert torch.isfinite(pairs.grad).all()


@pytest.mark.parametrize("label", [254, 255])
def test_a_batch_without_known_pixels_is_no_loss_without_an_unknown_weight(label: int) -> None:
    logarithms = torch.full((1, 2, 2, 2), -0.5, requires_grad=True)
    loss = kernel_terms(logarithms, torch.full((1, 2, 2), label), 1.0, 0.0)
    loss.backward()
    assert loss.item() == 0.0
    assert logarithms.grad is not None
    assert not logarithms.grad.any()


def test_parts_add_up_to_the_batch() -> None:
    generator = torch.Generator().manual_seed(5)
    logarithms = -torch.rand(3, 4, 5, 6, generator=generator)
    labels = torch.randint(0, 4, (3, 5, 6), generator=generator)
    labels[0, :2], labels[1] = 254, 255
    weight = 1 / count_pixels(labels, 4).known
    whole = kernel_terms(logarithms, labels, weight, 0.1)
    parts = sum(
        kernel_terms(logarithms[n : n + 1], labels[n : n + 1], weight, 0.1) for n in range(3)
    )
    torch.testing.assert_close(whole, parts)


def per_pixel_slopes(log_kernels: Tensor, images: Tensor) -> Tensor:
    """(B,): mean over the pixels of ||d sum_c K_c(p) / d x||^2, one backward pass a pixel."""
    kernels = log_kernels.exp().sum(dim=1)
    means = torch.zeros(len(images), dtype=images.dtype)
    for b, y, x in torch.cartesian_prod(*map(torch.arange, kernels.shape)):
        (slope,) = torch.autograd.grad(kernels[b, y, x], images, retain_graph=True)
        means[b] += slope.square().sum() / kernels[0].numel()
    return means


def small_network() -> nn.Sequential:
    torch.manual_seed(4)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.Softplus(), KernelHead(2, 4, KernelSettings(3, 2))]
    return nn.Sequential(*layers).double()


def test_all_sign_patterns_together_give_the_mean_slope_of_a_pixel() -> None:
    """What random signs estimate, with every pattern of 6 pixels instead of a few of them."""
    network = small_network()
    images = torch.randn(1, 3, 2, 3, dtype=torch.float64)
    patterns = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * 6).view(-1, 1, 2, 3)
    # (g - 1)^2 = v: g is 1 + sqrt v or 1 - sqrt v, and here all slopes are small
    slopes = [1 - gradient_penalty(network, images, s)[1].sqrt().item() for s in patterns]
    expected = per_pixel_slopes(network(images.requires_grad_()), images).item()
    assert 0 < expected < 0.5
    assert sum(slopes) / len(slopes) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("slope", "penalty"), [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5625), (2.0, 9.0)])
@pytest.mark.parametrize("size", [(2, 2), (7, 5)])
def test_penalty_of_a_known_slope(slope: float, penalty: float, size: tuple[int, int]) -> None:
    """K_c of a pixel changes by slope / C with the pixel's red value, so ||.||^2 is slope^2."""
    images = torch.rand(2, 3, *size, dtype=torch.float64)

    def log_kernels(images: Tensor) -> Tensor:
        return (images[:, :1] * slope / 4 + 1.0).expand(-1, 4, -1, -1).log()

    signs = random_signs((1,), range(2), size, CPU)
    answer, found = gradient_penalty(log_kernels, images, signs)
    assert answer.equal(log_kernels(images))
    assert found.item() == pytest.approx(2 * penalty, abs=1e-12)


def test_the_penalty_has_the_second_order_gradient_of_finite_differences() -> None:
    network = small_network()
    images = torch.randn(2, 3, 3, 4, dtype=torch.float64)
    signs = random_signs((7,), range(2), (3, 4), CPU)
    names = [name for name, _ in network.named_parameters()]

    def penalty(*values: Tensor) -> Tensor:
        weights = dict(zip(names, values, strict=True))
        return gradient_penalty(
            lambda inputs: torch.func.functional_call(network, weights, inputs), images, signs
        )[1]

    values = tuple(p.detach().requires_grad_() for p in network.parameters())
    assert torch.autograd.gradcheck(penalty, values)


def test_the_penalty_has_the_gradient_of_the_differentiated_backward_pass() -> None:
    """The literal definition."""
    torch.manual_seed(1)
    network = create_model("tiny_unet", 3)
    install_kernel_head(network, KernelSettings(4, 3.0))
    network.double().eval()
    images = torch.randn(3, 3, 32, 32, dtype=torch.float64)
    signs = random_signs((5,), range(3), (32, 32), CPU)
    asked = images.clone().requires_grad_()
    signed = (network(asked).exp().sum(dim=1) * signs).sum()
    (slopes,) = torch.autograd.grad(signed, asked, create_graph=True)
    expected = (slopes.square().flatten(1).sum(dim=1) / 32**2 - 1).square().sum()
    _, found = gradient_penalty(network, images, signs)
    torch.testing.assert_close(found, expected)
    weights = list(network.parameters())
    for mine, wanted in zip(
        torch.autograd.grad(found, weights), torch.autograd.grad(expected, weights), strict=True
    ):
        torch.testing.assert_close(mine, wanted)


def test_signs_belong_to_the_image_and_are_even() -> None:
    signs = random_signs((3, 1), range(4), (20, 30), CPU)
    assert signs.unique().tolist() == [-1.0, 1.0]
    assert signs[2:].equal(random_signs((3, 1), range(2, 4), (20, 30), CPU))
    assert not signs.equal(random_signs((3, 2), range(4), (20, 30), CPU))
    assert abs(signs.mean().item()) < 0.1


@pytest.mark.parametrize("name", ["tiny_unet", "deeplabv3plus_efficientnet_lite0", "wide_resnet38"])
def test_the_penalty_teaches_every_network(name: str) -> None:
    torch.manual_seed(0)
    network = DeepLabV3PlusWideResNet38(3, 16) if name == "wide_resnet38" else create_model(name, 3)
    install_kernel_head(network, KernelSettings(4, 3.0))
    network.eval()
    images = torch.randn(2, 3, 32, 32)
    signs = random_signs((0,), range(2), (32, 32), CPU)
    gradient_penalty(network, images, signs)[1].backward()
    gradients = {n: p.grad for n, p in network.named_parameters() if p.grad is not None}
    assert all(torch.isfinite(gradient).all() for gradient in gradients.values())
    first = next(iter(network.named_parameters()))[0]
    assert gradients[first].any()
    assert gradients[f"{network.head_modules[0]}.weights"].any()
