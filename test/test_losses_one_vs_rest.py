"""The one-vs-rest loss with its top-k term against literal versions and values worked by hand."""

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as functional
from hypothesis import given, settings
from hypothesis import strategies as st

from ood_perception.errors import OodError
from ood_training.losses import count_pixels, one_vs_rest_loss, one_vs_rest_terms, term_weights

# the example of the method's specification, section 4
LOGITS = torch.tensor(
    [[[[2, 0, 1], [0, 0, 0]], [[0, 1, -1], [1, 0, 0]], [[0, 0, 3], [-1, 0, 2]]]],
    dtype=torch.float64,
)
LABELS = torch.tensor([[[0, 254, 255], [2, 254, 1]]])


def literal_terms(
    logits: torch.Tensor, labels: torch.Tensor, top_k: int, scale: float
) -> dict[str, list[float]]:
    """Each pixel's term by the definition, known and unknown ones."""

    def cost(value: float) -> float:  # -ln sigmoid(value)
        return math.log(1.0 + math.exp(-value))

    images, classes, height, width = logits.shape
    terms: dict[str, list[float]] = {"known": [], "unknown": []}
    for b in range(images):
        for y in range(height):
            for x in range(width):
                values = [scale * float(value) for value in logits[b, :, y, x]]
                label = int(labels[b, y, x])
                if label == 254:
                    largest = sorted(values, reverse=True)[:top_k]
                    terms["unknown"].append(sum(cost(-value) for value in largest) / len(largest))
                elif label != 255:
                    others = sum(cost(-values[k]) for k in range(classes) if k != label)
                    terms["known"].append(cost(values[label]) + others)
    return terms


def literal_loss(
    logits: torch.Tensor, labels: torch.Tensor, ood_weight: float, top_k: int, scale: float
) -> float:
    """The weighted means of the literal terms."""
    terms = literal_terms(logits, labels, top_k, scale)
    known, unknown = (sum(rows) / max(1, len(rows)) for rows in terms.values())
    return (1.0 - ood_weight) * known + ood_weight * unknown


def plain_loss(
    logits: torch.Tensor, labels: torch.Tensor, ood_weight: float, top_k: int, scale: float
) -> torch.Tensor:
    """The same from PyTorch's own parts, for its gradient; of equal logits the first ones."""
    columns = logits.permute(0, 2, 3, 1) * scale
    known, unknown = columns[labels < 254], columns[labels == 254]
    target = functional.one_hot(labels[labels < 254], logits.shape[1]).to(logits)
    known_sum = functional.binary_cross_entropy_with_logits(known, target, reduction="sum")
    largest = unknown.sort(dim=1, descending=True, stable=True).values[:, :top_k]
    unknown_sum = functional.softplus(largest).sum() / min(top_k, logits.shape[1])
    return (1.0 - ood_weight) * known_sum / max(1, len(known)) + ood_weight * unknown_sum / max(
        1, len(unknown)
    )


def gradient_of(logits: torch.Tensor, labels: torch.Tensor, **options: float) -> torch.Tensor:
    """The gradient of the loss for the logits."""
    logits = logits.detach().clone().requires_grad_()
    loss = one_vs_rest_loss(logits, labels, **options)  # type: ignore[arg-type]
    return torch.autograd.grad(loss, logits)[0]


