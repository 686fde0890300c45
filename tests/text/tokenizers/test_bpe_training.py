from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.text.tokenizers.bpe_training import join_pair, train_merges


def train_by_recounting(word_counts, n_merges):
    """Count every pair anew at each step; of the most frequent take the greatest pair of byte strings."""
    words = {word: [bytes([byte]) for byte in word] for word in word_counts}
    merges = []
    while len(merges) < n_merges:
        counts = Counter()
        for word, tokens in words.items():
            for pair in pairwise(tokens):
                counts[pair] += word_counts[word]
        if not counts:
            break
        best = max(counts, key=lambda pair: (counts[pair], pair))
        merges.append(best)
        for word, tokens in words.items():
            joined = []
            while tokens:
                width = 2 if tuple(tokens[:2]) == best else 1
                joined.append(b"".join(tokens[:width]))
                tokens = tokens[width:]
            words[word] = joined
    return merges


def as_bytes(merges):
    vocabulary = [bytes([byte]) for byte in range(256)]
    pairs = []
    for first, second in merges:
        pairs.append((vocabulary[first], vocabulary[second]))
        vocabulary.append(vocabulary[first] + vocabulary[second])
    return pairs


few_letters = st.lists(st.sampled_from(b"ab\x00\xff"), min_size=1, max_size=12).map(bytes)


@given(st.dictionaries(few_letters, st.integers(1, 3), max_size=8))
@settings(max_examples=150, deadline=None, database=None)
def test_merges_equal_those_of_recounting_at_every_step(word_counts):
    assert as_bytes(train_merges(word_counts, 30, progress=False)) == train_by_recounting(word_counts, 30)


def test_merges_equal_those_of_recounting_on_english():
    from minigpt.text.corpora import python_docs

    word_counts = Counter(word.encode() for word in python_docs()[:6000].split())
    assert as_bytes(train_merges(word_counts, 120, progress=False)) == train_by_recounting(word_counts, 120)


@pytest.mark.parametrize(
    ("word_counts", "first_merge"),
    [
        ({b"ab": 2, b"cd": 1}, (b"a", b"b")),
        ({b"ab": 1, b"cd": 1}, (b"c", b"d")),
        ({b"ab": 1, b"ac": 1}, (b"a", b"c")),
        ({b"a\xff": 1, b"a\x00": 1}, (b"a", b"\xff")),
    ],
)
def test_the_most_frequent_pair_comes_first_and_among_equals_the_greatest(word_counts, first_merge):
    assert as_bytes(train_merges(word_counts, 1)) == [first_merge]


def test_among_equals_a_longer_token_is_greater_than_one_it_begins_with():
    # (b"bb", b"b") is greater than (b"b", b"c") because b"bb" > b"b"
    assert as_bytes(train_merges({b"bb": 5, b"bbb": 3, b"bc": 3}, 2))[1] == (b"bb", b"b")


def test_training_ends_when_every_word_is_one_token():
    assert as_bytes(train_merges({b"abc": 1}, 100)) == [(b"b", b"c"), (b"a", b"bc")]


def test_overlapping_pairs_are_joined_from_the_left():
    assert join_pair([7, 7, 7, 1, 7, 7], (7, 7), 300) == [300, 7, 1, 300]


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (None, False), (False, False)])
def test_a_bar_is_shown_when_asked_for_and_not_for_a_short_run(progress, shown, capsys):
    train_merges({b"abc": 1}, 2, progress=progress)
    assert ("BPE merges" in capsys.readouterr().err) == shown
