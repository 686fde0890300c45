"""Second derivatives through every backward pass written by hand: each is right, or refused with one message."""

import pkgutil
from functools import partial
from importlib import import_module

import pytest
import torch

import minigpt
from minigpt.model import (
    ATTENTION,
    Pattern,
    causal_attention,
    chunked_next_token_loss,
    next_token_loss,
    rms_norm,
    short_convolution,
    softmax,
)
from minigpt.model.backends import ProductWeights
from minigpt.model.convolution import FastShortConvolution
from minigpt.model.norms import FastRMSNorm

pytest.importorskip("triton")
from minigpt.kernels.fused_attention import fused_attention
from minigpt.kernels.fused_cross_entropy import fused_cross_entropy
from minigpt.kernels.rms_norm import fused_rms_norm

pytestmark = pytest.mark.filterwarnings("ignore:.*encountered:RuntimeWarning")
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
TARGETS = torch.tensor([[3, 0, -100], [1, 2, 4]], device=DEVICE)
LOGITS_LOSS = lambda x, weight: next_token_loss(x @ weight.T, TARGETS, reduction="sum")  # noqa: E731

# From each hand-written gradient to: the fast function, the formula it is the twin of, the shapes of what is given, and
# the message that refuses its second derivative; None: it is right.
CASES = {
    "minigpt.model.norms.FastRMSNorm": (
        lambda x, gain: FastRMSNorm.apply(x, gain, 0.1),
        lambda x, gain: rms_norm(x, gain, 0.1),
        [(2, 3, 5), (5,)],
        None,
    ),
    "minigpt.model.convolution.FastShortConvolution": (
        FastShortConvolution.apply,
        short_convolution,
        [(2, 4, 3), (3, 3)],
        None,
    ),
    "minigpt.model.backends.ProductWeights": (
        lambda q, k: ProductWeights.apply(q, k, torch.zeros(1, 3, 4, dtype=q.dtype, device=q.device), 0.7),
        lambda q, k: softmax(0.7 * q @ k.mT),
        [(2, 3, 5), (2, 4, 5)],
        None,
    ),
    "minigpt.model.chunked_loss._SummedLoss": (
        lambda x, weight: chunked_next_token_loss(x, weight, TARGETS, reduction="sum"),
        LOGITS_LOSS,
        [(2, 3, 4), (5, 4)],
        r"the chunked loss has a first derivative only.*use next_token_loss \(loss='logits'\)",
    ),
    "minigpt.kernels.rms_norm.RMSNormFunction": (
        partial(fused_rms_norm, eps=0.1),
        lambda x, gain: rms_norm(x, gain, 0.1),
        [(3, 5), (5,)],
        "the fused norm has a first derivative only.*use minigpt.rms_norm",
    ),
    "minigpt::flash_forward": (
        lambda q, k, v: fused_attention(q, k, v)[0],
        causal_attention,
        [(1, 1, 3, 4)] * 3,
        "fused attention has a first derivative only.*use attention='formula'",
    ),
    "minigpt::head_loss": (
        lambda x, weight: fused_cross_entropy(x, weight, TARGETS),
        LOGITS_LOSS,
        [(2, 3, 4), (5, 4)],
        r"the fused loss has a first derivative only.*use next_token_loss \(loss='logits'\)",
    ),
}


def hand_written():
    """The name of every ``autograd.Function`` and every operator with a gradient of its own in the package."""
    for module in pkgutil.walk_packages(minigpt.__path__, "minigpt."):
        if module.name != "minigpt.__main__":
            import_module(module.name)
    for kind in subclasses(torch.autograd.Function):
        if kind.__module__.startswith("minigpt."):
            yield f"{kind.__module__}.{kind.__qualname__}"
    for name, operator in torch._library.custom_ops.OPDEFS.items():
        if name.startswith("minigpt::") and operator._backward_fn is not None:
            yield name


def subclasses(kind):
    for each in kind.__subclasses__():
        yield each
        yield from subclasses(each)


