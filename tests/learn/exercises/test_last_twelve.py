"""Exercises 13 to 24: right answers pass, mistakes differ, draws keep to their ranges, a second oracle agrees."""

import copy
import functools
import itertools
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minigpt import equations
from minigpt.learn.exercises import block, generation, heads, positions, scale, training
from minigpt.learn.exercises.draw import ExerciseDraw, SmallDraw
from minigpt.learn.exercises.exercise import MISTAKE_KINDS
from minigpt.model import GPTConfig
from minigpt.model.block import PreNormBlock

ROOT = Path(__file__).parents[3]
STAGES = (heads, positions, block, training, generation, scale)
EXERCISES = {exercise.name: exercise for stage in STAGES for exercise in stage.EXERCISES}
EVERY = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
MISCONCEPTIONS = [(exercise, each) for exercise in EXERCISES.values() for each in exercise.misconceptions]


def inputs(exercise, seed, draw=ExerciseDraw):
    return exercise.draw(draw.seeded(seed, torch.float32))


@functools.cache
def wanted_on(name, seed):
    """What is expected on one draw."""
    return values(EXERCISES[name], EXERCISES[name].expected, inputs(EXERCISES[name], seed))


def values(exercise, attempt, given):
    """What an attempt returns on copies of the inputs, a float64 array for each of its results."""
    result = attempt(*copy.deepcopy(given))
    parts = result if exercise.result.startswith("(") and "), " in exercise.result[:-1] else (result,)
    return [np.asarray(part.detach() if torch.is_tensor(part) else part, dtype=np.float64) for part in parts]


