"""Poor texts, recognised by a few measures that hold for most languages.

Rules of this kind were used for large collections of web pages: C4 (Raffel et al. 2020, arXiv:1910.10683) and
MassiveText (Rae et al. 2021, arXiv:2112.11446). The measures and bounds here are the library's own. They are crude:
each one removes good texts, too, so look at the examples in the report before you trust a bound on texts of your own.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from minigpt.text.cleaning.report import Removal, excerpt_of
from minigpt.text.cleaning.words import is_spaceless, words

_SENTENCE_END = re.compile(r"""[.!?:;…؟۔।॥]["'”’»)\]*_`]*(?:\s|$)|[。！？：；｡…]""")


@dataclass(frozen=True, kw_only=True)
class QualityRule:
    """A measure of a text, and the bounds between which it must lie.

    Args:
        name: the reason in a report.
        why: what a text outside the bounds usually is.
        what: the measure gives, in words.
        measure: from a text to a number; ``None`` where the measure says nothing of that text.
        low: the least value that stays.
        high: the largest value that stays.
    """

    name: str
    why: str
    what: str
    measure: Callable[[str], float | None]
    low: float = float("-inf")
    high: float = float("inf")

    def violation(self, text: str) -> str | None:
        """What is outside the bounds, in words; ``None`` if nothing is.

        Args:
            text: of a document.
        """
        value = self.measure(text)
        if value is None or self.low <= value <= self.high:
            return None
        bound = f"below {self.low:g}" if value < self.low else f"above {self.high:g}"
        return f"{self.what} {value:.3g}, {bound}"


def word_count(text: str) -> float:
    """The number of words.

    Args:
        text: of a document.
    """
    return len(words(text))


def letter_share(text: str) -> float | None:
    """The share of letters, and of the marks that belong to them, among the characters other than white space.

    Args:
        text: of a document; one of white space alone has no share.
    """
    counts = Counter("".join(text.split()))
    letters = sum(n for character, n in counts.items() if unicodedata.category(character)[0] in "LM")
    return letters / total if (total := counts.total()) else None


def mean_word_length(text: str) -> float | None:
    """The mean length of the words in characters.

    Args:
        text: of a document; where most words are single characters of a script without spaces, there is no length.
    """
    found = words(text)
    spaced = [len(word) for word in found if not is_spaceless(word)]
    return sum(spaced) / len(spaced) if 2 * len(spaced) > len(found) else None


def repeated_line_share(text: str) -> float | None:
    """The share of the lines that came before in the same text; blank ones are not counted.

    Args:
        text: of a document.
    """
    lines = _lines(text)
    return 1 - len(set(lines)) / len(lines) if lines else None


def sentence_end_share(text: str) -> float | None:
    """The share of the lines in which a sentence or a clause ends; blank ones are not counted.

    Args:
        text: of a document. Its lines may be wrapped, so the end may be anywhere in a line; and a long sentence runs
            over several lines, so the share is below 1 in good texts, too.
    """
    lines = _lines(text)
    return sum(_SENTENCE_END.search(line) is not None for line in lines) / len(lines) if lines else None


def _lines(text: str) -> list[str]:
    return [stripped for line in text.splitlines() if (stripped := line.strip())]


#: The rules that :class:`QualityFilter` applies by default, in order.
QUALITY_RULES = (
    QualityRule(
        name="few words",
        why="a heading or a fragment, from which little can be learned",
        what="number of words",
        measure=word_count,
        low=20,
    ),
    QualityRule(
        name="few letters",
        why="a table, a log, code or markup rather than sentences",
        what="share of letters",
        measure=letter_share,
        low=0.6,
    ),
    QualityRule(
        name="word length",
        why="encoded data or addresses, or letters set apart",
        what="mean word length",
        measure=mean_word_length,
        low=2,
        high=12,
    ),
    QualityRule(
        name="repeated lines",
        why="a menu or a template, again and again",
        what="share of repeated lines",
        measure=repeated_line_share,
        high=0.3,
    ),
    QualityRule(
        name="no sentences",
        why="a list of names or keywords",
        what="share of lines in which a sentence ends",
        measure=sentence_end_share,
        low=0.1,
    ),
)


class QualityFilter:
    """Remove a document that breaks a rule; the first rule that it breaks is the reason.

    Args:
        rules: in the order in which they are tried.
    """

    def __init__(self, rules: Sequence[QualityRule] = QUALITY_RULES) -> None:
        self.rules = tuple(rules)

    def removal(self, name: str, text: str) -> Removal | None:
        """Why the document is removed; ``None`` if it keeps to every rule.

        Args:
            name: of the document.
            text: of the document.
        """
        for rule in self.rules:
            if violation := rule.violation(text):
                return Removal(name, rule.name, violation, excerpt_of(text))
        return None
