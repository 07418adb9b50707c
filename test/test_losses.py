"""The entropy-maximisation loss against the golden values of the method's specification."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ood_perception.errors import OodError
from ood_training.losses import count_pixels, entropy_maximization_loss, term_weights
from ood_training.losses.pixel_terms import weighted_terms

LOGITS = torch.tensor(
    [[[[2, 0, 1], [0, 0, 0]], [[0, 1, -1], [1, 0, 0]], [[0, 0, 3], [-1, 0, 2]]]],
    dtype=torch.float32,
)
LABELS = torch.tensor([[[0, 254, 255], [2, 254, 1]]])


def test_golden_values() -> None:
    legacy = entropy_maximization_loss(LOGITS, LABELS, reduction="legacy")
    per_term = entropy_maximization_loss(LOGITS, LABELS, reduction="per_term")
    assert legacy.item() == pytest.approx(0.142984, abs=1e-6)
    assert legacy.item() * 18 == pytest.approx(2.573721, abs=1e-5)
    assert per_term.item() == pytest.approx(1.205416, abs=1e-6)


def test_each_term_alone_has_its_golden_mean() -> None:
    known = entropy_maximization_loss(LOGITS, LABELS, ood_weight=0.0)
    unknown = entropy_maximization_loss(LOGITS, LABELS, ood_weight=1.0)
    assert known.item() == pytest.approx(1.628898, abs=1e-6)
    assert unknown.item() == pytest.approx(1.158362, abs=1e-6)


def test_legacy_equals_the_literal_target_tensor() -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(2, 5, 7, 6, generator=generator)
    labels = torch.randint(0, 5, (2, 7, 6), generator=generator)
    labels[0, :3], labels[1, 2:4] = 254, 255
    target = torch.zeros_like(logits)
    for b, y, x in torch.cartesian_prod(torch.arange(2), torch.arange(7), torch.arange(6)):
        label = int(labels[b, y, x])
        if label == 254:
            target[b, :, y, x] = 0.9 / 5
        elif label != 255:
            target[b, label, y, x] = 0.1
    expected = -(target * torch.log_softmax(logits, 1)).mean()
    loss = entropy_maximization_loss(logits, labels, reduction="legacy")
    assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_labels_are_not_changed() -> None:
    labels = LABELS.clone()
    entropy_maximization_loss(LOGITS, labels)
    assert torch.equal(labels, LABELS)


def test_unknown_pixels_are_driven_to_the_uniform_softmax() -> None:
    logits = torch.tensor([3.0, 0.0, -2.0]).view(1, 3, 1, 1).requires_grad_()
    labels = torch.full((1, 1, 1), 254)
    for _ in range(300):
        (gradient,) = torch.autograd.grad(
            entropy_maximization_loss(logits, labels, ood_weight=1.0), logits
        )
        logits = (logits - gradient).detach().requires_grad_()
    loss = entropy_maximization_loss(logits, labels, ood_weight=1.0)
    assert loss.item() == pytest.approx(math.log(3), abs=1e-4)


@pytest.mark.parametrize("label", [0, 254, 255])
def test_a_missing_term_is_zero_and_its_gradient_finite(label: int) -> None:
    logits = LOGITS.clone().requires_grad_()
    loss = entropy_maximization_loss(logits, torch.full((1, 2, 3), label))
    loss.backward()
    assert torch.isfinite(loss)
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()
    if label == 255:
        assert loss.item() == 0.0
        assert not logits.grad.any()


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        entropy_maximization_loss(LOGITS, LABELS[:, :1])
    with pytest.raises(ValueError, match="reduction"):
        entropy_maximization_loss(LOGITS, LABELS, reduction="mean")  # type: ignore[arg-type]


def literal_loss(
    logits: torch.Tensor, labels: torch.Tensor, ood_weight: float, reduction: str
) -> torch.Tensor:
    """The definition, pixel after pixel (specification, section 4)."""
    images, classes, height, width = logits.shape
    terms: dict[str, list[torch.Tensor]] = {"known": [], "unknown": []}
    for b in range(images):
        for y in range(height):
            for x in range(width):
                logarithms = logits[b, :, y, x].softmax(0).log()
                label = int(labels[b, y, x])
                if label == 254:
                    terms["unknown"].append(-logarithms.sum() / classes)
                elif label != 255:
                    terms["known"].append(-logarithms[label])
    sums = {name: torch.stack(rows).sum() if rows else 0.0 for name, rows in terms.items()}
    if reduction == "legacy":
        total = (1 - ood_weight) * sums["known"] + ood_weight * sums["unknown"]
        return total / logits.numel() + 0 * logits.sum()
    means = {name: sums[name] / max(1, len(rows)) for name, rows in terms.items()}
    return (1 - ood_weight) * means["known"] + ood_weight * means["unknown"] + 0 * logits.sum()


@st.composite
def batches(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, float32 or float64, of either memory layout, and labels of every kind."""
    classes, height, width = (draw(st.integers(low, 5)) for low in (2, 1, 1))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    logits = torch.randn(2, classes, height, width, generator=generator, dtype=dtype)
    logits = logits * draw(st.sampled_from([0.1, 1.0, 30.0]))
    if draw(st.booleans()):
        logits = logits.contiguous(memory_format=torch.channels_last)
    kinds = torch.tensor([*range(classes), 254, 255])
    drawn = torch.randint(0, len(kinds), (2, height, width), generator=generator)
    return logits, kinds[drawn]


