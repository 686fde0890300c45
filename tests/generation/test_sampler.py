import ast
import dataclasses
import inspect
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import minigpt as mg
from minigpt.generation import GREEDY, Sampler, generate, stream, temperature_probabilities, top_k_filter, top_p_filter

KNOBS = ("temperature", "top_k", "top_p", "min_p", "repetition_penalty", "logit_bias", "match")


def random_logits(*shape, seed=0, dtype=torch.float64):
    return 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_chain_agrees_with_transformers():
    from transformers.generation import logits_process as theirs

    logits, ids = random_logits(50, 200, dtype=torch.float32), torch.randint(200, (50, 7), generator=generator())
    chain = [
        theirs.RepetitionPenaltyLogitsProcessor(1.7),
        theirs.SequenceBiasLogitsProcessor([[[3], 2.5], [[8], -4.0], [[9], -math.inf]]),
        theirs.TemperatureLogitsWarper(0.7),
        theirs.TopKLogitsWarper(40),
        theirs.TopPLogitsWarper(0.8),
        theirs.MinPLogitsWarper(0.05),
    ]
    expected = logits
    for rule in chain:
        expected = rule(ids, expected)
    bias = {3: 2.5, 8: -4.0, 9: -math.inf}
    sampler = Sampler(temperature=0.7, top_k=40, top_p=0.8, min_p=0.05, repetition_penalty=1.7, logit_bias=bias)
    torch.testing.assert_close(sampler.probabilities(logits, ids), expected.softmax(-1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("knobs", [{"top_k": 1}, {"top_p": 1e-6}, {"temperature": 0}, {"temperature": 1e-4}])
def test_each_knob_at_its_end_is_greedy(knobs):
    logits = random_logits(40, 9)
    torch.testing.assert_close(Sampler(**knobs)(logits, generator()), logits.argmax(-1))


@pytest.mark.parametrize(
    "knobs",
    [
        {"top_k": 3},
        {"top_p": 0.6},
        {"temperature": 0.5},
        {"temperature": 2.0},
        {"min_p": 0.3},
        {"repetition_penalty": 1.4},
        {"logit_bias": {4: 9.0}},
    ],
)
def test_each_knob_acts_on_the_distribution(knobs):
    logits = random_logits(1, 9)
    changed = Sampler(**knobs).probabilities(logits, torch.arange(5)[None])
    assert float((changed - logits.softmax(-1)).abs().max()) > 0.01


def test_top_p_is_taken_of_what_top_k_left():
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    kept = Sampler(top_k=2, top_p=0.5).probabilities(logits)  # 0.4 of the kept 0.7 is more than half of it
    assert kept.nonzero().flatten().tolist() == [0]


def test_drawn_frequencies_match_the_probabilities():
    logits, draws = random_logits(6) / 3, 20_000
    ids = torch.tensor([[2, 5, 2]])
    sampler = Sampler(temperature=1.3, top_k=5, min_p=0.01, repetition_penalty=1.2, logit_bias={1: -0.5})
    drawn = sampler(logits.expand(draws, -1), generator(3), ids.expand(draws, -1))
    expected = draws * sampler.probabilities(logits[None], ids)[0]
    observed = torch.bincount(drawn, minlength=6).double()
    possible = expected > 0
    chi_square = ((observed - expected)[possible] ** 2 / expected[possible]).sum()
    assert float(chi_square) < 13.28  # the 99 % point at 4 degrees of freedom
    assert int(observed[~possible].sum()) == 0


def test_the_same_seed_draws_the_same_tokens_and_another_seed_others():
    logits = random_logits(200, 9)
    first, again, other = (Sampler()(logits, generator(seed)) for seed in (5, 5, 6))
    torch.testing.assert_close(first, again)
    assert not first.equal(other)


def test_drawing_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    Sampler()(random_logits(3, 9), generator())
    assert before.equal(torch.get_rng_state())


def test_non_contiguous_logits_are_read_as_they_lie():
    logits = random_logits(9, 4).T
    torch.testing.assert_close(
        Sampler(top_k=4, top_p=0.9).probabilities(logits),
        Sampler(top_k=4, top_p=0.9).probabilities(logits.contiguous()),
    )


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_non_finite_logit_is_named(bad):
    logits = torch.zeros(2, 5)
    logits[1, 3] = bad
    with pytest.raises(ValueError, match="non-finite logits: 1 of 10 values"):
        Sampler()(logits, generator())


def test_the_rules_are_applied_in_the_order_written():
    logits = random_logits(4, 9)
    expected = top_p_filter(top_k_filter(temperature_probabilities(logits, 1.3), 5), 0.8)
    assert Sampler(temperature=1.3, top_k=5, top_p=0.8).probabilities(logits).equal(expected)


def test_without_settings_the_distribution_is_the_models_own():
    logits = random_logits(4, 9)
    assert list(Sampler().rules()) == []
    torch.testing.assert_close(Sampler().probabilities(logits), logits.softmax(-1))


def test_greedy_takes_the_lowest_id_among_equal_maxima():
    assert GREEDY(torch.tensor([[1.0, 2.0, 2.0]]), generator()).tolist() == [1]


def test_a_draw_is_one_int64_token_for_each_row():
    drawn = Sampler()(random_logits(5, 9), generator())
    assert drawn.shape == (5,)
    assert drawn.dtype == torch.int64


# Drawn before there was a sampler, by functions that took the keywords one by one.
DRAWN = [
    ({}, [3, 3, 3, 2, 3, 1, 9, 1, 6, 7, 3, 9, 10, 5, 1, 5]),
    ({"temperature": 0}, [3] * 16),
    ({"temperature": 0.7}, [3, 3, 3, 3, 3, 1, 9, 1, 6, 7, 3, 9, 10, 3, 3, 9]),
    ({"top_k": 3}, [3, 3, 3, 3, 3, 9, 9, 9, 6, 9, 3, 9, 9, 3, 3, 9]),
    ({"top_p": 0.6}, [3, 3, 3, 3, 3, 1, 9, 1, 6, 9, 3, 9, 1, 3, 1, 9]),
    ({"temperature": 1.5, "top_k": 4, "top_p": 0.8}, [3, 3, 3, 3, 3, 9, 9, 9, 6, 9, 3, 9, 9, 3, 3, 9]),
]


@pytest.mark.parametrize(("knobs", "expected"), DRAWN)
def test_a_seed_draws_the_tokens_that_it_has_always_drawn(knobs, expected):
    logits = (torch.arange(11) * 7 % 11 / 4).expand(16, -1)
    assert Sampler(**knobs)(logits, generator(5)).tolist() == expected


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"top_k": 1.5}, "top_k must be int or None, got 1.5"),
        ({"top_k": True}, "top_k must be int or None, got True"),
        ({"top_k": "3"}, "top_k must be int or None, got '3'"),
        ({"temperature": "x"}, "temperature must be float, got 'x'"),
        ({"temperature": None}, "temperature must be float, got None"),
        ({"temperature": 10**400}, "temperature must be float, got a number of about 401 digits"),
        ({"temperature": [1]}, r"temperature must be float, got \[1\]"),
        ({"top_p": "0.5"}, "top_p must be float or None, got '0.5'"),
        ({"top_p": torch.tensor(0.5)}, r"top_p must be float or None, got tensor\(0.5"),
    ],
)
def test_a_setting_of_another_type_is_refused(wrong, message):
    with pytest.raises(ValueError, match=f"^{message}"):
        Sampler(**wrong)


