"""The exercises from the language model to attention: right answers, mistakes, draws and a second oracle."""

import copy
import functools
import itertools
import math
from pathlib import Path

import numpy as np
import pytest
import tiktoken
import torch
from torch.nn import functional as F

from minigpt import equations
from minigpt.learn.exercises import attention, language_model, loss, neuron, optimizer, tokens
from minigpt.learn.exercises.draw import ExerciseDraw, SmallDraw
from minigpt.learn.exercises.exercise import MISTAKE_KINDS
from minigpt.learn.exercises.slips.mistakes import Mistakes
from minigpt.text.tokenizers.bpe import BPETokenizer

ROOT = Path(__file__).parents[3]
STAGES = (language_model, neuron, loss, optimizer, tokens, attention)
EXERCISES = {exercise.name: exercise for stage in STAGES for exercise in stage.EXERCISES}
EVERY = pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES)
RIGHT = [(e, s) for e in EXERCISES.values() for s in e.solutions]
SLIPS = [(e, m) for e in EXERCISES.values() for m in e.misconceptions]
SEVERAL = ("neuron_gradients", "adamw_step", "clip_gradients")  # results, as a tuple or a list
# Seeds of draws: on each block every mistake differs from the right answer and from every other mistake.
BLOCKS = (range(8), range(1_000_003, 1_000_003 + 24), range(2_000_006, 2_000_006 + 24))


def inputs(exercise, seed, draw=ExerciseDraw):
    return exercise.draw(draw.seeded(seed, torch.float32))


def parts(exercise, result):
    """A result as arrays: one, or one for each of several."""
    several = result if exercise.name in SEVERAL else [result]
    return [np.asarray(part.detach() if torch.is_tensor(part) else part) for part in several]


def values(exercise, attempt, given):
    return parts(exercise, attempt(*copy.deepcopy(given)))


@functools.cache
def wanted(name, seed, draw=ExerciseDraw):
    exercise = EXERCISES[name]
    return values(exercise, exercise.expected, inputs(exercise, seed, draw))


def equal(found, wanted):
    """Equal shapes, kinds and numbers, within the tolerance of the exercises; NaN is equal to NaN."""
    return len(found) == len(wanted) and all(
        a.shape == b.shape
        and (a.dtype == bool) == (b.dtype == bool)
        and np.allclose(a.astype(float), b.astype(float), rtol=1e-4, atol=1e-5, equal_nan=True)
        for a, b in zip(found, wanted, strict=True)
    )


def on_block(attempt, exercise, seeds):
    return [values(exercise, attempt, inputs(exercise, seed)) for seed in seeds]


def same(one, other):
    return all(itertools.starmap(equal, zip(one, other, strict=True)))


@pytest.mark.parametrize(("exercise", "solution"), RIGHT, ids=[f"{e.name}-{s.__name__}" for e, s in RIGHT])
def test_every_solution_is_right_and_leaves_its_inputs_as_they_were(exercise, solution):
    for seed, draw in [*((s, ExerciseDraw) for s in range(40)), *((s, SmallDraw) for s in range(20))]:
        given = inputs(exercise, seed, draw)
        before = copy.deepcopy(given)
        assert equal(parts(exercise, solution(*given)), wanted(exercise.name, seed, draw)), (seed, draw)
        assert equal(flat(given), flat(before))


def flat(value):
    """All numbers among the arguments, as arrays."""
    if isinstance(value, tuple | list):
        return [array for each in value for array in flat(each)]
    return [np.asarray(value)]


@EVERY
def test_every_mistake_differs_from_the_right_answer_and_from_every_other_mistake(exercise):
    for block in BLOCKS:
        found = {m.id: on_block(m.slip, exercise, block) for m in exercise.misconceptions}
        found["right"] = [wanted(exercise.name, seed) for seed in block]
        alike = [pair for pair in itertools.combinations(found, 2) if same(found[pair[0]], found[pair[1]])]
        assert alike == [], block


@EVERY
def test_mistakes_raise_nothing_on_small_draws_and_leave_their_inputs_as_they_were(exercise):
    for seed, misconception in itertools.product(range(40), exercise.misconceptions):
        given = inputs(exercise, seed, SmallDraw)
        before = copy.deepcopy(given)
        misconception.slip(*given)
        assert equal(flat(given), flat(before)), misconception.id


