r"""Counterfactual data augmentation: train on the corpus and on a copy in which the words of two groups are swapped.

In both together every word of one group has been where its partner was, so what the corpus says after one it says as
often after the other. What a name told of the rest is gone, and the loss on the corpus as it was rises by that.

Source: Lu et al. 2018, arXiv:1807.11714; Zhao et al. 2018, arXiv:1804.06876.
Departure: the papers swap gendered words; here names are swapped as well, and a word with two partners ("her", which is
"him" or "his") is refused.
"""

import re
from collections.abc import Mapping

from minigpt.settings import shown


def swap_words(text: str, partners: Mapping[str, str]) -> str:
    """The text with each word replaced by its partner, in both directions at once.

    A word of Latin letters is only found whole: "Ann" is not in "Anna". A capital at the beginning stays one.

    Args:
        text: any.
        partners: from each word of one group to its partner in the other.

    Raises:
        ValueError: if there is no pair, or a word occurs in two.
    """
    if not isinstance(text, str):
        raise ValueError(f"text must be a text, got {shown(text)}")
    every = [word for pair in partners.items() for word in pair] if isinstance(partners, Mapping) else [partners]
    if not all(isinstance(word, str) for word in every) or not isinstance(partners, Mapping):
        raise ValueError(f"partners must be a dict from word to word, such as {{'she': 'he'}}, got {shown(partners)}")
    if not every or len(set(every)) < len(every) or not all(every):
        twice = sorted({word for word in every if every.count(word) > 1 or not word})
        raise ValueError(f"got {len(partners)} pairs with {twice} more than once or empty; each word needs one partner")
    both = dict(partners) | {b: a for a, b in partners.items()}
    both |= {_capital(word): _capital(partner) for word, partner in both.items() if _capital(word) not in both}
    words = "|".join(map(_whole, sorted(both, key=len, reverse=True)))
    return re.sub(words, lambda found: both[found[0]], text)


def augment(text: str, partners: Mapping[str, str]) -> str:
    """The text, and after it a copy with the words of the two groups swapped.

    Args:
        text: a corpus.
        partners: as for :func:`swap_words`.

    Raises:
        ValueError: as :func:`swap_words`.
    """
    return text + swap_words(text, partners)


def _capital(word: str) -> str:
    return word[:1].upper() + word[1:]


def _whole(word: str) -> str:
    """A pattern that finds a word whole where its script puts blanks between words."""
    before, after = (r"\b" if end.isascii() and end.isalnum() else "" for end in (word[0], word[-1]))
    return f"{before}{re.escape(word)}{after}"