def test_numbers_of_numpy_are_numbers():
    assert Sampler(temperature=np.float32(0.5), top_k=np.int64(3)) == Sampler(temperature=0.5, top_k=3)


@pytest.mark.parametrize("temperature", [-1.0, math.nan, math.inf])
def test_a_temperature_below_zero_or_not_finite_is_refused(temperature):
    with pytest.raises(ValueError, match=f"temperature={temperature} must be finite and at least 0; 0 is greedy"):
        Sampler(temperature=temperature)


@pytest.mark.parametrize("top_k", [0, -3])
def test_a_top_k_below_one_is_refused(top_k):
    with pytest.raises(ValueError, match=f"top_k={top_k} must be at least 1; use top_k=None"):
        Sampler(top_k=top_k)


@pytest.mark.parametrize("top_p", [0.0, -0.5, 1.5, math.nan])
def test_a_top_p_outside_zero_to_one_is_refused(top_p):
    with pytest.raises(ValueError, match=f"top_p={top_p} must be above 0 and at most 1; use top_p=None"):
        Sampler(top_p=top_p)


@pytest.mark.parametrize("use", [lambda s: s.check(5), lambda s: s.probabilities(torch.zeros(2, 5))])
def test_a_top_k_above_the_vocabulary_names_both(use):
    Sampler(top_k=5).check(5)
    with pytest.raises(ValueError, match="top_k=6 is more than the vocabulary of 5 tokens; use top_k=5"):
        use(Sampler(top_k=6))


