r"""Words and shingles: what two texts are compared by.

A word is a run of letters with their marks, digits and underscores. In scripts that are written without spaces –
Chinese, Japanese kana, Thai, Lao, Burmese, Khmer – each character counts as a word. A shingle (n-gram of words) is n
words in a row. Case, punctuation, layout and Unicode's compatibility forms (full-width letters, ligatures) make no
difference.

A shingle is stored as a hash of 64 bits, computed from the bytes of its words with a fixed function, so it is the same
in every process and on every machine. Two different shingles of $10^9$ get the same hash with a probability of
$10^{18} / 2^{65} \approx 3\,\%$; what follows from it is one shingle counted as shared.
"""

import unicodedata
from functools import cache, lru_cache
from hashlib import blake2b
from typing import Any

import numpy as np

from minigpt.settings import whole_number
from minigpt.text.datasets.order import stir

_SPACELESS = r"\p{Han}\p{Hiragana}\p{Katakana}ー\p{Thai}\p{Lao}\p{Myanmar}\p{Khmer}"
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that a product loses no bit


def normalised(text: str) -> str:
    """The text without differences that mean nothing: Unicode form NFKC, case folded, white space as one space.

    Args:
        text: any text.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def words(text: str) -> list[str]:
    """The words of the normalised text; a character each, in scripts written without spaces.

    Args:
        text: any text.
    """
    word = rf"[{_SPACELESS}]\p{{M}}*|[[\p{{L}}\p{{M}}\p{{N}}_]--[{_SPACELESS}]]+"
    return list(_compiled(word).findall(normalised(text)))


def is_spaceless(word: str) -> bool:
    """Whether a word is a character of a script that is written without spaces.

    Args:
        word: as :func:`words` gives it.
    """
    return _compiled(f"[{_SPACELESS}]").match(word) is not None


def shingles(text: str, n: int) -> set[tuple[str, ...]]:
    """The distinct shingles of a text; a text of fewer than n words is one shingle, and one without words has none.

    Args:
        text: any text.
        n: words in a shingle, at least 1.
    """
    found = words(text)
    return {tuple(found[i : i + n]) for i in range(max(len(found) - n + 1, min(len(found), 1)))}


def shingle_hashes(text: str, n: int) -> np.ndarray:
    """The hashes of :func:`shingles`, in the order of the text, with repetitions.

    Args:
        text: any text.
        n: as there.

    Returns:
        ``(n_words - n + 1,)`` uint64; at least one number if there is a word.
    """
    return ngram_hashes(hashes := word_hashes(text), min(n, max(len(hashes), 1)))


def word_hashes(text: str) -> np.ndarray:
    """A hash of each word.

    Args:
        text: any text.

    Returns:
        ``(n_words,)`` uint64.
    """
    return np.fromiter(map(_word_hash, words(text)), dtype=np.uint64)


def ngram_hashes(hashes: np.ndarray, n: int) -> np.ndarray:
    """A hash of every n words in a row.

    Args:
        hashes: ``(n_words,)`` from :func:`word_hashes`.
        n: words in an n-gram.

    Returns:
        ``(n_words - n + 1,)`` uint64; empty if there are fewer than n words.
    """
    count = max(len(hashes) - n + 1, 0)
    total = np.zeros(count, dtype=np.uint64)
    for i in range(n if count else 0):
        total = total * _FACTOR + hashes[i : i + count]
    return stir(total)


@cache
def _compiled(pattern: str) -> Any:
    import regex  # scripts and marks, which the standard library's re doesn't know

    return regex.compile(pattern, flags=regex.VERSION1)


@lru_cache(maxsize=2**16)
def _word_hash(word: str) -> int:
    return int.from_bytes(blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def check_words_in_a_row(n: int, name: str) -> None:
    """Refuse a number of words that no shingle has.

    Args:
        n: the number.
        name: of the argument, for the error.

    Raises:
        ValueError: if it is not a whole number of at least 1.
    """
    whole_number(name, n, 1)
