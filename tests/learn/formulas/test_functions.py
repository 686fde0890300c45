import itertools
import pickle
import pkgutil
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from exercise_formulas import FORMULAS, PROCEDURES

import minigpt as mg
from minigpt.equations import EquationError
from minigpt.learn import exercises as stages
from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.formulas import as_function

G = torch.Generator().manual_seed(0)
Z, V, X = torch.randn(2, 3, 4, generator=G), torch.randn(3, 2, generator=G), torch.randn(2, 5, 4, generator=G)
W = [torch.randn(4, 4, generator=G) for _ in range(4)]
MASK = torch.tensor([[True, False, True], [True, True, False]])
IDS = torch.tensor([[1, 0, 3], [2, 2, 1]])


def exercise(name):
    return SimpleNamespace(name=name)


def adamw(parameter, gradient, m, v, t, lr, beta1, beta2, eps, decay):
    m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
    step = m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps)
    return parameter - lr * (step + decay * parameter), m, v


def neuron(x, w, b, y):
    w, b = w.clone().requires_grad_(), b.clone().requires_grad_()
    return torch.autograd.grad(((torch.tanh(x @ w + b) - y) ** 2).mean(), (w, b))


def bigrams(ids, size, alpha):
    counts = torch.zeros(size, size)
    for u, w in itertools.pairwise(ids):
        counts[u, w] += 1
    return (counts + alpha) / (counts.sum(1, keepdim=True) + alpha * size)


def clipped(gradients, limit):
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    return [g * min(1, limit / norm) for g in gradients]


def block_of_softmax(m, l, o, z, v):
    new = torch.maximum(m, z.max())
    e = (z - new).exp()
    return new, l * (m - new).exp() + e.sum(), o * (m - new).exp() + e @ v


