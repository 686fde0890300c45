"""Contamination: how much of a test set is in the training set, word for word.

A model that has seen the test is measured by its memory. So before a loss is believed, the n-grams of the test are
looked up in the training text. Brown et al. 2020, arXiv:2005.14165, did so for GPT-3 with 13 words. The measure here is
the plain one: the share of the places of the test at which n words in a row also occur in training.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from minigpt.settings import whole_number
from minigpt.text.cleaning.cleaner import with_bar, with_names
from minigpt.text.cleaning.words import check_words_in_a_row, ngram_hashes, word_hashes, words


@dataclass(frozen=True)
class Overlap:
    """A test document of which a part is in the training text.

    Args:
        document: its name.
        n_ngrams: n-grams of the document, with repetitions.
        n_found: those that are in the training text.
        excerpt: the first of them.
    """

    document: str
    n_ngrams: int
    n_found: int
    excerpt: str

    @property
    def share(self) -> float:
        """Of the document's n-grams, those that are in the training text."""
        return self.n_found / self.n_ngrams


@dataclass(frozen=True)
class ContaminationReport:
    """How much of a test set is in a training set.

    Args:
        n: words in an n-gram.
        n_documents: of the test.
        n_short: of these, documents of fewer than n words, which have no n-gram and can't be judged.
        n_contaminated: of these, documents with at least one n-gram that is in the training text.
        n_ngrams: n-grams of the test, with repetitions.
        n_found: those that are in the training text.
        worst: the documents with the largest shares.
    """

    n: int
    n_documents: int
    n_short: int
    n_contaminated: int
    n_ngrams: int
    n_found: int
    worst: tuple[Overlap, ...]

    @property
    def share(self) -> float:
        """Of the test's n-grams, those that are in the training text; 0 if the test has none."""
        return self.n_found / self.n_ngrams if self.n_ngrams else 0.0

    def to_object(self) -> dict[str, Any]:
        """The figures, the share included, as what JSON can hold."""
        return asdict(self) | {"share": self.share}

    def __str__(self) -> str:
        lines = [
            f"{self.n_found:,} of {self.n_ngrams:,} {self.n}-grams of the test ({self.share:.1%}) are in the training "
            "text;",
            f"{self.n_contaminated:,} of {self.n_documents:,} test documents have at least one of them, and "
            f"{self.n_short:,} have fewer than {self.n} words",
        ]
        lines += [f"{each.share:>9.1%} of {each.document}: {each.excerpt}" for each in self.worst]
        return "\n".join(lines)


def contamination(
    train: Iterable[str] | Mapping[str, str],
    test: Iterable[str] | Mapping[str, str],
    n: int = 13,
    *,
    worst: int = 5,
    progress: bool | None = None,
) -> ContaminationReport:
    """Look up the n-grams of a test set in a training set.

    The test set is kept in memory; the training set is read once, a document at a time.

    Args:
        train: texts to learn from; or texts by their names.
        test: texts to be tested on; or texts by their names, which the report then uses.
        n: words in an n-gram; characters, in Chinese. With a small n common phrases count as contamination, with a
            large n a copy in which a word was changed is missed.
        worst: how many documents the report lists at most.
        progress: whether to show a bar; None shows one when it takes longer than two seconds.

    Raises:
        ValueError: if n is not a whole number of at least 1 or ``worst`` of at least 0, or one of the sets is a
            single text.
    """
    check_words_in_a_row(n, "n")
    worst = whole_number("worst", worst, 0)
    texts = list(with_names(test, "test"))
    grams = [ngram_hashes(word_hashes(text), n) for _, text in texts]
    known = np.unique(np.concatenate([*grams, np.empty(0, dtype=np.uint64)]))
    seen = np.zeros(len(known), dtype=bool)
    for _, text in with_bar(with_names(train, "train"), progress, "training documents"):
        there = ngram_hashes(word_hashes(text), n)
        places = np.searchsorted(known, there).clip(max=max(len(known) - 1, 0))
        if len(known):
            seen[places[known[places] == there]] = True
    found = [seen[np.searchsorted(known, each)] for each in grams]
    hit = [i for i, each in enumerate(found) if each.any()]
    ranked = sorted(hit, key=lambda i: (-found[i].mean(), -int(found[i].sum()), i))[:worst]
    return ContaminationReport(
        n=n,
        n_documents=len(texts),
        n_short=sum(len(each) == 0 for each in grams),
        n_contaminated=len(hit),
        n_ngrams=sum(map(len, grams)),
        n_found=sum(int(each.sum()) for each in found),
        worst=tuple(_overlap(*texts[i], found[i], n) for i in ranked),
    )


def _overlap(name: str, text: str, found: np.ndarray, n: int) -> Overlap:
    first = int(found.argmax())
    return Overlap(name, len(found), int(found.sum()), " ".join(words(text)[first : first + n]))
