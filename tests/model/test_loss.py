import math

import pytest
import torch
from torch.nn import functional as F

import minigpt as mg
from minigpt.model import chunked_next_token_loss, cross_entropy_from_logits, smoothed_cross_entropy


def literal(y, p):
    """L = -sum_i y_i log(p_i), one term after another in Python floats."""
    return -sum(a * math.log(b) for a, b in zip(y, p, strict=True))


@pytest.mark.parametrize("n", [2, 3, 7, 129])
def test_cross_entropy_is_the_seeds_formula(n):
    y, p = (torch.softmax(torch.randn(4, n, dtype=torch.float64), -1) for _ in range(2))
    for row in range(4):
        assert mg.cross_entropy(y, p)[row].item() == pytest.approx(literal(y[row].tolist(), p[row].tolist()), abs=1e-12)


def test_with_a_one_hot_target_only_the_true_class_counts():
    p = torch.tensor([0.5, 0.25, 0.25, 0.0], dtype=torch.float64)
    y = torch.tensor([0.0, 1.0, 0.0, 0.0], dtype=torch.float64)
    assert mg.cross_entropy(y, p).item() == pytest.approx(math.log(4), abs=1e-15)


def test_something_true_that_was_held_impossible_costs_infinity():
    assert mg.cross_entropy(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 0.0])).item() == math.inf


def test_the_loss_is_least_where_p_equals_y():
    y = torch.softmax(torch.randn(5, dtype=torch.float64), -1)
    others = torch.softmax(torch.randn(50, 5, dtype=torch.float64), -1)
    assert (mg.cross_entropy(y.expand(50, 5), others) > mg.cross_entropy(y, y)).all()


@pytest.mark.parametrize(
    ("y", "p", "message"),
    [
        (torch.tensor([0.0, 1.0]), torch.tensor([2.0, -1.0]), r"p holds values from -1 to 2.*softmax\(logits\) first"),
        (torch.tensor([3.0, 7.0]), torch.tensor([0.5, 0.5]), "y holds values from 3 to 7.*make them one-hot"),
        (torch.tensor([1]), torch.tensor([0.5, 0.5]), r"y has shape \(1,\) and p has \(2,\).*one_hot"),
    ],
)
def test_what_are_no_probabilities_is_refused_with_the_mend(y, p, message):
    with pytest.raises(ValueError, match=message):
        mg.cross_entropy(y, p)


def test_gradient_is_that_of_finite_differences():
    y, p = (torch.softmax(torch.randn(3, 4, dtype=torch.float64), -1).requires_grad_() for _ in range(2))
    assert torch.autograd.gradcheck(mg.cross_entropy, (y, p))


def test_on_logits_it_is_the_seeds_formula_of_their_softmax(assert_near):
    logits = torch.randn(2, 3, 7, dtype=torch.float64)
    targets = torch.randint(0, 7, (2, 3))
    expected = mg.cross_entropy(F.one_hot(targets, 7).double(), mg.softmax(logits))
    assert_near(mg.cross_entropy_from_logits(logits, targets), expected)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_next_token_loss_is_the_mean_of_the_formula_over_what_counts(dtype, assert_near):
    logits = torch.randn(2, 5, 7).to(dtype)
    targets = torch.randint(0, 7, (2, 5))
    targets[0, 3:] = -100
    counted = targets != -100
    expected = mg.cross_entropy_from_logits(logits.double()[counted], targets[counted])
    assert_near(mg.next_token_loss(logits, targets), expected.mean())
    assert_near(mg.next_token_loss(logits, targets, reduction="sum"), expected.sum())


def test_another_ignore_index_is_respected():
    logits, targets = torch.randn(1, 3, 4), torch.tensor([[1, 0, 0]])
    torch.testing.assert_close(
        mg.next_token_loss(logits, targets, 0), mg.next_token_loss(logits[:, :1], targets[:, :1])
    )


def test_a_batch_without_a_target_costs_nothing_and_is_no_nan():
    assert mg.next_token_loss(torch.randn(1, 3, 4), torch.full((1, 3), -100)).item() == 0


def test_logits_a_thousand_times_larger_stay_finite():
    assert torch.isfinite(mg.next_token_loss(1000 * torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.int64)))


def test_shapes_that_do_not_fit_and_an_unknown_reduction_are_refused():
    with pytest.raises(ValueError, match=r"expected \(B, T, V\) and \(B, T\)"):
        mg.next_token_loss(torch.randn(2, 3, 4), torch.zeros(2, 4, dtype=torch.int64))
    with pytest.raises(ValueError, match="reduction='none' is unknown"):
        mg.next_token_loss(torch.randn(1, 1, 4), torch.zeros(1, 1, dtype=torch.int64), reduction="none")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
def test_smoothed_next_token_loss_is_the_formula_on_one_hot_targets(smoothing, assert_near):
    logits, targets = torch.randn(2, 3, 5, dtype=torch.float64), torch.randint(0, 5, (2, 3))
    y, p = torch.nn.functional.one_hot(targets, 5).double(), mg.softmax(logits)
    expected = smoothed_cross_entropy(y, p, smoothing)
    assert_near(mg.next_token_loss(logits, targets, label_smoothing=smoothing), expected.mean())
    targets[0, 1] = -100
    expected[0, 1] = 0
    total = mg.next_token_loss(logits, targets, reduction="sum", label_smoothing=smoothing)
    assert_near(total, expected.sum())


@pytest.mark.parametrize("smoothing", [-0.1, 1.0, float("nan")])
def test_a_smoothing_outside_its_range_is_refused(smoothing):
    with pytest.raises(ValueError, match=r"label_smoothing=.* must lie in \[0, 1\)"):
        mg.next_token_loss(torch.zeros(1, 1, 2), torch.zeros(1, 1, dtype=torch.int64), label_smoothing=smoothing)


INTEGERS = [torch.uint8, torch.int8, torch.int16, torch.int32]
LOSSES = {
    "logits": lambda targets: mg.next_token_loss(torch.arange(30.0).view(2, 3, 5), targets),
    "each row": lambda targets: cross_entropy_from_logits(torch.arange(30.0).view(2, 3, 5), targets),
    "chunked": lambda targets: chunked_next_token_loss(torch.ones(2, 3, 4), torch.arange(20.0).view(5, 4), targets),
}


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_targets_may_be_integers_of_any_size(loss, dtype):
    targets = torch.tensor([[0, 4, 1], [2, 3, 3]])
    assert torch.equal(loss(targets.to(dtype)), loss(targets))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bool, torch.complex64], ids=str)
@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_targets_that_are_no_integers_are_refused(loss, dtype):
    with pytest.raises(
        ValueError, match=r"targets have dtype torch\.\w+; expected integers, .* \(try targets\.long\(\)\)"
    ):
        loss(torch.zeros(2, 3).to(dtype))


def test_padding_counts_nothing_in_small_integers_either():
    targets = torch.tensor([[0, -100, 1], [-100, 3, 3]])
    assert torch.equal(LOSSES["logits"](targets.to(torch.int8)), LOSSES["logits"](targets))


def test_vmap_is_the_loss_of_each():
    y, p = torch.eye(4), torch.full((4, 4), 0.25)
    torch.testing.assert_close(torch.vmap(mg.cross_entropy)(y, p), mg.cross_entropy(y, p))
    with pytest.raises(ValueError, match="expected probabilities in"):
        torch.vmap(mg.cross_entropy)(y, 8 * p)