@EVERY
def test_an_exercise_is_whole(exercise):
    assert len(exercise.solutions) >= 4
    assert len(exercise.misconceptions) >= 11
    assert exercise.term in exercise.latex
    assert (ROOT / f"{exercise.page}.py").is_file()
    assert all(equations.get(name) for name in exercise.equations)
    assert len(inputs(exercise, 0)) == len(exercise.arguments)
    names = [m.id for m in exercise.misconceptions]
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{exercise.name}.") for name in names)


@pytest.mark.parametrize("misconception", [m for _, m in SLIPS], ids=lambda m: m.id)
def test_the_words_of_a_mistake_are_a_sentence_or_two_in_both_languages(misconception):
    en, zh = misconception.says["en"], misconception.says["zh"]
    assert misconception.kind in MISTAKE_KINDS
    assert 40 < len(en) < 300 and en.endswith(".") and "!" not in en
    assert 15 < len(zh) < 130 and zh.endswith("。") and "！" not in zh
    assert any("\u4e00" <= character <= "\u9fff" for character in zh)


def test_an_unknown_kind_of_mistake_is_an_error():
    with pytest.raises(ValueError, match="kind='typo' of the mistake slip must be one of axis"):
        Mistakes("softmax")("slip", "typo", "", "")


def drawn(name, n=300):
    return [inputs(EXERCISES[name], seed) for seed in range(n)]


@EVERY
def test_inputs_are_contiguous_float32_on_one_to_nine_places(exercise):
    for seed in range(100):
        given = inputs(exercise, seed)
        tensors = [x for each in given for x in (each if isinstance(each, list) else [each]) if torch.is_tensor(x)]
        assert all(x.is_contiguous() and not x.requires_grad for x in tensors)
        assert {x.dtype for x in tensors} <= {torch.float32, torch.int64, torch.bool}
        assert all(type(x) in (int, float) for x in given if not isinstance(x, torch.Tensor | list))
        lengths = {n for x in tensors if x.is_floating_point() for n in x.shape}
        assert lengths <= set(range(1, 10))


def test_texts_and_vocabularies_of_bigrams():
    draws = drawn("bigram_probabilities")
    assert {v for _, v, _ in draws} == {3, 4, 5, 6}
    assert {len(ids) for ids, _, _ in draws} == set(range(2, 41))
    assert all(0.05 <= alpha <= 2 and ids.max() < v for ids, v, alpha in draws)
    assert any(len(ids.unique()) < v for ids, v, _ in draws)


def test_sizes_of_the_neuron():
    draws = drawn("neuron_gradients")
    assert {x.shape[0] for x, *_ in draws} == set(range(1, 7))
    assert {x.shape[1] for x, *_ in draws} == set(range(1, 6))
    assert all(w.shape == x.shape[1:] and b.shape == () and y.shape == x.shape[:1] for x, w, b, y in draws)


def test_rows_of_softmax_are_near_or_far_apart_and_some_overflow():
    draws = [z for (z,) in drawn("softmax")]
    assert {z.shape[-1] for z in draws} == {2, 3, 4, 5, 6}
    assert {z.ndim for z in draws} == {1, 2, 3}
    assert max(z.max() for z in draws) > 900 and min(z.min() for z in draws) < -900
    assert any(z.abs().max() < 20 for z in draws)
    spread = [(z.amax(-1) - z.amin(-1)).max() for z in draws]
    assert min(spread) < 20 and max(spread) > 1900  # any shift but that by the maximum overflows somewhere


@pytest.mark.parametrize(
    "shift", [lambda z: z.amin(-1, keepdim=True), lambda z: z.mean(-1, keepdim=True), lambda z: z[..., :1]]
)
def test_softmax_shifted_by_something_else_than_the_largest_entry_is_wrong(shift):
    def shifted(z):
        e = torch.exp(z - shift(z))
        return e / e.sum(-1, keepdim=True)

    expected = EXERCISES["softmax"].expected
    assert not all(np.allclose(shifted(z), expected(z), rtol=1e-4, atol=1e-5) for (z,) in drawn("softmax")[:12])