@settings(max_examples=60, deadline=None)
@given(batches(), st.floats(0, 1), st.sampled_from(["legacy", "per_term"]))
def test_value_and_gradient_equal_the_literal_definition(
    batch: tuple[torch.Tensor, torch.Tensor], ood_weight: float, reduction: str
) -> None:
    logits, labels = batch
    found, expected = (
        logits.detach().clone().requires_grad_(),
        logits.double().detach().requires_grad_(),
    )
    loss = entropy_maximization_loss(found, labels, ood_weight=ood_weight, reduction=reduction)  # type: ignore[arg-type]
    literal = literal_loss(expected, labels, ood_weight, reduction)
    (3.0 * loss).backward()
    (3.0 * literal).backward()
    assert loss.dtype == logits.dtype
    relative = 1e-9 if logits.dtype == torch.float64 else 1e-5
    assert loss.item() == pytest.approx(literal.item(), rel=relative, abs=relative)
    assert found.grad is not None
    torch.testing.assert_close(found.grad.double(), expected.grad, rtol=relative, atol=relative)


def test_a_large_image_is_worked_on_in_parts_without_a_seam() -> None:
    """More rows than one part holds."""
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(1, 3, 300, 400, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (1, 300, 400), generator=generator)
    labels[:, 250:, :50] = 254
    logits.requires_grad_()
    loss = entropy_maximization_loss(logits, labels, reduction="legacy")
    (gradient,) = torch.autograd.grad(loss, logits)
    target = torch.nn.functional.one_hot(labels.where(labels < 3, 0), 3).double() * 0.1
    target[labels == 254] = 0.3
    expected = -(target.permute(0, 3, 1, 2) * logits.log_softmax(1)).mean()
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(gradient, torch.autograd.grad(expected, logits)[0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_logits_are_worked_out_in_float32(dtype: torch.dtype) -> None:
    logits = LOGITS.to(dtype).requires_grad_()
    loss = entropy_maximization_loss(logits, LABELS)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(1.205416, abs=1e-6)
    assert logits.grad is not None
    assert logits.grad.dtype == dtype


def test_parts_with_the_counts_of_the_whole_add_up_to_it() -> None:
    logits, labels = LOGITS.expand(3, -1, -1, -1).clone(), LABELS.expand(3, -1, -1).clone()
    labels[1], labels[2] = 1, 255
    counts = count_pixels(labels, 3)
    assert (counts.known, counts.unknown, counts.all) == (9, 2, 18)
    weights = term_weights(counts, 3, ood_weight=0.9, reduction="per_term")
    parts = sum(weighted_terms(logits[n : n + 1], labels[n : n + 1], *weights) for n in range(3))
    assert float(parts) == pytest.approx(entropy_maximization_loss(logits, labels).item())


@pytest.mark.parametrize("label", [3, 253, -1])
def test_a_label_that_is_no_class_is_named(label: int) -> None:
    with pytest.raises(OodError, match=f"label {label} is no"):
        entropy_maximization_loss(LOGITS, torch.full((1, 2, 3), label))
