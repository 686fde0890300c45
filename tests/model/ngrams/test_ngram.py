import math

import numpy as np
import pytest
import torch

from minigpt.model import Additive, KneserNey, NGram, NGramCounts

IDS = np.random.default_rng(1).integers(0, 7, 400)
OTHER = np.random.default_rng(2).integers(0, 8, 60)
SMOOTHINGS = [KneserNey(), Additive(0.5)]


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_the_log_probability_of_a_text_is_that_of_each_token_after_those_before_it(smoothing, order):
    model = NGram.train(IDS, order, 8, smoothing)
    expected = [math.log(model.probabilities(OTHER[:t])[OTHER[t]]) for t in range(1, len(OTHER))]
    np.testing.assert_allclose(model.log_prob(OTHER), expected, rtol=1e-12)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_only_the_last_n_minus_1_tokens_matter(smoothing):
    model = NGram.train(IDS, 3, 8, smoothing)
    np.testing.assert_array_equal(model.probabilities([7, 7, 7, 1, 2]), model.probabilities([1, 2]))
    assert not np.array_equal(model.probabilities([1, 2]), model.probabilities([2, 2]))


def test_with_no_token_before_it_a_token_is_predicted_from_its_frequency():
    frequencies = (np.bincount(IDS, minlength=8) + 0.5) / (len(IDS) + 0.5 * 8)
    np.testing.assert_allclose(NGram.train(IDS, 4, 8, Additive(0.5)).probabilities(), frequencies, rtol=1e-12)


def test_kneser_ney_is_the_smoothing_unless_another_is_asked_for():
    p = NGram.train(IDS, 3, 8, KneserNey()).probabilities([1, 2])
    np.testing.assert_array_equal(NGram.train(IDS, 3, 8).probabilities([1, 2]), p)


def test_perplexity_is_the_vocabulary_for_a_uniform_guess_and_near_1_for_a_text_known_by_heart():
    assert NGram.train(IDS, 2, 8, Additive(1e15)).perplexity(OTHER) == pytest.approx(8)
    recited = [0, 1, 2, 3] * 200
    assert NGram.train(recited, 3, 4).perplexity(recited) == pytest.approx(1, abs=0.01)


def test_one_counting_serves_several_orders():
    counts = NGramCounts.of(IDS, 5, 8)
    model = NGram(counts.up_to(3))
    assert model.order == 3 and model.vocab_size == 8
    np.testing.assert_array_equal(model.log_prob(OTHER), NGram.train(IDS, 3, 8).log_prob(OTHER))


def test_samples_come_as_often_as_their_probability_says():
    model = NGram.train(IDS, 1, 8)
    drawn = model.sample(4000, torch.Generator().manual_seed(0))
    p = model.probabilities()
    deviation = np.sqrt(p * (1 - p) / len(drawn))
    assert (np.abs(np.bincount(drawn, minlength=8) / len(drawn) - p) < 4 * deviation).all()


def test_a_sample_goes_on_from_its_context():
    recited = [0, 0, 1, 1] * 2000  # two tokens are needed to know the next
    model = NGram.train(recited, 3, 4, Additive(1e-9))
    assert model.sample(6, torch.Generator().manual_seed(0), context=[1, 0]) == [0, 1, 1, 0, 0, 1]


def test_the_generator_decides_the_sample():
    model = NGram.train(IDS, 2, 8)
    texts = [model.sample(20, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert texts[0] == texts[1] != texts[2] and len(texts[0]) == 20


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.log_prob([3]), "a text of 1 token leaves none to predict; give at least 2"),
        (lambda model: model.log_prob([3, 8]), r"token id 8 at position 1 is outside 0\.\.7"),
        (lambda model: model.probabilities([9]), r"token id 9 at position 0 is outside 0\.\.7"),
        (lambda model: model.sample(-1, torch.Generator()), "n_tokens=-1 must not be negative"),
    ],
)
def test_what_cannot_be_predicted_is_refused_with_its_mend(call, message):
    model = NGram.train(IDS, 2, 8)
    with pytest.raises(ValueError, match=message):
        call(model)
