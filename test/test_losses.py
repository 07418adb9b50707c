"""The entropy-maximisation loss against the golden values of the method's specification."""

import math

import pytest
import torch

from ood_training.losses import entropy_maximization_loss

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