def equal(found, wanted):
    """Equal within the tolerance of the exercises; NaN is equal to NaN."""
    return len(found) == len(wanted) and all(
        a.shape == b.shape and np.allclose(a, b, rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(found, wanted, strict=True)
    )


@pytest.fixture(scope="module")
def results():
    """What is expected, and what each mistake gives, on 8 draws; computed once for each exercise."""
    known = {}

    def of(exercise):
        if exercise.name not in known:
            drawn = [inputs(exercise, seed) for seed in range(8)]
            right = [wanted_on(exercise.name, seed) for seed in range(8)]
            wrong = {
                each.id: [values(exercise, each.slip, given) for given in drawn] for each in exercise.misconceptions
            }
            known[exercise.name] = right, wrong
        return known[exercise.name]

    return of


def test_the_names_are_those_of_the_last_twelve_exercises_in_order():
    assert list(EXERCISES) == [
        *("multi_head_attention", "sinusoidal_positions", "rotary_positions", "layer_norm", "pre_norm_block"),
        *("next_token_loss", "accumulated_gradient", "perplexity", "sampling_probabilities", "kv_cache_step"),
        *("online_softmax_step", "lora_linear"),
    ]


@EVERY
def test_every_solution_gives_what_the_equation_gives(exercise):
    for seed in range(40):
        given, wanted = inputs(exercise, seed), wanted_on(exercise.name, seed)
        for solution in exercise.solutions:
            assert equal(values(exercise, solution, given), wanted), f"{solution.__name__} on draw {seed}"


@EVERY
def test_there_are_enough_solutions_and_misconceptions(exercise):
    assert len(exercise.solutions) >= 4
    assert len(exercise.misconceptions) >= 8


@EVERY
def test_every_mistake_differs_from_the_right_answer(exercise, results):
    right, wrong = results(exercise)
    assert [name for name, found in wrong.items() if all(map(equal, found, right))] == []


@EVERY
def test_every_two_mistakes_differ_from_each_other(exercise, results):
    _, wrong = results(exercise)
    pairs = itertools.combinations(wrong, 2)
    assert [(a, b) for a, b in pairs if all(map(equal, wrong[a], wrong[b]))] == []


@EVERY
def test_mistakes_and_solutions_take_small_whole_numbers(exercise):
    for seed in range(20):
        given = inputs(exercise, seed, SmallDraw)
        wanted = values(exercise, exercise.expected, given)
        assert all(np.isfinite(part).all() for part in wanted)
        for solution in exercise.solutions:
            assert equal(values(exercise, solution, given), wanted), f"{solution.__name__} on draw {seed}"
        for each in exercise.misconceptions:
            values(exercise, each.slip, given)


@EVERY
def test_inputs_are_drawn_again_from_the_same_seed_and_not_changed(exercise):
    given, again = inputs(exercise, 3), inputs(exercise, 3)
    for attempt in (exercise.expected, *exercise.solutions, *(each.slip for each in exercise.misconceptions)):
        attempt(*given)
    assert all(map(same, given, again))


def same(a, b):
    if torch.is_tensor(a):
        return torch.equal(a, b)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


@EVERY
def test_the_exercise_describes_its_arguments_formula_and_page(exercise):
    assert len(exercise.arguments) == len(inputs(exercise, 0))
    assert exercise.term in exercise.latex
    assert all(equations.get(name) for name in exercise.equations)
    assert any((ROOT / exercise.page).with_suffix(suffix).exists() for suffix in (".py", ".md"))


@pytest.mark.parametrize(("exercise", "each"), MISCONCEPTIONS, ids=[each.id for _, each in MISCONCEPTIONS])
def test_a_misconception_has_a_kind_and_says_what_it_is_in_both_languages(exercise, each):
    assert each.id.startswith(f"{exercise.name}.")
    assert each.kind in MISTAKE_KINDS
    assert each.says.en.endswith(".") and each.says.zh.endswith("。")
    assert not set("!！`") & {*each.says.en, *each.says.zh}
    assert any("\u4e00" <= sign <= "\u9fff" for sign in each.says.zh)


def test_no_two_misconceptions_have_one_id_or_one_sentence():
    for texts in zip(*((each.id, each.says.en, each.says.zh) for _, each in MISCONCEPTIONS), strict=True):
        assert len(set(texts)) == len(MISCONCEPTIONS)


# ---- the ranges of the draws


def within(tensor, *shape):
    """Whether a tensor is contiguous float32 of a shape, whose lengths are numbers or ranges."""
    assert tensor.dtype == torch.float32 and tensor.is_contiguous() and not tensor.requires_grad
    assert tensor.dim() == len(shape)
    for length, wanted in zip(tensor.shape, shape, strict=True):
        assert length in wanted if isinstance(wanted, range) else length == wanted
    return True


def multi_head_range(x, w_q, w_k, w_v, w_o, n_heads):
    d = x.shape[-1]
    assert within(x, range(1, 4), range(1, 6), d)
    assert all(within(w, d, d) for w in (w_q, w_k, w_v, w_o))
    return n_heads in range(2, 5) and d % n_heads == 0 and d // n_heads in range(1, 5)


def layer_norm_range(x, gain, bias, eps):
    assert within(x, *[range(1, 4)] * (x.dim() - 1), range(3, 7)) and x.dim() in (1, 2, 3)
    return within(gain, x.shape[-1]) and within(bias, x.shape[-1]) and 1e-5 <= eps <= 0.3


def block_range(x, *functions):
    assert within(x, range(1, 6), range(2, 7))
    assert len({function.form for function in functions}) == 4
    assert all(repr(pickle.loads(pickle.dumps(function))) == repr(function) for function in functions)
    return all(within(function(x), *x.shape) for function in functions)


def loss_range(logits, ids):
    assert within(logits, range(1, 5), range(2, 7), range(2, 8))
    return ids.dtype == torch.int64 and ids.shape == logits.shape[:2] and 0 <= ids.min() <= ids.max() < logits.shape[2]


def gradient_range(gradients, counts):
    assert len(gradients) == len(counts) and len(counts) in range(1, 6)
    assert all(type(n) is int and n > 0 for n in counts)
    assert len(set(counts)) > 1 or len(counts) == 1
    return all(within(gradient, *gradients[0].shape) for gradient in gradients)


def corpus_range(losses, n_bytes):
    lengths = [len(text) for text in losses]
    assert len(lengths) in range(1, 4) and len(set(lengths)) == len(lengths)
    assert all(within(text, range(1, 10)) and (text >= 0).all() for text in losses)
    return type(n_bytes) is int and n_bytes > sum(lengths)


def sampling_range(logits, temperature, top_k, top_p):
    assert within(logits, range(4, 11))
    assert 0.5 <= temperature <= 2.5 and 1 <= top_k <= len(logits) and 0.5 <= top_p <= 1
    p = torch.softmax(logits.double() / temperature, 0).sort(descending=True).values
    masses = torch.cat([p.cumsum(0), p[:top_k].cumsum(0) / p[:top_k].sum()])
    return len(set(logits.tolist())) == len(logits) and (masses - top_p).abs().min() > 1e-3


def cache_range(x, w_q, w_k, w_v, k_cache, v_cache):
    assert within(x, range(2, 6)) and all(within(w, len(x), range(2, 6)) for w in (w_q, w_k, w_v))
    return all(within(past, range(7), w_q.shape[1]) for past in (k_cache, v_cache)) and len(k_cache) == len(v_cache)


def state_range(m, l, o, z, v):
    assert within(m) and within(l) and within(o, range(1, 5)) and within(z, range(1, 6)) and within(v, len(z), len(o))
    if m == -math.inf:
        return l == 0 and not o.any()
    return l >= 1 and m.isfinite()


def lora_range(x, weight, a, b, alpha):
    assert within(x, range(1, 9), range(2, 7)) and within(weight, range(2, 7), x.shape[1])
    return within(a, range(1, 4), x.shape[1]) and within(b, len(weight), len(a)) and alpha != len(a) and alpha > 0


RANGES = {
    "multi_head_attention": multi_head_range,
    "sinusoidal_positions": lambda t, d, b: t in range(1, 10) and d in range(2, 11, 2) and 50 <= b <= 10000,
    "rotary_positions": lambda x, b: (
        within(x, *[range(1, 4)] * (x.dim() - 2), range(1, 7), range(2, 9, 2)) and x.dim() < 5 and 20 <= b <= 10000
    ),
    "layer_norm": layer_norm_range,
    "pre_norm_block": block_range,
    "next_token_loss": loss_range,
    "accumulated_gradient": gradient_range,
    "perplexity": corpus_range,
    "sampling_probabilities": sampling_range,
    "kv_cache_step": cache_range,
    "online_softmax_step": state_range,
    "lora_linear": lora_range,
}


@EVERY
@pytest.mark.parametrize("draw", [ExerciseDraw, SmallDraw])
def test_draws_stay_within_their_ranges(exercise, draw):
    assert all(RANGES[exercise.name](*inputs(exercise, seed, draw)) for seed in range(100))


def drawn(name, n=60):
    return [inputs(EXERCISES[name], seed) for seed in range(n)]


def test_both_sides_of_every_branch_are_drawn():
    states = drawn("online_softmax_step", 12)
    assert {-1, 0, 1} == {0 if m == -math.inf else int((m - z.max()).sign()) for m, _, _, z, _ in states}
    assert {0, 1, 2} <= {x.dim() - 2 for x, _ in drawn("rotary_positions")}
    assert {len(k) for *_, k, _ in drawn("kv_cache_step")} == set(range(7))
    assert {1, 2, 3} == {len(losses) for losses, _ in drawn("perplexity")}
    assert any(w.shape[0] == w.shape[1] for _, w, *_ in drawn("lora_linear"))


def test_most_sizes_are_unequal_and_most_switches_not_neutral():
    assert sum(w.shape[0] != w.shape[1] for _, w, *_ in drawn("kv_cache_step")) > 30
    assert sum(w.shape[0] != w.shape[1] for _, w, *_ in drawn("lora_linear")) > 30
    assert sum(tau != 1 and k < len(z) for z, tau, k, _ in drawn("sampling_probabilities")) > 40


# ---- a second oracle for each


def torch_heads(x, w_q, w_k, w_v, w_o, n_heads):
    module = nn.MultiheadAttention(x.shape[-1], n_heads, bias=False, batch_first=True, dtype=torch.float64)
    with torch.no_grad():
        module.in_proj_weight.copy_(torch.cat([w.T for w in (w_q, w_k, w_v)]))
        module.out_proj.weight.copy_(w_o.T)
        return module(x.double(), x.double(), x.double(), need_weights=False)[0]


def complex_table(length, width, base):
    turns = np.exp(1j * np.outer(np.arange(length), base ** -(np.arange(width // 2) / (width / 2))))
    return np.stack([turns.imag, turns.real], -1).reshape(length, width)


def complex_rotation(x, base):
    turns = np.exp(1j * np.outer(np.arange(x.shape[-2]), base ** -(np.arange(x.shape[-1] // 2) / (x.shape[-1] / 2))))
    pairs = (x.numpy()[..., ::2] + 1j * x.numpy()[..., 1::2]) * turns
    return np.stack([pairs.real, pairs.imag], -1).reshape(x.shape)


class Layer(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x, context=None):
        return self.function(x)


def library_block(x, norm_1, attention, norm_2, mlp):
    model = PreNormBlock(GPTConfig(vocab_size=5, context_length=5, d_model=4, n_heads=1, n_layers=1))
    model.norm_1, model.attention, model.norm_2, model.mlp = map(Layer, (norm_1, attention, norm_2, mlp))
    return model.eval()(x.double()[None])[0]


def one_large_batch(gradients, counts):
    theta = torch.zeros(gradients[0].shape, dtype=torch.float64, requires_grad=True)
    tokens = [(g.double() * theta).sum() for g, n in zip(gradients, counts, strict=True) for _ in range(n)]
    return torch.autograd.grad(torch.stack(tokens).mean(), theta)[0]


def corpus_figures(losses, n_bytes):
    p = torch.cat(losses).double().neg().exp()
    return 1 / p.prod() ** (1 / len(p)), -p.log2().sum() / n_bytes


def transformers_warpers(logits, temperature, top_k, top_p):
    warpers = pytest.importorskip("transformers").generation.logits_process
    scores = logits.double()[None] / temperature
    for warper in (warpers.TopKLogitsWarper(top_k), warpers.TopPLogitsWarper(top_p)):
        scores = warper(None, scores)
    return torch.softmax(scores[0], 0)


def last_row(x, w_q, w_k, w_v, k_cache, v_cache):
    keys, values = torch.cat([k_cache, (x @ w_k)[None]]), torch.cat([v_cache, (x @ w_v)[None]])
    queries = torch.cat([torch.zeros_like(k_cache), (x @ w_q)[None]])
    return F.scaled_dot_product_attention(queries, keys, values, is_causal=True)[-1], keys, values


def all_at_once(m, l, o, z, v):
    m, l, o, z, v = (each.double() for each in (m, l, o, z, v))
    largest = torch.cat([m[None], z]).max()
    total = torch.logaddexp(m + l.log(), z.logsumexp(0))
    return largest, torch.exp(total - largest), (m.exp() * o + z.exp() @ v) / largest.exp()


SECOND = {
    "multi_head_attention": torch_heads,
    "sinusoidal_positions": complex_table,
    "rotary_positions": complex_rotation,
    "layer_norm": lambda x, g, b, eps: F.layer_norm(x.double(), g.shape, g.double(), b.double(), eps),
    "pre_norm_block": library_block,
    "next_token_loss": lambda z, x: F.cross_entropy(z[:, :-1].double().flatten(0, 1), x[:, 1:].flatten()),
    "accumulated_gradient": one_large_batch,
    "perplexity": corpus_figures,
    "sampling_probabilities": transformers_warpers,
    "kv_cache_step": last_row,
    "online_softmax_step": all_at_once,
    "lora_linear": lambda x, w, a, b, alpha: F.linear(x.double(), w + alpha * torch.matmul(b, a).double() / len(a)),
}


@EVERY
def test_a_second_oracle_gives_what_the_equation_gives(exercise):
    for seed in range(40):
        given = inputs(exercise, seed)
        found = values(exercise, SECOND[exercise.name], given)
        assert equal(found, wanted_on(exercise.name, seed)), f"draw {seed}"