# The arguments of a call, and what the exercise returns for them by an independent way.
CALLS = {
    "bigram_probabilities": ((torch.tensor([0, 1, 1, 2, 0, 1]), 3, 0.5), bigrams),
    "neuron_gradients": ((torch.randn(3, 2, generator=G), V[0], torch.tensor(0.3), V[:, 1]), neuron),
    "softmax": ((Z,), lambda z: z.softmax(-1)),
    "cross_entropy": (
        (torch.tensor([0.0, 1, 0]), torch.tensor([0.2, 0.5, 0.3]), 0.1),
        lambda y, p, s: F.cross_entropy(p.log()[None], y[None], label_smoothing=s),
    ),
    "adamw_step": ((*torch.rand(4, 2, 3, generator=G), 3, 0.1, 0.9, 0.95, 0.01, 0.2), adamw),
    "clip_gradients": (([V, Z, W[0]], 1.5), clipped),
    "learning_rate": ((7, 1.0, 0.1, 4, 20), lambda t, high, low, w, s: 0.55 + 0.45 * np.cos(np.pi * 3 / 16)),
    "attention_weights": ((V,), lambda v: (v @ v.T).softmax(-1)),
    "self_attention": ((V,), lambda v: (v @ v.T).softmax(-1) @ v),
    "causal_mask": ((2, 5), lambda t, s: torch.ones(t, s).tril(s - t).bool()),
    "scaled_attention": (
        (Z[:, :2], torch.randn(2, 3, 4, generator=G), torch.randn(2, 3, 5, generator=G), MASK),
        lambda q, k, v, mask: F.scaled_dot_product_attention(q, k, v, attn_mask=mask),
    ),
    "multi_head_attention": (
        (X, *W, 2),
        lambda x, q, k, v, o, n: F.scaled_dot_product_attention(
            *((x @ w).unflatten(-1, (n, -1)).transpose(1, 2) for w in (q, k, v))
        ).transpose(1, 2).flatten(2) @ o,
    ),
    "sinusoidal_positions": ((5, 6, 100.0), lambda t, d, b: mg.sinusoidal_positions(t, d, b)),
    "rotary_positions": (
        (X, 50.0),
        lambda x, b: torch.view_as_real(
            torch.view_as_complex(x.unflatten(-1, (-1, 2)))
            * torch.polar(torch.ones(5, 2), torch.outer(torch.arange(5.0), b ** (-torch.tensor([0.0, 0.5]))))
        ).flatten(-2),
    ),
    "layer_norm": ((X, W[0][0], W[1][0], 0.1), lambda x, g, b, eps: F.layer_norm(x, (4,), g, b, eps)),
    "pre_norm_block": (
        (V, torch.tanh, torch.cos, torch.sin, lambda h: h * h),
        lambda x, n1, a, n2, f: (h := x + a(n1(x))) + f(n2(h)),
    ),
    "next_token_loss": ((Z, IDS), lambda z, ids: F.cross_entropy(z[:, :-1].flatten(0, 1), ids[:, 1:].flatten())),
    "accumulated_gradient": (([W[0], W[1]], [3, 5]), lambda g, n: (3 * g[0] + 5 * g[1]) / 8),
    "perplexity": (
        ([torch.tensor([1.0, 2, 3]), torch.tensor([0.5])], 9),
        lambda losses, b: (torch.tensor(6.5 / 4).exp(), torch.tensor(6.5 / 9 / np.log(2))),
    ),
    "online_softmax_step": (
        (torch.tensor(-torch.inf), torch.tensor(0.0), torch.zeros(2), V[:, 0], V), block_of_softmax,
    ),
    "lora_linear": (
        (X[0], W[0][:3], W[1][:2], W[2][:3, :2], 3.0),
        lambda x, w, a, b, alpha: F.linear(x, w + alpha / 2 * b @ a),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMULAS)
def test_the_formula_of_an_exercise_gives_its_result(name):
    arguments, expected = CALLS[name]
    found, wanted = as_function(exercise(name), FORMULAS[name])(*arguments), expected(*arguments)
    pairs = zip(found, wanted, strict=True) if isinstance(wanted, tuple | list) else [(found, wanted)]
    for one, other in pairs:
        assert np.shape(one) == np.shape(other)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def exercises():
    modules = [import_module(f"{stages.__name__}.{module.name}") for module in pkgutil.iter_modules(stages.__path__)]
    return {each.name: each for module in modules for each in getattr(module, "EXERCISES", ())}


@pytest.mark.parametrize("name", FORMULAS)
def test_the_formula_is_right_on_the_draws_of_its_exercise(name):
    asked = exercises()[name]
    answer = as_function(asked, FORMULAS[name])
    for seed in range(3):
        arguments = asked.draw(ExerciseDraw.seeded(seed, torch.float32))
        found, wanted = answer(*arguments), asked.expected(*arguments)
        pairs = zip(found, wanted, strict=True) if isinstance(wanted, tuple | list) else [(found, wanted)]
        for one, other in pairs:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_every_exercise_has_a_formula_or_is_a_procedure():
    assert set(exercises()) == {*FORMULAS, *PROCEDURES}


def test_there_is_a_formula_or_a_reason_for_each_exercise():
    assert len(FORMULAS) + len(PROCEDURES) == 24
    assert set(FORMULAS) == set(CALLS)


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_procedure_needs_a_function(name):
    with pytest.raises(ValueError, match="is a procedure, not one formula: give it a function"):
        as_function(exercise(name), "x")


def test_a_wrong_formula_gives_its_own_wrong_result():
    over_rows = as_function(exercise("attention_weights"), r"\frac{\exp(v_i \cdot v_j)}{\sum_{k} \exp(v_k \cdot v_j)}")
    np.testing.assert_allclose(over_rows(V), (V @ V.T).softmax(0), rtol=1e-5)


def test_the_mask_is_boolean_and_other_numbers_stay_what_they_are():
    assert as_function(exercise("causal_mask"), FORMULAS["causal_mask"])(2, 3).dtype == bool
    assert as_function(exercise("causal_mask"), r"m_{ts} = s - t")(2, 3).tolist() == [[0, 1, 2], [-1, 0, 1]]


def test_a_formula_can_be_sent_to_another_process():
    answer = pickle.loads(pickle.dumps(as_function(exercise("softmax"), FORMULAS["softmax"])))
    np.testing.assert_allclose(answer(Z), Z.softmax(-1), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "latex", "says"),
    [
        (
            "softmax",
            r"p_i = \frac{\exp(z_i)}{\sum_{k} \exp(q_k)}",
            "q has no meaning here; the exercise softmax",
        ),
        ("softmax", r"p_i = \frac{\exp(z_i)}{", "ends too early"),
        ("layer_norm", r"g_i \frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}} + b_i", "has no meaning here"),
        ("perplexity", r"P = \exp(\frac{1}{n} \sum_{i} \ell_i)", "has 2 results"),
    ],
)
def test_what_cannot_be_read_is_shown_with_its_place(name, latex, says):
    with pytest.raises(EquationError, match=says) as raised:
        as_function(exercise(name), latex)
    assert str(raised.value).rstrip().endswith("^")


def test_a_formula_that_would_take_long_is_refused():
    endless = as_function(exercise("softmax"), r"p_i = z_i \sum_{k=1}^{99999999} 1")
    with pytest.raises(EquationError, match="at most"):
        endless(Z)
