r"""How alike two texts are: Jaccard similarity, its estimate from a MinHash signature, and what LSH finds.

The Jaccard similarity of two sets is the share of their elements that both have. A MinHash signature keeps, for each of
k hash functions, the least hash of the set's elements. The element with the least hash is equally likely to be any
element of the union, so two sets have the same least hash with the probability that it is a shared one – their Jaccard
similarity. The share of the k places in which two signatures agree is therefore an unbiased estimate, with a standard
deviation of $\sqrt{J (1 - J) / k}$.

Locality-sensitive hashing (LSH) cuts a signature into b bands of r numbers. Texts that agree in a whole band are
candidates; only they are compared.

Dimensions: k hash functions, b bands, r rows in a band.
"""

from collections.abc import Set
from functools import lru_cache

import numpy as np

from minigpt.equations import equation
from minigpt.text.datasets.order import mix, stir

_AT_ONCE = 1024  # hashes, so that a table of them with k columns takes about a megabyte


@equation(
    "jaccard-similarity",
    r"J = \frac{\sum_{i=1}^{n} a_i b_i}{\sum_{i=1}^{n} \max(a_i, b_i)}",
    symbols={
        "a": "(n) 1 where the first set has the element, else 0",
        "b": "(n) 1 where the second set has it, else 0",
        "n": "() elements that may be in the sets",
        "J": "() the share of the elements of either set that both have",
    },
    source="Jaccard 1912, New Phytologist 11; for texts, Broder 1997, On the resemblance and containment of documents",
)
def jaccard_similarity(a: Set[object], b: Set[object]) -> float:
    """The share of the elements of two sets that both have, between 0 and 1.

    Args:
        a: a set, such as the :func:`~minigpt.text.cleaning.words.shingles` of a text.
        b: another one.

    Raises:
        ValueError: if both are empty.
    """
    if not a and not b:
        raise ValueError("two empty sets have no similarity; leave out texts without words")
    return len(a & b) / len(a | b)


def minhash_signature(hashes: np.ndarray, k: int) -> np.ndarray:
    """The least of the hashes of a set, under each of k hash functions.

    Args:
        hashes: ``(n,)`` uint64, a hash of each element; repetitions change nothing.
        k: the number of hash functions.

    Returns:
        ``(k,)`` uint32.

    Raises:
        ValueError: if there are no elements.
    """
    if len(hashes) == 0:
        raise ValueError("an empty set has no signature; leave out texts without words")
    keys = _keys(k)
    least = np.full(k, 2**32 - 1, dtype=np.uint64)
    for start in range(0, len(hashes), _AT_ONCE):
        table = stir(hashes[start : start + _AT_ONCE, None] ^ keys) >> np.uint64(32)
        least = np.minimum(least, table.min(axis=0))
    return least.astype(np.uint32)


@equation(
    "minhash-estimate",
    r"\hat{J} = \frac{1}{k} \sum_{i=1}^{k} \mathbb{1}[s_i = t_i]",
    symbols={
        "s": "(k) signature of the first set",
        "t": "(k) signature of the second set",
        "k": "() hash functions",
        r"\hat{J}": "() estimate of the Jaccard similarity",
    },
    source="Broder 1997, On the resemblance and containment of documents",
)
def estimated_similarity(s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """The share of the places in which signatures agree.

    Args:
        s: ``(k,)`` a signature.
        t: ``(..., k)`` one or several others.

    Returns:
        ``(...)`` float64.
    """
    return np.mean(s == t, axis=-1)


@equation(
    "lsh-candidate-probability",
    r"P = 1 - (1 - s^r)^b",
    symbols={
        "s": "() Jaccard similarity of two sets",
        "r": "() rows in a band",
        "b": "() bands",
        "P": "() probability that all rows of at least one band agree",
    },
    source="Leskovec, Rajaraman & Ullman 2014, Mining of Massive Datasets, section 3.4.2",
)
def candidate_probability(similarity: float, rows: int, bands: int) -> float:
    """The probability that two texts are compared at all: an S-shaped curve over their similarity.

    Args:
        similarity: Jaccard similarity, between 0 and 1.
        rows: numbers in a band; more of them move the curve to the right.
        bands: more of them move it to the left.
    """
    return float(1 - (1 - similarity**rows) ** bands)


@lru_cache(maxsize=8)
def _keys(k: int) -> np.ndarray:
    return np.array([mix(i) for i in range(k)], dtype=np.uint64)
