"""Every number that a caller of generation gives: what is outside its range is one ValueError that names it."""

import math

import numpy as np
import pytest
import torch
from decoding_models import Table, small_gpt

import minigpt as mg
from minigpt.generation import Decoder, generate_ids, sampling
from minigpt.generation import logits as logits_room
from minigpt.generation.beams import beam_score
from minigpt.generation.ranges import MOST_TEXTS

NO_NUMBERS = ["1", "x", None, (1,), 1j, True, False, math.nan, math.inf, -math.inf, 10**400, 1e30, -1e30, 1e308]
NO_COUNTS = [*NO_NUMBERS, 1.5, -1, 2**63]
HALVES = torch.full((1, 4), 0.25)
LOGITS = torch.tensor([[1.0, -2.0, 0.5, -1.0]])
PROMPT = torch.tensor([[1, 2]])


def searched(**change):
    given = {"n_beams": 2, "max_new_tokens": 3, "stop_tokens": [2], **change}
    return mg.beam_search(Decoder(Table(4, seed=1)), PROMPT, **given)


def drawn(n, max_new_tokens=3):
    return mg.best_of(Table(4), PROMPT, n, max_new_tokens=max_new_tokens, generator=torch.Generator())


NUMBERS = {
    "temperature": lambda value: sampling.temperature_probabilities(LOGITS, value),
    "top_p": lambda value: sampling.top_p_filter(HALVES, value),
    "min_p": lambda value: sampling.min_p_filter(HALVES, value),
    "repetition_penalty": lambda value: logits_room.repetition_penalty(LOGITS, LOGITS > 0, value),
    "length_penalty": lambda value: searched(length_penalty=value),
    "length_penalty ": lambda value: beam_score(LOGITS, value),
    "logit_bias": lambda value: mg.Sampler(logit_bias={1: value}).check(4),
}
COUNTS = {
    "top_k": lambda value: sampling.top_k_filter(HALVES, value),
    "n_beams": lambda value: searched(n_beams=value),
    "max_new_tokens": lambda value: searched(max_new_tokens=value),
    "n=": drawn,
    "max_new_tokens ": lambda value: drawn(2, value),
    "n_prompt": lambda value: mg.token_log_probabilities(Table(4), PROMPT, value),
    "a stop token": lambda value: searched(stop_tokens=[value]),
    "a stop token ": lambda value: generate_ids(
        Table(4), PROMPT, max_new_tokens=2, generator=torch.Generator(), stop_tokens=[value]
    ),
    "longest": lambda value: mg.PromptLookup(value, 1),
    "shortest": lambda value: mg.PromptLookup(3, value),
    "n_positions": lambda value: Decoder(small_gpt(vocab_size=4), value),
    "logit_bias ": lambda value: mg.Sampler(logit_bias={value: 1.0}).check(4),
}
LARGE_IS_HARMLESS = {("temperature", 1e30), ("temperature", 1e308), ("repetition_penalty", 1e30)}
LARGE_IS_HARMLESS |= {("logit_bias", value) for value in (1e30, -1e30, -math.inf)}
NONE_IS_ALL = {("n_positions", None)}
LARGE_COUNTS = {("n_positions", 2**63), ("n_positions", 10**400)}  # at most the model's context is meant


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", NO_NUMBERS, ids=lambda value: repr(value)[:12])
def test_what_is_no_number_of_the_range_is_refused_by_the_name(name, value):
    if (name, value) in LARGE_IS_HARMLESS:
        NUMBERS[name](value)
        return
    with pytest.raises(ValueError, match=name.strip()) as caught:
        NUMBERS[name](value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("value", NO_COUNTS, ids=lambda value: repr(value)[:12])
def test_what_is_no_count_is_refused_by_the_name(name, value):
    if (name, value) in NONE_IS_ALL | LARGE_COUNTS:
        COUNTS[name](value)
        return
    with pytest.raises(ValueError, match=name.strip()) as caught:
        COUNTS[name](value)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("kind", [np.float64, np.float32, torch.tensor])
@pytest.mark.parametrize("name", [name for name in NUMBERS if name != "logit_bias"])
def test_numbers_of_numpy_and_of_a_tensor_are_numbers(name, kind):
    NUMBERS[name](kind(0.5))


def test_numbers_of_numpy_are_biases():
    for bias in (np.float32(1.5), np.float64(-math.inf), np.int64(2)):
        mg.Sampler(logit_bias={1: bias}).check(4)


@pytest.mark.parametrize("penalty", [1e-30, 1e30])
def test_the_largest_penalties_leave_finite_logits(penalty):
    found = logits_room.repetition_penalty(1e4 * LOGITS, torch.ones_like(LOGITS, dtype=torch.bool), penalty)
    assert found.isfinite().all()
    assert mg.Sampler(repetition_penalty=penalty).probabilities(LOGITS, PROMPT).sum() == 1


@pytest.mark.parametrize("penalty", [-10.0, -1.0, 10.0])
def test_a_score_is_that_of_the_formula_in_float64_also_where_float32_has_no_such_divisor(penalty):
    found = mg.beam_search(
        Decoder(Table(3, seed=2)), torch.tensor([[0]]), n_beams=2, max_new_tokens=60, length_penalty=penalty
    )
    for each in found:
        n = len(each.log_probabilities)
        expected = float(each.log_probabilities.double().sum()) / ((5 + n) / 6) ** penalty
        assert each.score == pytest.approx(expected, rel=1e-12)


def test_more_beams_than_texts_are_all_texts():
    assert len(searched(n_beams=MOST_TEXTS, max_new_tokens=1)) == 4