def test_distributions_are_one_hot_or_soft_and_smoothing_is_off_in_a_third():
    draws = drawn("cross_entropy")
    assert {len(y) for y, _, _ in draws} == set(range(2, 8))
    assert all(p.min() > 0 and abs(p.sum() - 1) < 1e-6 and abs(y.sum() - 1) < 1e-6 for y, p, _ in draws)
    assert 0.25 < np.mean([smoothing == 0 for *_, smoothing in draws]) < 0.42
    assert all(0 <= smoothing <= 0.5 for *_, smoothing in draws)
    assert 0.3 < np.mean([y.max() == 1 for y, _, _ in draws]) < 0.7


def test_steps_of_adamw():
    draws = drawn("adamw_step")
    assert {d[4] for d in draws} == set(range(1, 11))
    for param, grad, m, v, t, lr, beta1, beta2, eps, decay in draws:
        assert param.shape == grad.shape == m.shape == v.shape and v.min() >= 0
        assert t > 1 or not (m.any() or v.any())
        assert 0.05 <= lr <= 0.5 and 0.5 <= beta1 <= 0.95 and 0.9 <= beta2 <= 0.999
        assert 1e-8 <= eps <= 0.2 and 0 <= decay <= 0.5
    assert {d[9] == 0 for d in draws} == {d[8] == 1e-8 for d in draws} == {True, False}


def test_limits_of_clipping_are_on_both_sides_of_the_norm_and_not_close_to_it():
    draws = drawn("clip_gradients")
    assert {len(g) for g, _ in draws} == {1, 2, 3, 4}
    ratios = [limit / math.sqrt(sum(x.double().square().sum() for x in g)) for g, limit in draws]
    assert min(ratios) >= 0.2 - 1e-9 and max(ratios) <= 3 + 1e-9
    assert all(abs(ratio - 1) > 0.05 for ratio in ratios) and {ratio < 1 for ratio in ratios} == {True, False}
    assert all(
        g[0].any() for g, _ in (inputs(EXERCISES["clip_gradients"], s, SmallDraw) for s in range(99)) if len(g) < 2
    )


def test_steps_of_the_schedule_are_on_all_branches_and_at_the_borders():
    draws = drawn("learning_rate")
    assert all(1 <= w < s and 0 < low < high for _, high, low, w, s in draws)
    kinds = [(t == 0, 0 < t < w, t == w, w < t < s, t == s, t > s) for t, _, _, w, s in draws]
    assert {kind.index(True) for kind in kinds} == set(range(6))


def test_texts_and_merges_of_byte_pair_encoding():
    draws = drawn("bpe_encode")
    assert all(len(ids) <= 40 and len(merges) <= 10 for ids, merges in draws)
    assert {0, 40} <= {len(ids) for ids, _ in draws} and {0, 10} <= {len(merges) for _, merges in draws}
    assert {len(set(ids)) for ids, _ in draws} >= {1, 2, 3, 4}
    assert any(ids[i : i + 3] == [97] * 3 for ids, _ in draws for i in range(len(ids)))
    assert all(max(pair) < 256 + rank for _, merges in draws for rank, pair in enumerate(merges))


def test_lengths_of_the_causal_mask():
    draws = drawn("causal_mask")
    assert all(1 <= t <= s for t, s in draws)
    assert 0.4 < np.mean([t == s for t, s in draws]) < 0.6


def test_sizes_and_masks_of_scaled_attention():
    draws = drawn("scaled_attention")
    assert {q.ndim for q, *_ in draws} == {2, 3, 4}
    assert all(mask.any(1).all() and mask.shape == (q.shape[-2], k.shape[-2]) for q, k, _, mask in draws)
    assert np.mean([q.shape[-1] != v.shape[-1] for q, _, v, _ in draws]) > 0.6
    assert any(mask.all() for *_, mask in draws) and not all(mask.all() for *_, mask in draws)


def test_plain_exponentials_of_attention_cannot_overflow():
    for name in ("attention_weights", "self_attention"):
        draws = [v for (v,) in drawn(name)]
        assert max((v @ v.T).max() for v in draws) < 60
        assert {v.shape[0] for v in draws} == set(range(1, 7)) and {v.shape[1] for v in draws} == set(range(1, 6))


def gradients(x, w, b, y):
    x, w, b, y = (each.double() for each in (x, w, b, y))
    return torch.autograd.functional.jacobian(lambda w, b: F.mse_loss(torch.tanh(torch.mv(x, w) + b), y), (w, b))


