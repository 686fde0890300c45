import math

import pytest
import torch
from torch.nn import functional as F

import minigpt as mg
from minigpt.bench.allocation import peak_allocation
from minigpt.model.chunked_loss import chunked_next_token_loss

# Of the loss and its gradients, relative to the largest of each, against float64. Logits are summed in float32.
TOLERANCES = {torch.float64: 1e-13, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1.6e-2}


def draw(n_rows, width, vocab, dtype=torch.float64, ignored=0.3):
    x, weight = torch.randn(2, n_rows, width, dtype=torch.float64), torch.randn(vocab, width, dtype=torch.float64)
    targets = torch.randint(vocab, (2, n_rows)).masked_fill(torch.rand(2, n_rows) < ignored, -100)
    return x.to(dtype).requires_grad_(), weight.to(dtype).requires_grad_(), targets


def found(loss, x, weight):
    return (loss, *torch.autograd.grad(loss, (x, weight)))


def reference(x, weight, targets, **options):
    """The loss of all logits in float64, and its gradients."""
    x, weight = (t.detach().double().requires_grad_() for t in (x, weight))
    return found(mg.next_token_loss(x @ weight.T, targets, **options), x, weight)


def assert_equal(actual, expected, tolerance):
    for ours, exact in zip(actual, expected, strict=True):
        bound = tolerance * exact.abs().max().item()
        torch.testing.assert_close(ours.double(), exact.double(), rtol=0, atol=bound)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", TOLERANCES, ids=str)
def test_the_loss_and_its_gradients_are_those_of_all_logits(dtype, reduction, smoothing):
    x, weight, targets = draw(17, 6, 29, dtype)
    options = {"reduction": reduction, "label_smoothing": smoothing}
    actual = found(chunked_next_token_loss(x, weight, targets, rows_at_once=5, **options), x, weight)
    assert [t.dtype for t in actual] == [torch.promote_types(dtype, torch.float32), dtype, dtype]
    assert_equal(actual, reference(x, weight, targets, **options), TOLERANCES[dtype])


@pytest.mark.parametrize("rows_at_once", [1, 2, 33, 34, 35, 1000])
def test_the_rows_at_once_change_only_the_rounding(rows_at_once):
    x, weight, targets = draw(17, 6, 29)
    actual = found(chunked_next_token_loss(x, weight, targets, rows_at_once=rows_at_once), x, weight)
    assert_equal(actual, reference(x, weight, targets), 1e-13)


def test_it_is_pytorchs_linear_cross_entropy():
    x, weight, targets = draw(40, 8, 50, torch.float32)
    rows = x.flatten(0, 1), weight, targets.flatten()
    options = torch.nn.LinearCrossEntropyOptions() if hasattr(torch.nn, "LinearCrossEntropyOptions") else None
    if options is None:
        pytest.skip(f"torch {torch.__version__} has no linear_cross_entropy with options; 2.13 has")
    expected = found(F.linear_cross_entropy(*rows, options=options), x, weight)
    assert_equal(found(chunked_next_token_loss(x, weight, targets), x, weight), expected, 2e-6)


@pytest.mark.parametrize("width", [64, 128])
def test_its_peak_of_memory_is_not_above_that_of_pytorchs_linear_cross_entropy(width):
    if not hasattr(torch.nn, "LinearCrossEntropyOptions"):
        pytest.skip(f"torch {torch.__version__} has no linear_cross_entropy with options; 2.13 has")
    x, weight, targets = draw(512, width, 6000, torch.float32)
    rows = x.flatten(0, 1), weight, targets.flatten()
    theirs = peak_allocation(
        lambda: F.linear_cross_entropy(*rows, options=torch.nn.LinearCrossEntropyOptions()).backward()
    )
    x.grad = weight.grad = None
    ours = peak_allocation(lambda: chunked_next_token_loss(x, weight, targets).backward())
    assert ours <= theirs
    assert theirs < 1024 * 6000 * 4  # a number for each logit


def test_one_row_one_token_and_no_row_at_all():
    for n_rows, vocab in ((1, 5), (3, 1), (0, 5)):
        x, weight, targets = draw(n_rows, 4, vocab, ignored=0.0)
        actual = found(chunked_next_token_loss(x, weight, targets), x, weight)
        for ours, exact in zip(actual, reference(x, weight, targets), strict=True):
            torch.testing.assert_close(ours, exact)


def test_without_a_target_loss_and_gradients_are_0():
    x, weight, targets = draw(4, 3, 5, ignored=1.0)
    assert (targets == -100).all()
    assert all((t == 0).all() for t in found(chunked_next_token_loss(x, weight, targets), x, weight))


def test_another_ignore_index_is_respected():
    x, weight, targets = draw(9, 3, 4, ignored=0.0)
    expected = reference(x, weight, targets, ignore_index=2)
    assert_equal(found(chunked_next_token_loss(x, weight, targets, 2), x, weight), expected, 1e-13)


