import numpy as np
import pytest

from minigpt.text.cleaning import similarity
from minigpt.text.cleaning.similarity import (
    candidate_probability,
    estimated_similarity,
    jaccard_similarity,
    minhash_signature,
)


def two_sets(n_shared, n_each, seed):
    """Hashes of two sets that share some elements, and their Jaccard similarity."""
    drawn = np.random.default_rng(seed).integers(0, 2**64, n_shared + 2 * n_each, dtype=np.uint64)
    a, b = drawn[: n_shared + n_each], np.concatenate([drawn[:n_shared], drawn[n_shared + n_each :]])
    return a, b, n_shared / (n_shared + 2 * n_each)


def test_jaccard_similarity_is_the_shared_part_of_the_union():
    assert jaccard_similarity({1, 2, 3}, {2, 3, 4, 5}) == 2 / 5
    assert jaccard_similarity({1}, set()) == 0
    with pytest.raises(ValueError, match="two empty sets have no similarity"):
        jaccard_similarity(set(), set())


@pytest.mark.parametrize(("n_shared", "n_each"), [(0, 1), (1, 1), (7, 1), (30, 5), (1500, 300), (3, 60)])
def test_the_estimate_is_unbiased_and_as_exact_as_k_draws(n_shared, n_each):
    """The mean over many pairs of sets is the Jaccard similarity of brute force, and the variance is J (1 - J) / k."""
    k, errors = 129, []
    for seed in range(40):
        a, b, expected = two_sets(n_shared, n_each, seed)
        assert jaccard_similarity(set(a.tolist()), set(b.tolist())) == expected
        errors.append(estimated_similarity(minhash_signature(a, k), minhash_signature(b, k)) - expected)
    deviation = np.sqrt(expected * (1 - expected) / k)
    assert abs(np.mean(errors)) <= 4 * deviation / np.sqrt(40)
    assert np.std(errors) <= 1.6 * deviation


def test_each_element_of_a_set_has_the_least_hash_about_equally_often():
    elements = np.arange(10, dtype=np.uint64)  # close to one another: the hash functions have to spread them
    owners = [minhash_signature(elements[i : i + 1], 4000) for i in range(10)]
    least = minhash_signature(elements, 4000)
    shares = [(owner == least).mean() for owner in owners]
    assert sum(shares) == pytest.approx(1) and max(abs(share - 0.1) for share in shares) < 0.02


@pytest.mark.parametrize("n", [1, 6, 7, 8, 22])
def test_a_signature_taken_in_parts_is_the_least_of_the_hashes(monkeypatch, n):
    hashes = np.random.default_rng(n).integers(0, 2**64, n, dtype=np.uint64)
    one_by_one = np.min([minhash_signature(hashes[i : i + 1], 9) for i in range(n)], axis=0)
    monkeypatch.setattr(similarity, "_AT_ONCE", 7)
    assert np.array_equal(minhash_signature(hashes, 9), one_by_one)
    assert np.array_equal(minhash_signature(np.repeat(hashes[::-1], 2), 9), one_by_one)  # neither order nor repetition


def test_an_empty_set_has_no_signature():
    with pytest.raises(ValueError, match="an empty set has no signature"):
        minhash_signature(np.empty(0, dtype=np.uint64), 8)


@pytest.mark.parametrize(("rows", "bands"), [(1, 3), (2, 5), (6, 20)])
def test_two_sets_agree_in_a_band_as_often_as_the_curve_says(rows, bands):
    agree, n_pairs = 0, 300
    for seed in range(n_pairs):
        a, b, s = two_sets(12, 3, seed)
        same = minhash_signature(a, rows * bands) == minhash_signature(b, rows * bands)
        agree += same.reshape(bands, rows).all(axis=1).any()
    expected = candidate_probability(s, rows, bands)
    assert abs(agree / n_pairs - expected) <= 4 * np.sqrt(expected * (1 - expected) / n_pairs) + 1e-9