def step_of_torch(param, grad, m, v, t, lr, beta1, beta2, eps, weight_decay):
    theta = torch.nn.Parameter(param.double())
    theta.grad = grad.double()
    adamw = torch.optim.AdamW([theta], lr, (beta1, beta2), eps, weight_decay)
    adamw.state[theta] = {"step": torch.tensor(t - 1.0), "exp_avg": m.double(), "exp_avg_sq": v.double()}
    adamw.step()
    return theta, adamw.state[theta]["exp_avg"], adamw.state[theta]["exp_avg_sq"]


def clipped_by_torch(grads, max_norm):
    parameters = [torch.nn.Parameter(torch.zeros_like(g, dtype=torch.float64)) for g in grads]
    for parameter, g in zip(parameters, grads, strict=True):
        parameter.grad = g.double()
    torch.nn.utils.clip_grad_norm_(parameters, max_norm)
    return [parameter.grad for parameter in parameters]


def rate_of_torch(step, max_lr, min_lr, warmup, total):
    sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=max_lr)
    schedulers = torch.optim.lr_scheduler
    rise = schedulers.LambdaLR(sgd, lambda t: t / warmup)
    fall = schedulers.CosineAnnealingLR(sgd, total - warmup, min_lr)
    schedule = schedulers.SequentialLR(sgd, [rise, fall], [warmup])
    for _ in range(min(step, total)):
        sgd.step()
        schedule.step()
    return schedule.get_last_lr()[0]


def encoded_by_tiktoken(ids, merges):
    ranks = BPETokenizer(merges, special_tokens=(), pattern=r"[\s\S]+").ranks
    encoding = tiktoken.Encoding("merges", pat_str=r"[\s\S]+", mergeable_ranks=ranks, special_tokens={})
    return encoding.encode_ordinary(bytes(ids).decode("ascii"))


def bigrams_of_the_counter(ids, vocab_size, alpha):
    counts = np.histogram2d(ids[:-1], ids[1:], bins=[np.arange(vocab_size + 1) - 0.5] * 2)[0]
    return (counts + alpha) / (counts + alpha).sum(1, keepdims=True)


ORACLES = {
    "bigram_probabilities": bigrams_of_the_counter,
    "neuron_gradients": gradients,
    "softmax": lambda z: F.softmax(z.double(), -1),
    "cross_entropy": lambda y, p, s: F.cross_entropy(p.double().log(), y.double(), label_smoothing=s),
    "adamw_step": step_of_torch,
    "clip_gradients": clipped_by_torch,
    "learning_rate": rate_of_torch,
    "bpe_encode": encoded_by_tiktoken,
    "attention_weights": lambda v: torch.softmax(v.double() @ v.double().T, -1),
    "self_attention": lambda v: F.scaled_dot_product_attention(*[v.double()[None]] * 3, scale=1.0)[0],
    "causal_mask": lambda t, s: ~torch.nn.Transformer.generate_square_subsequent_mask(s).bool()[s - t :],
    "scaled_attention": lambda q, k, v, m: F.scaled_dot_product_attention(q.double(), k.double(), v.double(), m),
}


@pytest.mark.filterwarnings("ignore:Detected call of:UserWarning")
@EVERY
def test_what_is_expected_agrees_with_a_second_oracle(exercise):
    for seed, draw in itertools.product(range(40), (ExerciseDraw, SmallDraw)):
        given = inputs(exercise, seed, draw)
        oracle = parts(exercise, ORACLES[exercise.name](*given))
        for a, b in zip(wanted(exercise.name, seed, draw), oracle, strict=True):
            assert (a.dtype == bool) == (b.dtype == bool)
            np.testing.assert_allclose(a, b, rtol=1e-5 if exercise.name == "clip_gradients" else 1e-7, atol=1e-9)


def test_softmax_less_its_largest_entry_is_the_equation_as_it_is_written():
    z = torch.tensor([[0.5, -1.0, 2.0], [3.0, 3.5, -2.0]])
    literal = [equations.get("softmax").evaluate(z=row) for row in z]
    np.testing.assert_allclose(EXERCISES["softmax"].expected(z), literal, rtol=1e-12)