def test_values_worked_by_hand() -> None:
    """With f(x) = ln(1 + e^x): f(0) = 0.693147, f(1) = 1.313262, f(2) = 2.126928, f(-2) = 0.126928.

    Known: f(-2) + 2 f(0) = 1.513222 at (0, 0), f(0) + 2 f(1) = 3.319671 at (1, 0), where the class
    is that of logit -1, and 2 f(0) + f(2) = 3.513222 at (1, 2): mean 2.782038.
    Unknown, K = 1: f(1) and f(0), mean 1.003204. K = 2: (f(1) + f(0)) / 2 and f(0): 0.848176.
    """
    options = {"labels": LABELS, "scale": 1.0}
    assert one_vs_rest_loss(LOGITS, **options, ood_weight=0.0).item() == pytest.approx(2.782038)
    unknown = [one_vs_rest_loss(LOGITS, **options, ood_weight=1.0, top_k=k) for k in (1, 2)]
    assert [loss.item() for loss in unknown] == pytest.approx([1.003204, 0.848176], abs=1e-6)
    both = one_vs_rest_loss(LOGITS, **options, ood_weight=0.9, top_k=1)
    assert both.item() == pytest.approx(0.1 * 2.782038 + 0.9 * 1.003204, abs=1e-6)


@pytest.mark.parametrize("top_k", [1, 2, 3])
@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize("ood_weight", [0.0, 0.9, 1.0])
def test_the_example_equals_the_definition(top_k: int, scale: float, ood_weight: float) -> None:
    loss = one_vs_rest_loss(LOGITS, LABELS, ood_weight=ood_weight, top_k=top_k, scale=scale)
    expected = literal_loss(LOGITS, LABELS, ood_weight, top_k, scale)
    assert loss.item() == pytest.approx(expected, rel=1e-12)


