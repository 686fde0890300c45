"""The transforms of torch.func through the fast functions and whole models: what a loop over the examples gives."""

import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jvp, linearize, vmap

import minigpt as mg
from minigpt.model import (
    ATTENTION,
    Pattern,
    chunked_next_token_loss,
    layer_norm,
    next_token_loss,
    rms_norm,
    short_convolution,
)
from minigpt.model.convolution import fast_short_convolution
from minigpt.model.norms import fast_layer_norm, fast_rms_norm

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own, in forward mode
TARGETS = torch.tensor([[3, 0, -100], [1, 2, 4]])


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


def logits_loss(x, weight):
    return next_token_loss(x @ weight.T, TARGETS, label_smoothing=0.1)


# The fast function, its formula, and what they are given.
FAST = {
    "norm": (fast_rms_norm, rms_norm, (normal(2, 3, 5), normal(5))),
    "layer norm": (fast_layer_norm, layer_norm, (normal(2, 3, 5), normal(5))),
    "convolution": (fast_short_convolution, short_convolution, (normal(2, 4, 3), normal(3, 3))),
    "loss": (
        lambda x, weight: chunked_next_token_loss(x, weight, TARGETS, label_smoothing=0.1),
        logits_loss,
        (normal(2, 3, 4), normal(5, 4)),
    ),
}


@pytest.mark.parametrize("name", FAST)
def test_derivatives_of_every_kind_are_those_of_the_formula(name):
    fast, formula, given = FAST[name]
    for transform in (lambda f: grad(f, (0, 1)), lambda f: hessian(f, (0, 1)), lambda f: lambda *x: jvp(f, x, x)):
        found, expected = (transform(lambda *x, f=f: f(*x).square().sum())(*given) for f in (fast, formula))
        torch.testing.assert_close(found, expected)


ATTENTIONS = {
    name: (
        lambda q, k, name=name: ATTENTION[name](q, k, k, Pattern()),
        lambda q, k: ATTENTION["formula"](q, k, k, Pattern()),
        (normal(1, 2, 3, 4), normal(1, 1, 3, 4)),
    )
    for name in ("auto", "sdpa")
}


@pytest.mark.parametrize("name", FAST | ATTENTIONS)
def test_derivatives_by_dual_numbers_are_those_of_the_formula(name):
    fast, formula, given = (FAST | ATTENTIONS)[name]
    directions = tuple(x.flip(-1) for x in given)
    with forward_ad.dual_level():
        found = forward_ad.unpack_dual(fast(*map(forward_ad.make_dual, given, directions))).tangent
    torch.testing.assert_close(found, jvp(formula, given, directions)[1])


@pytest.mark.parametrize("name", ["norm", "layer norm", "convolution"])
def test_vmap_is_the_function_of_each(name):
    fast, _, (x, weights) = FAST[name]
    torch.testing.assert_close(vmap(fast, (0, None))(x, weights), torch.stack([fast(each, weights) for each in x]))


def test_vmap_over_rows_and_targets_is_the_chunked_loss_of_each():
    x, weight = normal(2, 3, 4), normal(5, 4)
    expected = torch.stack([chunked_next_token_loss(x[i : i + 1], weight, TARGETS[i : i + 1]) for i in range(2)])
    found = vmap(lambda x, targets: chunked_next_token_loss(x[None], weight, targets[None]))(x, TARGETS)
    torch.testing.assert_close(found, expected)
    with pytest.raises(ValueError, match=r"x has shape \(1, 3, 4\), weight \(5, 4\) and targets \(1, 2\); expected"):
        vmap(lambda x: chunked_next_token_loss(x[None], weight, TARGETS[:1, :2]))(x)


PARTS = {
    "gpt2": {},
    "llama": {"norm": "rms", "position": "rope-half", "mlp": "swiglu", "bias": False, "n_kv_heads": 1, "qk_norm": True},
    "window and convolution": {"window": 2, "convolution": 3},
}


def make_loss(parts):
    shape = mg.GPTConfig(vocab_size=7, context_length=6, d_model=8, n_layers=1, n_heads=2, init_std=0.3, **parts)
    model = mg.GPT(shape, generator=torch.Generator().manual_seed(0)).double().eval()
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(weights, ids):
        return next_token_loss(functional_call(model, weights, (ids[None, :-1],)), ids[None, 1:])

    return loss, weights


@pytest.mark.parametrize("name", PARTS)
def test_gradients_of_each_example_are_those_of_a_loop(name):
    loss, weights = make_loss(PARTS[name])
    ids = torch.randint(7, (3, 6), generator=torch.Generator().manual_seed(1))
    found = vmap(grad(loss), (None, 0))(weights, ids)
    for i, each in enumerate(ids):
        leaves = {name: p.clone().requires_grad_() for name, p in weights.items()}
        expected = torch.autograd.grad(loss(leaves, each), list(leaves.values()))
        torch.testing.assert_close([found[name][i] for name in leaves], list(expected))


@pytest.mark.parametrize("name", PARTS)
def test_a_hessian_through_the_attention_is_that_of_finite_differences(name):
    loss, weights = make_loss(PARTS[name])
    ids, where = torch.tensor([1, 5, 2, 2, 0, 6]), "blocks.0.attention.project_qkv.weight"
    at, direction, step = weights[where], normal(*weights[where].shape), 1e-5

    def gradient(qkv):
        return grad(lambda qkv: loss({**weights, where: qkv}, ids))(qkv)

    _, found = jvp(gradient, (at,), (direction,))
    expected = (gradient(at + step * direction) - gradient(at - step * direction)) / (2 * step)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-8)


SEED = {
    "weights": (mg.attention_weights, normal(3, 4) / 2),
    "loss": (lambda p: mg.cross_entropy(torch.full_like(p, 0.2), p), normal(2, 5).softmax(-1)),
}


@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")  # PyTorch's own, in linearize
@pytest.mark.parametrize("name", PARTS)
def test_a_recorded_derivative_is_that_of_the_model(name):
    loss, weights = make_loss(PARTS[name])
    ids, directions = torch.tensor([1, 5, 2, 2, 0, 6]), {name: p.flip(0) for name, p in weights.items()}
    _, found = linearize(lambda weights: loss(weights, ids), weights)
    expected = jvp(lambda weights: loss(weights, ids), (weights,), (directions,))[1]
    torch.testing.assert_close(found(directions), expected)


@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node:UserWarning")
@pytest.mark.parametrize("name", SEED)
def test_a_recorded_derivative_is_that_of_the_seeds_formulas(name):
    function, x = SEED[name]
    torch.testing.assert_close(linearize(function, x)[1](x.flip(0)), jvp(function, (x,), (x.flip(0),))[1])


@pytest.mark.parametrize("name", PARTS)
def test_shapes_are_computed_without_numbers(name):
    with FakeTensorMode():
        model = mg.GPT(mg.GPTConfig(vocab_size=7, context_length=6, d_model=8, n_layers=1, n_heads=2, **PARTS[name]))
        ids = torch.zeros(2, 5, dtype=torch.int64)
        features = model.features(ids)
        assert model(ids).shape == (2, 5, 7)
        assert chunked_next_token_loss(features, model.head.weight, ids).shape == ()
        assert mg.attention_weights(features).shape == (2, 5, 5)
    assert mg.attention_weights(torch.zeros(3, 4, device="meta")).shape == (3, 3)