def test_logits_a_thousand_times_larger_stay_finite():
    x, weight, targets = draw(9, 3, 7, torch.float32)
    actual = found(chunked_next_token_loss(1000 * x, weight, targets), x, weight)
    assert all(t.isfinite().all() for t in actual)
    assert actual[0].item() > 100


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_gradients_are_those_of_finite_differences(smoothing):
    x, weight, targets = draw(3, 2, 5)
    options = {"label_smoothing": smoothing, "rows_at_once": 4}
    assert torch.autograd.gradcheck(lambda *given: chunked_next_token_loss(*given, targets, **options), (x, weight))


def test_a_graph_that_is_kept_gives_the_same_gradients_again():
    x, weight, targets = draw(9, 3, 7)
    loss = chunked_next_token_loss(x, weight, targets)
    first, again = (torch.autograd.grad(3 * loss, (x, weight), retain_graph=kept) for kept in (True, False))
    assert_equal(again, first, 0.0)


@pytest.mark.parametrize("frozen", [0, 1])
def test_what_is_frozen_costs_nothing(frozen, nothing_as_large_as):
    x, weight, targets = draw(60, 20, 70)
    given = [x, weight]
    given[frozen] = given[frozen].detach()
    with nothing_as_large_as() as made:
        chunked_next_token_loss(*given, targets, rows_at_once=8).backward()
    assert made.sizes & {120 * 20, 70 * 20} == {given[1 - frozen].numel()}
    exact = reference(x, weight, targets)[2 - frozen]
    assert_equal([given[1 - frozen].grad], [exact], 1e-13)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_no_tensor_of_all_logits_is_ever_made(dtype, nothing_as_large_as):
    x, weight, targets = draw(30, 4, 70, dtype)
    with pytest.raises(AssertionError, match="made"), nothing_as_large_as(60 * 70):
        mg.next_token_loss(x @ weight.T, targets).backward()
    with nothing_as_large_as(8 * 70 + 1):
        chunked_next_token_loss(x, weight, targets, rows_at_once=8).backward()


def test_without_gradients_none_is_computed(nothing_as_large_as):
    x, weight, targets = draw(20, 9, 12)
    with torch.no_grad(), nothing_as_large_as(9 * 12):
        loss = chunked_next_token_loss(x, weight, targets, rows_at_once=2)
    assert_equal([loss], reference(x, weight, targets)[:1], 1e-13)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_autocast_multiplies_in_its_dtype_and_gives_gradients_in_the_inputs(dtype):
    x, weight, targets = draw(17, 16, 29, torch.float32)
    with torch.autocast("cpu", dtype):
        actual = found(chunked_next_token_loss(x.to(dtype), weight, targets, rows_at_once=5), x, weight)
        again = chunked_next_token_loss(x, weight, targets)
    assert [t.dtype for t in (*actual, again)] == [torch.float32] * 4
    rounded = [t.detach().to(dtype) for t in (x, weight)]
    assert_equal(actual, reference(*rounded, targets), TOLERANCES[dtype])
    assert_equal([again], [actual[0]], 1e-6)


def test_tiny_gradients_of_float16_are_not_lost_before_they_are_scaled():
    x, weight, targets = draw(17, 6, 29, torch.float16)
    loss = chunked_next_token_loss(x, weight, targets, reduction="sum") / 1e6
    dx, _ = torch.autograd.grad(1e6 * loss, (x, weight))
    assert_equal([dx], [reference(x, weight, targets, reduction="sum")[1]], TOLERANCES[torch.float16])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"targets": torch.zeros(2, 4, dtype=torch.int64)}, r"expected \(B, T, D\), \(V, D\) and \(B, T\)"),
        ({"weight": torch.zeros(7, 4)}, r"weight \(7, 4\)"),
        ({"weight": torch.zeros(7, 3).double()}, "make them one dtype, or run under autocast"),
        ({"targets": torch.full((2, 5), 7)}, r"targets run from 7 to 7, but a head of shape \(7, 3\) knows 0 to 6"),
        ({"targets": torch.full((2, 5), -1)}, "targets run from -1 to -1"),
        ({"rows_at_once": 0}, "rows_at_once=0 must be at least 1"),
        ({"reduction": "none"}, "reduction='none' is unknown"),
        ({"label_smoothing": 1.0}, r"must lie in \[0, 1\)"),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    given = {"x": torch.zeros(2, 5, 3), "weight": torch.zeros(7, 3), "targets": torch.zeros(2, 5, dtype=torch.int64)}
    with pytest.raises(ValueError, match=message):
        chunked_next_token_loss(**{**given, **changes})


def test_a_model_gives_what_is_made_of_its_last_vectors(assert_near):
    model = mg.GPT(mg.GPTConfig(vocab_size=11, context_length=8, d_model=8, n_layers=1, n_heads=2)).double()
    ids = torch.randint(11, (2, 8))
    loss = chunked_next_token_loss(model.features(ids), model.head.weight, ids)
    assert_near(loss, mg.next_token_loss(model(ids), ids))
    assert loss.item() == pytest.approx(math.log(11), abs=0.5)