def test_a_sampler_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        GREEDY.temperature = 1
    assert hash(Sampler(temperature=0)) == hash(GREEDY)


@pytest.mark.parametrize("function", [generate, stream])
def test_the_keywords_are_the_fields_with_their_types_and_defaults(function):
    keywords = inspect.signature(function).parameters
    for field in dataclasses.fields(Sampler):
        assert (keywords[field.name].annotation, keywords[field.name].default) == (field.type, field.default)


def declared(root, names):
    """Who in the files below ``root`` has a parameter or a field of one of these names, and how often."""
    for file in sorted(root.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                own = [arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            elif isinstance(node, ast.ClassDef):
                own = [field.target.id for field in node.body if isinstance(field, ast.AnnAssign)]
            else:
                continue
            yield from ((f"{file.relative_to(root).as_posix()}: {node.name}", name) for name in own if name in names)


def test_the_settings_are_declared_by_the_sampler_its_rules_and_the_two_functions_that_spell_them():
    everything = {("generation/text.py: generate", name) for name in KNOBS}
    everything |= {("generation/text.py: stream", name) for name in KNOBS}
    everything |= {("generation/sampler.py: Sampler", name) for name in KNOBS}
    everything |= {
        ("generation/sampling.py: temperature_probabilities", "temperature"),
        ("generation/sampling.py: top_k_filter", "top_k"),
        ("generation/sampling.py: top_p_filter", "top_p"),
        ("generation/sampling.py: min_p_filter", "min_p"),
    }
    assert [field.name for field in dataclasses.fields(Sampler)] == list(KNOBS)
    # an exercise has them as the learner's own parameters, a formula's match is a match of re
    found = [(place, name) for place, name in declared(Path(mg.__file__).parent, KNOBS) if "learn/" not in place]
    assert sorted(found) == sorted(everything)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_sixteen_bits_lose_no_small_penalty_or_bias(dtype):
    logits, ids = torch.tensor([[10.0, 10.0]], dtype=dtype), torch.tensor([[0]])
    for sampler in (Sampler(repetition_penalty=1.003), Sampler(logit_bias={0: -0.01})):
        expected = sampler.probabilities(logits.double(), ids).float()
        torch.testing.assert_close(sampler.probabilities(logits, ids), expected)
        assert expected[0, 0] < expected[0, 1]


def test_every_setting_at_its_extreme_leaves_the_largest_logit():
    logits = torch.tensor([[1e38, -1e38, 3e38, -math.inf, 0.0]])
    sampler = Sampler(temperature=1e-30, top_k=5, top_p=1e-45, min_p=1.0, repetition_penalty=1.5)
    assert sampler.probabilities(logits, torch.tensor([[0, 1]])).tolist() == [[0, 0, 1, 0, 0]]


def test_a_ragged_row_is_penalised_for_its_own_tokens_alone():
    model = mg.GPT(mg.GPTConfig(vocab_size=11, context_length=12, d_model=8, n_layers=1, n_heads=2))
    sampler = Sampler(temperature=0, repetition_penalty=1.7, logit_bias={3: 0.5})
    rows = [torch.tensor(row) for row in ([1], [2, 3, 4, 5], [6, 7], [0, 0, 0, 0, 0, 0])]
    settings = {"max_new_tokens": 15, "generator": generator(), "sampler": sampler}
    together = mg.generation.generate_ids(model, rows, **settings)
    alone = [mg.generation.generate_ids(model, row[None], **settings)[0] for row in rows]
    assert [row.tolist() for row in together] == [row.tolist() for row in alone]


def test_greedy_tokens_take_nothing_from_the_generator_and_are_the_most_probable():
    logits, generator = torch.randn(5, 9), torch.Generator().manual_seed(0)
    before = generator.get_state()
    for settings in ({}, {"top_k": 3, "top_p": 0.5, "min_p": 0.2}, {"logit_bias": {4: 9.0}, "repetition_penalty": 2.0}):
        sampler, ids = Sampler(temperature=0, **settings), torch.randint(0, 9, (5, 3))
        assert torch.equal(sampler(logits, generator, ids), sampler.probabilities(logits, ids).argmax(-1))
    assert torch.equal(generator.get_state(), before)
    with pytest.raises(ValueError, match="top_k"):
        Sampler(temperature=0, top_k=10)(logits, generator)
    with pytest.raises(ValueError, match="non-finite logits"):
        Sampler(temperature=0)(logits * float("nan"), generator)
