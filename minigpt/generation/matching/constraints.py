"""Text that must match a regular expression, or be one of a list: only tokens are drawn that can still lead there.

A token is allowed if the text so far and the token are the beginning of a match. So what is drawn is always the
beginning of a match, and it ends where it matches: at an end token, whose probability decides, or at the first match
where there is none.

Allowed tokens are renormalised one at a time, so a text is drawn with a probability that differs from the model's own
probability of the text, given that it matches; for that, compare the log-probabilities of whole texts.

Dimensions: V vocabulary.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator

import torch
from torch import Tensor

from minigpt.generation.ids import Chooser
from minigpt.generation.logits import mask_tokens
from minigpt.generation.matching.pattern import TextPattern
from minigpt.settings import shown
from minigpt.text import Tokenizer

LAST = "\U0010ffff"  # sorts behind every other character


class Spelling:
    """The tokens of a tokenizer, sorted by their texts; special tokens and parts of characters are left out.

    Args:
        tokenizer: whose tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        special = set(tokenizer.special_tokens.values())
        texts = ((_text(tokenizer.token_bytes(i)), i) for i in range(tokenizer.vocab_size) if i not in special)
        found = sorted((text, i) for text, i in texts if text)
        self.texts, self.ids = [text for text, _ in found], [i for _, i in found]

    def leading_on(self, text: str, pattern: TextPattern) -> Iterator[int]:
        """The tokens after which a text is still the beginning of a match.

        Tokens that share their first characters are asked about together.

        Args:
            text: so far, the beginning of a match.
            pattern: that it must match.
        """
        open_ranges = [(0, len(self.texts), 0)]  # tokens that agree in so many characters
        while open_ranges:
            low, high, shared = open_ranges.pop()
            while low < high:
                begun = self.texts[low][: shared + 1]
                end = bisect_right(self.texts, begun + LAST, low, high)
                if pattern.begins(text + begun):
                    while low < end and self.texts[low] == begun:
                        yield self.ids[low]
                        low += 1
                    open_ranges.append((low, end, shared + 1))
                low = end


class Constrained:
    """A way to choose tokens that together match a pattern; for one row.

    Args:
        sampler: chooses each token among those allowed.
        pattern: that the text must match.
        spelling: the tokens of the tokenizer.
        ends: ids of tokens that end a text, allowed where it matches.
    """

    def __init__(self, sampler: Chooser, pattern: TextPattern, spelling: Spelling, ends: Collection[int] = ()) -> None:
        self.sampler, self.pattern, self.spelling, self.ends = sampler, pattern, spelling, frozenset(ends)
        self.texts = dict(zip(spelling.ids, spelling.texts, strict=True))
        self.text, self.ended, self.n_drawn = "", False, 0
        self.next = sorted(spelling.leading_on("", pattern))

    def check(self, vocab_size: int) -> None:
        """As :meth:`~minigpt.generation.sampler.Sampler.check`, same arguments.

        Raises:
            ValueError: also if no token begins a match.
        """
        self.sampler.check(vocab_size)
        if not self.next:
            raise ValueError(
                f"no token of this tokenizer begins a match of {shown(self.pattern.expected)}; change match"
            )

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor) -> Tensor:
        """One token that leads on to a match, or ends it.

        Args:
            logits: ``(1, V)`` floating point.
            generator: the source of randomness.
            ids: ``(1, T)`` int64, the tokens so far.

        Returns:
            ``(1,)`` int64.

        Raises:
            ValueError: if no token leads on to a match.
        """
        may_end = self.ends if self.pattern.matches(self.text) else frozenset()
        allowed = torch.zeros(logits.shape[-1], dtype=torch.bool, device=logits.device)
        allowed[[*self.next, *may_end]] = True
        token = self.sampler(mask_tokens(logits, allowed), generator, ids)
        self._read(int(token))
        return token

    def finish(self) -> None:
        """Check that the text is whole, once no more tokens are drawn.

        Raises:
            ValueError: if it is the beginning of a match only.
        """
        if not self.pattern.matches(self.text):
            raise ValueError(
                f"{shown(self.text)} is only the beginning of a match of {shown(self.pattern.expected)}; "
                "raise max_new_tokens, or bound the repetitions in match"
            )

    def _read(self, token: int) -> None:
        self.n_drawn += 1
        if token in self.ends:
            self.ended = True
            return
        self.text += self.texts[token]
        matches = self.pattern.matches(self.text)
        self.next = [] if matches and not self.ends else sorted(self.spelling.leading_on(self.text, self.pattern))
        self.ended = matches and not self.next
        if not matches and not self.next:
            raise ValueError(
                f"after {shown(self.text)} no token of this tokenizer leads on to a match of "
                f"{shown(self.pattern.expected)}; look-ahead, and characters without a token of their own, can do that"
            )


def until_match(tokens: Iterator[int], chooser: Constrained) -> Iterator[int]:
    """The tokens up to the end of the match.

    Args:
        tokens: as they are drawn by ``chooser``.
        chooser: whose text ends.

    Raises:
        ValueError: after the last token, if the text is the beginning of a match only.
    """
    for n, token in enumerate(tokens, start=1):
        yield token
        if chooser.ended and n == chooser.n_drawn:
            return
    chooser.finish()


def _text(token: bytes) -> str:
    """The characters of a token; "" for a part of one."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return ""
