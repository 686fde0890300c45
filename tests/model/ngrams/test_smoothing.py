"""The formulas of smoothing, evaluated literally over a short text, in exact fractions."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from minigpt.model import Additive, KneserNey, NGram

TEXT = "A cat sat on the mat and the dog sat on the log"  # nothing comes before A: its continuation count is 0
LETTERS = [*sorted(set(TEXT)), "z"]  # z is never seen
IDS, V = [LETTERS.index(letter) for letter in TEXT], len(LETTERS)


def occurrences(text, gram):
    return sum(text[i : i + len(gram)] == gram for i in range(len(text) - len(gram) + 1))


def predecessors(text, gram):
    return len({text[i - 1] for i in range(1, len(text) - len(gram) + 1) if text[i : i + len(gram)] == gram})


def additive(text, letters, h, alpha):
    """The distribution after ``h``, as the formula is written."""
    total = sum(occurrences(text, h + letter) for letter in letters)
    return [(occurrences(text, h + w) + alpha) / (total + alpha * len(letters)) for w in letters]


def kneser_ney(text, letters, h, n, discount=None):
    """The distribution after ``h`` in a model of order n, as the formula is written."""
    k = len(h) + 1
    count = occurrences if k == n else predecessors
    lower = kneser_ney(text, letters, h[1:], n, discount) if h else [Fraction(1, len(letters))] * len(letters)
    c = [count(text, h + w) for w in letters]
    if sum(c) == 0:
        return lower
    if discount is None:
        distinct = {text[i : i + k] for i in range(len(text) - k + 1)}
        n_1, n_2 = (sum(count(text, gram) == times for gram in distinct) for times in (1, 2))
        d = Fraction(n_1, n_1 + 2 * n_2)
    else:
        d = Fraction(discount)
    followers = sum(x > 0 for x in c)
    return [(max(x - d, 0) + d * followers * p) / sum(c) for x, p in zip(c, lower, strict=True)]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("discount", [None, 0.25, 1.0])
def test_kneser_ney_is_its_formula(n, discount):
    model = NGram.train(IDS, n, V, KneserNey(discount))
    for context in ("A cat", " sat on", "mat at", "A", "zz", "tez", "nd the log"):
        h = context[max(0, len(context) - n + 1) :]
        expected = [float(p) for p in kneser_ney(TEXT, LETTERS, h, n, discount)]
        np.testing.assert_allclose(model.probabilities([LETTERS.index(c) for c in context]), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("alpha", [0.01, 1.0, 7.5])
def test_additive_smoothing_is_its_formula(n, alpha):
    model = NGram.train(IDS, n, V, Additive(alpha))
    for context in ("A cat", "at", "zz", " log"):
        h = context[max(0, len(context) - n + 1) :]
        found = model.probabilities([LETTERS.index(c) for c in context])
        np.testing.assert_allclose(found, additive(TEXT, LETTERS, h, alpha), rtol=1e-12)


def test_a_kneser_ney_bigram_worked_by_hand():
    # The text a b a c a b of the letters a, b, c, d.
    # Pairs: ab twice, ba, ac and ca once, so d = 3 / (3 + 2·1) = 3/5. Before a come b and c; before b, a; before c, a:
    # continuation counts 2, 1, 1, 0 and d = 2 / (2 + 2·1) = 1/2, of which three letters give 3/8 to 1/4 each.
    model = NGram.train([0, 1, 0, 2, 0, 1], 2, 4)
    unigram = np.array([15, 7, 7, 3]) / 32
    np.testing.assert_allclose(model.probabilities([3]), unigram, rtol=1e-15)
    # a was followed 3 times, by 2 letters: (2 - 3/5) / 3 for b, (1 - 3/5) / 3 for c, and 2/5 of the unigram.
    np.testing.assert_allclose(model.probabilities([0]), np.array([45, 133, 53, 9]) / 240, rtol=1e-15)


@pytest.mark.parametrize("smoothing", [KneserNey(), KneserNey(1.0), Additive(0.1)])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_probabilities_are_positive_and_sum_to_one_in_every_context_seen_or_not(smoothing, n):
    model = NGram.train([0, 1, 0, 2, 0, 1, 1, 3], n, 5, smoothing)
    for context in product(range(5), repeat=n - 1):
        p = model.probabilities(context)
        assert p.min() > 0 and p.sum() == pytest.approx(1, abs=1e-14)


def test_much_smoothing_gives_the_uniform_distribution():
    p = NGram.train(IDS, 2, V, Additive(1e12)).probabilities(IDS)
    np.testing.assert_allclose(p, 1 / V, rtol=1e-9)


def test_little_smoothing_gives_the_relative_frequencies():
    p = NGram.train([0, 1, 0, 2, 0, 1, 0], 2, 3, Additive(1e-12)).probabilities([0])
    np.testing.assert_allclose(p, [0, 2 / 3, 1 / 3], atol=1e-11)


def test_a_bigram_keeps_the_frequency_of_every_token_on_average_over_the_contexts():
    # The property that the continuation counts are made for; exact where every token has been seen after another.
    ids, V = np.random.default_rng(0).choice(6, 500, p=[0.4, 0.3, 0.15, 0.1, 0.04, 0.01]), 6
    assert set(ids[1:]) == set(range(V))
    model = NGram.train(ids, 2, V)
    contexts = np.bincount(ids[:-1], minlength=V) / (len(ids) - 1)
    average = sum(weight * model.probabilities([h]) for h, weight in enumerate(contexts))
    np.testing.assert_allclose(average, np.bincount(ids[1:], minlength=V) / (len(ids) - 1), rtol=1e-12)


def test_an_unseen_context_leaves_kneser_ney_to_the_next_shorter_one():
    model = NGram.train(IDS, 3, V)
    z, t = LETTERS.index("z"), LETTERS.index("t")
    np.testing.assert_array_equal(model.probabilities([z, t]), model.probabilities([t]))


def test_after_an_unseen_context_a_token_with_many_predecessors_beats_a_frequent_one_with_a_single_predecessor():
    ids = [0, 1] * 20 + [2, 3, 4, 3, 5, 3]  # 1 comes 20 times, after 0 only; 3 three times, after 2, 4 and 5
    p = NGram.train(ids, 2, 7).probabilities([6])
    assert p[3] > p[1]


def test_order_1_keeps_the_frequencies_where_every_token_was_seen():
    ids = [0, 0, 0, 1, 1, 2]
    np.testing.assert_allclose(NGram.train(ids, 1, 3).probabilities(), [3 / 6, 2 / 6, 1 / 6], rtol=1e-15)


def test_without_a_single_count_of_one_the_discount_is_a_half():
    p = NGram.train([0, 0, 1, 1], 1, 3).probabilities()
    np.testing.assert_allclose(p, np.array([1.5 + 1 / 3, 1.5 + 1 / 3, 1 / 3]) / 4, rtol=1e-15)


@pytest.mark.parametrize("alpha", [0, -1.0, float("inf"), float("nan")])
def test_an_alpha_that_is_no_positive_number_is_refused(alpha):
    with pytest.raises(ValueError, match=r"alpha=.* must be a finite number above 0; try 1\.0"):
        Additive(alpha)


@pytest.mark.parametrize("discount", [0, -0.5, 1.5, float("nan")])
def test_a_discount_outside_0_1_is_refused(discount):
    with pytest.raises(ValueError, match=r"discount=.* must lie in \(0, 1\]; None estimates it"):
        KneserNey(discount)