@st.composite
def batches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, float32 or float64, of either memory layout, some tied, and labels of every kind."""
    classes, height, width = (draw(st.integers(1, 5)) for _ in range(3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    logits = torch.randn(2, classes, height, width, generator=generator, dtype=dtype)
    logits = logits * draw(st.sampled_from([0.1, 1.0, 30.0]))
    if draw(st.booleans()):
        logits = logits.round()
    if draw(st.booleans()):
        logits = logits.contiguous(memory_format=torch.channels_last)
    kinds = torch.tensor([*range(classes), 254, 254, 255])
    return logits, kinds[torch.randint(0, len(kinds), (2, height, width), generator=generator)]


@settings(max_examples=60, deadline=None)
@given(batches(), st.floats(0, 1), st.integers(1, 7), st.sampled_from([0.3, 1.0, 2.5]))
def test_value_and_gradient_equal_the_definition(
    batch: tuple[torch.Tensor, torch.Tensor], ood_weight: float, top_k: int, scale: float
) -> None:
    logits, labels = batch
    options = {"ood_weight": ood_weight, "top_k": top_k, "scale": scale}
    loss = one_vs_rest_loss(logits, labels, **options)  # type: ignore[arg-type]
    literal = literal_loss(logits, labels, ood_weight, top_k, scale)
    near = 1e-9 if logits.dtype == torch.float64 else 1e-5
    assert loss.dtype == logits.dtype
    assert loss.item() == pytest.approx(literal, rel=near, abs=near)
    precise = logits.double().requires_grad_()
    plain = plain_loss(precise, labels, ood_weight, top_k, scale)
    (expected,) = torch.autograd.grad(plain, precise)
    found = gradient_of(logits, labels, **options).double()
    torch.testing.assert_close(found, expected, rtol=near, atol=near)


@pytest.mark.parametrize("top_k", [1, 2, 4])
def test_gradient_equals_finite_differences(top_k: int) -> None:
    generator = torch.Generator().manual_seed(5)
    # a step of 1 between classes in a drawn order keeps all logits of a pixel far from a tie
    order = torch.rand(2, 4, 3, 2, generator=generator, dtype=torch.float64).argsort(dim=1)
    logits = (order + 0.3 * torch.rand(order.shape, generator=generator)).double() - 2.0
    labels = torch.tensor([0, 1, 3, 254, 254, 255]).repeat(2).view(2, 3, 2)
    options = {"ood_weight": 0.6, "top_k": top_k, "scale": 1.7}

    class Recomputed(torch.autograd.Function):
        """A loss gives its gradient once; gradcheck asks several times."""

        @staticmethod
        def forward(context: Any, z: torch.Tensor) -> torch.Tensor:
            context.save_for_backward(z)
            return one_vs_rest_loss(z, labels, **options)  # type: ignore[arg-type]

        @staticmethod
        def backward(context: Any, factor: torch.Tensor) -> torch.Tensor:
            with torch.enable_grad():
                return factor * gradient_of(*context.saved_tensors, labels, **options)

    assert torch.autograd.gradcheck(Recomputed.apply, logits.requires_grad_())


def test_only_the_strongest_classes_of_unknown_pixels_are_held_down() -> None:
    generator = torch.Generator().manual_seed(6)
    logits = torch.randn(2, 6, 4, 5, generator=generator)
    labels = torch.full((2, 4, 5), 254)
    labels[1] = 255
    gradient = gradient_of(logits, labels, top_k=2)
    assert not gradient[1].any()
    strongest = torch.zeros(6, 4, 5, dtype=torch.bool)
    strongest.scatter_(0, logits[0].topk(2, dim=0).indices, True)
    assert (gradient[0][strongest] > 0).all()
    assert not gradient[0][~strongest].any()


def test_of_equal_logits_the_first_classes_are_held_down() -> None:
    gradient = gradient_of(torch.zeros(1, 5, 1, 1), torch.full((1, 1, 1), 254), top_k=2)
    assert (gradient.flatten() > 0).tolist() == [True, True, False, False, False]


def test_more_classes_than_there_are_is_all_of_them_and_their_mean() -> None:
    logits, labels = LOGITS[..., :2], torch.full((1, 2, 2), 254)
    mean = functional.softplus(2.0 * logits).mean()
    for top_k in (3, 4, 100):
        loss = one_vs_rest_loss(logits, labels, ood_weight=1.0, top_k=top_k, scale=2.0)
        torch.testing.assert_close(loss, mean)
    few, many = (gradient_of(logits, labels, top_k=top_k) for top_k in (3, 100))
    assert torch.equal(few, many)


@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_logits_cost_what_they_are_and_pull_with_full_weight(
    size: float, dtype: torch.dtype
) -> None:
    logits = torch.full((1, 3, 1, 1), size, dtype=dtype)
    known, unknown = torch.zeros(1, 1, 1, dtype=torch.long), torch.full((1, 1, 1), 254)
    losses = [one_vs_rest_loss(logits, known, ood_weight=0.0).item()]
    losses.append(one_vs_rest_loss(logits, unknown, ood_weight=1.0, top_k=2).item())
    slopes = [gradient_of(logits, known, ood_weight=0.0).flatten().tolist()]
    slopes.append(gradient_of(logits, unknown, ood_weight=1.0, top_k=2).flatten().tolist())
    if size > 0:
        assert losses == [2e4, 1e4]
        assert slopes == [[0, 1, 1], [0.5, 0.5, 0]]
    else:
        assert losses == [1e4, 0]
        assert slopes == [[-1, 0, 0], [0, 0, 0]]


def test_a_class_that_is_ruled_out_changes_no_other_class() -> None:
    logits = torch.tensor([1.0, -math.inf, -math.inf], dtype=torch.float64).view(1, 3, 1, 1)
    gradient = gradient_of(logits, torch.full((1, 1, 1), 254), ood_weight=1.0, top_k=3)
    assert gradient.flatten().tolist() == pytest.approx([1 / (1 + math.exp(-1)) / 3, 0, 0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_worked_out_in_float32(dtype: torch.dtype) -> None:
    logits = LOGITS.to(dtype).requires_grad_()
    loss = one_vs_rest_loss(logits, LABELS, top_k=2, scale=2.0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(literal_loss(LOGITS, LABELS, 0.9, 2, 2.0), rel=1e-6)
    assert logits.grad is not None
    assert logits.grad.dtype == dtype
    expected = gradient_of(LOGITS, LABELS, top_k=2, scale=2.0)
    torch.testing.assert_close(logits.grad.double(), expected, rtol=1e-2, atol=1e-6)


def test_parts_with_the_counts_of_the_whole_add_up_to_it() -> None:
    logits, labels = LOGITS.repeat(3, 1, 1, 1), LABELS.repeat(3, 1, 1)
    labels[1], labels[2] = 1, 255
    weights = term_weights(count_pixels(labels, 3), 3, ood_weight=0.9, reduction="per_term")
    parts = sum(
        one_vs_rest_terms(logits[n : n + 1], labels[n : n + 1], *weights, top_k=2, scale=1.5)
        for n in range(3)
    )
    whole = one_vs_rest_loss(logits, labels, ood_weight=0.9, top_k=2, scale=1.5)
    assert float(parts) == pytest.approx(whole.item(), rel=1e-12)


def test_classes_in_another_order_change_nothing_else() -> None:
    logits = torch.randn(1, 5, 3, 4, generator=torch.Generator().manual_seed(7)).double()
    labels = torch.tensor([0, 1, 2, 3, 4, 254, 254, 255, 0, 1, 254, 4]).view(1, 3, 4)
    order = torch.tensor([3, 0, 4, 1, 2])
    moved = torch.where(labels < 5, order.argsort()[labels.clamp(max=4)], labels)
    loss, other = (
        one_vs_rest_loss(*batch, top_k=2) for batch in ((logits, labels), (logits[:, order], moved))
    )
    torch.testing.assert_close(other, loss)
    expected = gradient_of(logits, labels, top_k=2)[:, order]
    torch.testing.assert_close(gradient_of(logits[:, order], moved, top_k=2), expected)


@pytest.mark.parametrize("label", [1, 254, 255])
def test_a_missing_term_is_zero(label: int) -> None:
    labels = torch.full((1, 2, 3), label)
    losses = [one_vs_rest_loss(LOGITS, labels, ood_weight=w).item() for w in (0.0, 0.25, 1.0)]
    known, unknown = losses[0], losses[2]
    assert (known > 0, unknown > 0) == (label == 1, label == 254)
    assert losses[1] == pytest.approx(0.75 * known + 0.25 * unknown)
    gradient = gradient_of(LOGITS, labels)
    assert torch.isfinite(gradient).all()
    assert gradient.any() == (label != 255)


def test_a_large_image_is_worked_on_in_parts_without_a_seam() -> None:
    """More rows than one part holds; what is given stays as it was."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 6, 300, 400, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 6, (1, 300, 400), generator=generator)
    labels[:, 120:200, :90], labels[:, 250:, 350:] = 254, 255
    given_logits, given_labels = logits.clone(), labels.clone()
    loss = one_vs_rest_loss(logits, labels, top_k=3, scale=2.0)
    gradient = gradient_of(logits, labels, top_k=3, scale=2.0)
    assert torch.equal(logits, given_logits)
    assert torch.equal(labels, given_labels)
    plain = plain_loss(logits.requires_grad_(), labels, 0.9, 3, 2.0)
    torch.testing.assert_close(loss, plain)
    torch.testing.assert_close(gradient, torch.autograd.grad(plain, logits)[0])


def test_a_second_differentiation_is_refused() -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = one_vs_rest_loss(logits, LABELS)
    (gradient,) = torch.autograd.grad(loss.square(), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()
    with pytest.raises(RuntimeError, match="differentiated before"):
        loss.backward()


def test_what_does_not_fit_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        one_vs_rest_loss(LOGITS, LABELS[:, :1])
    for name, value in [("top_k", 0), ("scale", 0.0), ("scale", math.nan), ("ood_weight", 1.1)]:
        with pytest.raises(ValueError, match=f"{name}.*{value}"):
            one_vs_rest_loss(LOGITS, LABELS, **{name: value})  # type: ignore[arg-type]
    for label in (3, 253, -1):
        with pytest.raises(OodError, match=f"label {label} is no"):
            one_vs_rest_loss(LOGITS, torch.full((1, 2, 3), label))