def given(shapes, *, grown):
    """Leaves; or, as in a model, tensors that themselves depend on leaves."""
    generator = torch.Generator().manual_seed(0)
    leaves = [torch.randn(s, generator=generator, dtype=torch.float64).to(DEVICE).requires_grad_() for s in shapes]
    return leaves, [leaf.sin() if grown else leaf for leaf in leaves]


def second_derivative(function, shapes, *, grown, linear):
    """The gradient of the squared norm of a gradient.

    Args:
        linear: whether the loss is linear in the output, so that the gradient that enters the backward pass is constant
            and needs none itself.
    """
    leaves, inputs = given(shapes, grown=grown)
    y = function(*inputs)
    loss = (y * torch.linspace(1, 2, y.numel(), dtype=y.dtype, device=DEVICE).view_as(y)).sum()
    first = torch.autograd.grad(loss if linear else loss.square(), leaves, create_graph=True)
    return torch.autograd.grad(sum(g.square().sum() for g in first), leaves)


def test_every_hand_written_gradient_has_a_case():
    assert set(hand_written()) == set(CASES)


@pytest.mark.parametrize("grown", [False, True], ids=["leaves", "within a model"])
@pytest.mark.parametrize("linear", [True, False], ids=["constant incoming gradient", "incoming gradient with a graph"])
@pytest.mark.parametrize("name", CASES)
def test_a_second_derivative_is_that_of_the_formula_or_refused(name, linear, grown):
    fast, formula, shapes, refusal = CASES[name]
    if refusal is not None:
        with pytest.raises(ValueError, match=refusal):
            second_derivative(fast, shapes, grown=grown, linear=linear)
        return
    expected = second_derivative(formula, shapes, grown=grown, linear=linear)
    torch.testing.assert_close(second_derivative(fast, shapes, grown=grown, linear=linear), expected)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case[3] is None])
def test_what_is_not_refused_passes_finite_differences_of_the_gradient(name):
    fast, _, shapes, _ = CASES[name]
    leaves, _ = given(shapes, grown=False)
    assert torch.autograd.gradgradcheck(fast, leaves)


def test_attention_by_its_formula_passes_finite_differences_of_the_gradient():
    leaves, _ = given([(1, 2, 3, 2), (1, 1, 3, 2), (1, 1, 3, 2)], grown=False)
    slopes = torch.tensor([0.5, 0.25], dtype=torch.float64, device=DEVICE)
    for pattern in (Pattern(), Pattern(window=2, slopes=slopes)):
        assert torch.autograd.gradgradcheck(lambda q, k, v, p=pattern: ATTENTION["formula"](q, k, v, p), leaves)


PATTERNS = {"whole past": Pattern(), "window": Pattern(window=2), "scale": Pattern(scale=0.3)}


@pytest.mark.parametrize("width", [2, 3, 8])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("name", ["auto", "sdpa"])
def test_attention_by_the_kernels_of_pytorch_refuses_a_second_derivative(name, pattern, width):
    def attention(q, k, v):
        return ATTENTION[name](q.float(), k.float(), v.float(), PATTERNS[pattern]).double()

    shapes = [(1, 2, 4, width), (1, 1, 4, width), (1, 1, 4, width)]
    with pytest.raises(ValueError, match=r"^PyTorch's attention .* has a first derivative only.*use attention='formul"):
        second_derivative(attention, shapes, grown=True, linear=False)
    leaves, inputs = given(shapes, grown=True)
    expected = torch.autograd.grad(ATTENTION["formula"](*inputs, PATTERNS[pattern]).sum(), leaves, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(attention(*inputs).sum(), leaves), expected, rtol=1e-4, atol=1e-5)


def test_a_second_derivative_that_does_not_go_through_the_attention_is_not_refused():
    model = minigpt.GPT(minigpt.GPTConfig(vocab_size=5, context_length=3, d_model=8, n_layers=1, n_heads=2))
    loss = next_token_loss(model.to(DEVICE)(TARGETS.clamp(min=0)), TARGETS)
    gain = model.norm.gain
    (first,) = torch.autograd.grad(loss, gain, create_graph=True)
    (second,) = torch.autograd.grad(first.square().sum(), gain)
    assert bool(second.abs().max() > 0)
