"""The transforms of torch.func through the fast functions and whole models: what a loop over the examples gives."""

import pytest
import torch
from torch.func import functional_call, grad, hessian, jvp, vmap

import minigpt as mg
from minigpt.model import chunked_next_token_loss, next_token_loss, rms_norm, short_convolution
from minigpt.model.convolution import fast_short_convolution
from minigpt.model.norms import fast_rms_norm

pytestmark = pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")  # PyTorch's own, in forward mode
TARGETS = torch.tensor([[3, 0, -100], [1, 2, 4]])


def normal(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)), dtype=torch.float64)


def logits_loss(x, weight):
    return next_token_loss(x @ weight.T, TARGETS, label_smoothing=0.1)


# The fast function, its formula, and what they are given.
FAST = {
    "norm": (fast_rms_norm, rms_norm, (normal(2, 3, 5), normal(5))),
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


@pytest.mark.parametrize("name", ["norm", "convolution"])
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
