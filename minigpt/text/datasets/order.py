r"""A shuffle without a list: a keyed bijection of $\{0, \dots, n-1\}$ computed one index at a time.

A Feistel network splits an index into two halves $(l, r)$ and repeats $(l, r) \leftarrow (r,\; l \oplus f_k(r))$. Each
step can be undone whatever $f_k$ is, so the whole is a permutation of $\{0, \dots, 4^b - 1\}$, with $b$ bits a half.
Cycle walking makes it one of $\{0, \dots, n-1\}$: an index that lands at or above $n$ is sent through again until it
lands below; the walk follows a cycle that began below $n$, so it always does, and two walks never meet.

The order depends on the key alone, not on a generator of numpy or torch, so it is the same in every version.

Source: Luby & Rackoff 1988, "How to construct pseudorandom permutations from pseudorandom functions"; Black & Rogaway
2002, "Ciphers with arbitrary finite domains", for the cycle walking.
"""

from functools import lru_cache

import numpy as np

ROUNDS = 6
_BLOCK = 4096
_MASK = 2**64 - 1


def mix(*parts: int) -> int:
    """Hash whole numbers of any size and sign (each modulo 2**64) to 64 well-stirred bits."""
    state = 0
    for part in parts:
        state = int(stir(np.array([(state ^ part) & _MASK], dtype=np.uint64))[0])
    return state


def permute(indices: np.ndarray, n: int, key: int) -> np.ndarray:
    """Send each index to its place in the shuffle of ``range(n)`` named by ``key``.

    Args:
        indices: whole numbers below ``n``, of any shape.
        n: the size of the shuffled set, at least 1 and at most ``2**62``.
        key: a whole number; another key gives another shuffle.

    Returns:
        uint64 of the shape of ``indices``; distinct indices go to distinct places below ``n``.
    """
    half_bits = max(1, ((n - 1).bit_length() + 1) // 2)
    round_keys = [np.uint64(mix(key, number)) for number in range(ROUNDS)]
    places = _feistel(np.asarray(indices, dtype=np.uint64), half_bits, round_keys)
    while (outside := places >= n).any():
        places[outside] = _feistel(places[outside], half_bits, round_keys)
    return places


def shuffled(position: int, n: int, seed: int, epoch: int) -> int:
    """Which of n samples comes at a position of an epoch."""
    block, place = divmod(position, _BLOCK)
    return int(_order(n, seed, epoch, block)[place])


@lru_cache(maxsize=64)
def _order(n: int, seed: int, epoch: int, block: int) -> np.ndarray:
    """One block of an epoch's shuffle; a block at a time, because single indices cost a hundred times more."""
    positions = np.arange(block * _BLOCK, min(n, (block + 1) * _BLOCK))
    return permute(positions, n, mix(seed, epoch))


def _feistel(values: np.ndarray, half_bits: int, round_keys: list[np.uint64]) -> np.ndarray:
    bits, low = np.uint64(half_bits), np.uint64(2**half_bits - 1)
    left, right = values >> bits, values & low
    for round_key in round_keys:
        left, right = right, left ^ (stir(right ^ round_key) & low)
    return (left << bits) | right


def stir(values: np.ndarray) -> np.ndarray:
    """Spread every input bit over all 64, by the finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    values = values + np.uint64(0x9E3779B97F4A7C15)
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
