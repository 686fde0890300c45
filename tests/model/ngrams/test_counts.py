from collections import Counter

import numpy as np
import pytest
import torch

from minigpt.model import NGramCounts

RANDOM = np.random.default_rng(0).integers(0, 5, 300)


def counted(text, k):
    """Each k-gram and how often it occurs."""
    return Counter(tuple(text[i : i + k]) for i in range(len(text) - k + 1))


def numbers_by_gram(counts, text, k):
    """Each k-gram of ``text`` and the number that the counts give it."""
    found = list(counts.walk(np.array(text)))[k - 1][1]
    return {tuple(text[i - k + 1 : i + 1]): found[i] for i in range(k - 1, len(text))}


@pytest.mark.parametrize("k", [1, 2, 3, 4])
def test_every_k_gram_is_counted_as_often_as_it_occurs(k):
    text = RANDOM.tolist()
    counts = NGramCounts.of(RANDOM, 4, 5)
    numbers = numbers_by_gram(counts, text, k)
    assert {gram: counts.levels[k - 1].counts[number] for gram, number in numbers.items()} == counted(text, k)


def test_k_grams_are_numbered_in_lexicographical_order():
    numbers = numbers_by_gram(NGramCounts.of(RANDOM, 3, 5), RANDOM.tolist(), 3)
    assert [numbers[gram] for gram in sorted(numbers)] == list(range(len(numbers)))


def test_a_suffix_is_the_k_gram_without_its_first_token():
    counts = NGramCounts.of(RANDOM, 3, 5)
    triples, pairs = (numbers_by_gram(counts, RANDOM.tolist(), k) for k in (3, 2))
    assert all(counts.levels[2].suffixes[number] == pairs[gram[1:]] for gram, number in triples.items())


def test_a_k_gram_that_the_text_lacks_has_no_number_and_neither_has_any_that_goes_on_from_it():
    counts = NGramCounts.of([0, 1, 2, 0, 1], 3, 4)
    grams = [grams.tolist() for _, grams in counts.walk(np.array([1, 0, 1, 2, 3]))]
    assert [number == -1 for number in grams[0]] == [False, False, False, False, True]
    assert [number == -1 for number in grams[1]] == [True, True, False, False, True]
    assert [number == -1 for number in grams[2]] == [True, True, True, False, True]


def test_the_followers_of_a_context_are_the_tokens_seen_after_it():
    counts = NGramCounts.of(RANDOM, 3, 5)
    pairs, triples = (numbers_by_gram(counts, RANDOM.tolist(), k) for k in (2, 3))
    for pair, number in pairs.items():
        tokens, grams = counts.followers(3, number)
        assert dict(zip(tokens.tolist(), grams.tolist(), strict=True)) == {
            gram[2]: number for gram, number in triples.items() if gram[:2] == pair
        }
    assert counts.followers(3, -1)[0].size == 0


def test_five_tokens_of_a_large_vocabulary_fit_into_a_key():
    text = np.random.default_rng(0).integers(50_000, 50_257, 3000)
    counts = NGramCounts.of(text, 5, 50_257)
    numbers = numbers_by_gram(counts, text.tolist(), 5)
    assert min(numbers.values()) == 0 and len(numbers) == len(counted(text.tolist(), 5)) == len(counts.levels[4].keys)


def test_lower_orders_do_not_depend_on_the_highest_one_counted():
    shorter, cut = NGramCounts.of(RANDOM, 2, 5), NGramCounts.of(RANDOM, 4, 5).up_to(2)
    assert cut.order == 2
    for one, other in zip(shorter.levels, cut.levels, strict=True):
        np.testing.assert_array_equal(one.keys, other.keys)
        np.testing.assert_array_equal(one.counts, other.counts)


@pytest.mark.parametrize("kind", [list, torch.tensor, lambda ids: np.array(ids, dtype=np.uint16)])
def test_lists_tensors_and_small_arrays_count_alike(kind):
    level = NGramCounts.of(kind([3, 60_000, 3, 60_000]), 2, 65_000).levels[1]
    assert level.counts.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("ids", "order", "vocab_size", "message"),
    [
        ([0, 1], 0, 2, r"order=0 must be at least 1"),
        ([0, 1], 1, 0, r"vocab_size=0 must be at least 1; give the tokenizer's"),
        ([], 1, 2, r"a text of 0 tokens has no n-gram of order=1; give a text that has some"),
        ([0, 1], 3, 2, r"a text of 2 tokens has no n-gram of order=3; .*try order=2"),
        ([0, 7, 9], 1, 7, r"token id 7 at position 1 is outside 0\.\.6"),
        ([0, -1], 1, 7, r"token id -1 at position 1 is outside 0\.\.6"),
        ([0.5], 1, 2, r"shape \(1,\) and type float64; expected one row"),
        ([[0, 1]], 1, 2, r"shape \(1, 2\)"),
    ],
)
def test_what_cannot_be_counted_is_refused_with_its_mend(ids, order, vocab_size, message):
    with pytest.raises(ValueError, match=message):
        NGramCounts.of(ids, order, vocab_size)


@pytest.mark.parametrize("order", [0, 3])
def test_an_order_that_was_not_counted_is_refused(order):
    with pytest.raises(ValueError, match=rf"order={order} must lie in 1\.\.2"):
        NGramCounts.of([0, 1, 0], 2, 2).up_to(order)
