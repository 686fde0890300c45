"""Text that must match a regular expression, or be one of a list: only tokens are drawn that can still lead there.

A token is allowed if the text so far and the token are the beginning of a match. So what is drawn is always the
beginning of a match, and it ends where it matches: at an end token, whose probability decides, or at the first match
where there is none. A token may hold a part of a character if the tokenizer can write every rest of it.

Allowed tokens are renormalised one at a time, so a text is drawn with a probability that differs from the model's own
probability of the text, given that it matches; for that, compare the log-probabilities of whole texts.

Dimensions: V vocabulary.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Sequence

import torch
from torch import Tensor

from minigpt.generation.borders import used_tokens
from minigpt.generation.ids import Chooser
from minigpt.generation.logits import mask_tokens
from minigpt.generation.matching.pattern import TextPattern
from minigpt.settings import shown
from minigpt.text import Tokenizer

NO_TEXT = b"\xff"  # never in UTF-8, and sorts behind every byte that is


class Spelling:
    """The tokens of a tokenizer, sorted by their bytes; special tokens are left out.

    Args:
        tokenizer: whose tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        special = set(tokenizer.special_tokens.values())
        found = sorted(used_tokens(tokenizer, (i for i in range(tokenizer.vocab_size) if i not in special)))
        single = {token for token, _ in found if len(token) == 1}
        in_parts = all(bytes([byte]) in single for byte in range(0x80, 0xC0))  # each byte inside a character
        found = [(token, i) for token, i in found if token and NO_TEXT not in token and (in_parts or _is_text(token))]
        self.tokens, self.ids = [token for token, _ in found], [i for _, i in found]

    def leading_on(self, text: bytes, begins: Callable[[bytes], bool]) -> Iterator[int]:
        """The tokens after which a text is still the beginning of what it may be.

        Tokens that share their first bytes are asked about together.

        Args:
            text: so far.
            begins: whether a text is the beginning of what it may be.
        """
        open_ranges = [(0, len(self.tokens), 0)]  # tokens that agree in so many bytes
        while open_ranges:
            low, high, shared = open_ranges.pop()
            while low < high:
                begun = self.tokens[low][: shared + 1]
                end = bisect_left(self.tokens, begun + NO_TEXT, low, high)
                if begins(text + begun):
                    while low < end and self.tokens[low] == begun:
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
        ends: ids of special tokens that end a text, allowed where it matches.
        stops: texts that the match can't have; one that is a token ends a text, too.
    """

    def __init__(
        self,
        sampler: Chooser,
        pattern: TextPattern,
        spelling: Spelling,
        ends: Collection[int] = (),
        stops: Sequence[str] = (),
    ) -> None:
        self.sampler, self.pattern, self.spelling = sampler, pattern, spelling
        self.tokens = dict(zip(spelling.ids, spelling.tokens, strict=True))
        self.stops = [stop.encode() for stop in stops]
        self.ends = {*ends, *(i for i, token in self.tokens.items() if token in self.stops)}
        self.text, self.n_drawn = b"", 0
        self._look_ahead()

    def check(self, vocab_size: int) -> None:
        """As :meth:`~minigpt.generation.sampler.Sampler.check`, same arguments.

        Raises:
            ValueError: also if no token begins a match.
        """
        self.sampler.check(vocab_size)
        if not self.next and not self.ended:
            raise ValueError(
                f"no token of this tokenizer begins a match of {shown(self.pattern.expected)}; change match"
            )

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor) -> Tensor:
        """One token that leads on to a match, or ends it; after the end, any.

        Args:
            logits: ``(1, V)`` floating point.
            generator: the source of randomness.
            ids: ``(1, T)`` int64, the tokens so far.

        Returns:
            ``(1,)`` int64.

        Raises:
            ValueError: if no token leads on to a match.
        """
        if self.ended:
            return ids[:, -1]
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
                f"{self._shown()} is only the beginning of a match of {shown(self.pattern.expected)}; "
                "raise max_new_tokens, or bound the repetitions in match"
            )

    def _read(self, token: int) -> None:
        self.n_drawn += 1
        if token in self.ends:
            self.ended = True
            return
        self.text += self.tokens[token]
        self._look_ahead()
        if not self.next and not self.ended:
            raise ValueError(
                f"after {self._shown()} no token of this tokenizer leads on to a match of "
                f"{shown(self.pattern.expected)}; characters without a token of their own can do that"
            )

    def _look_ahead(self) -> None:
        """The tokens that lead on, and whether the text has ended because there is nothing to decide."""
        matches = self.pattern.matches(self.text)
        goes_on = self.ends or not matches
        self.next = sorted(self.spelling.leading_on(self.text, self._begins)) if goes_on else []
        self.ended = matches and not self.next

    def _begins(self, text: bytes) -> bool:
        return self.pattern.begins(text) and not any(stop in text for stop in self.stops)

    def _shown(self) -> str:
        return shown(self.text.decode(errors="replace"))


def until_match(tokens: Iterator[int], chooser: Constrained) -> Iterator[int]:
    """The tokens up to the end of the match.

    Args:
        tokens: as they are drawn by ``chooser``.
        chooser: whose text ends.

    Raises:
        ValueError: after the last token, if the text is the beginning of a match only.
    """
    n = 0
    while not (chooser.ended and n == chooser.n_drawn):
        token = next(tokens, None)
        if token is None:
            return chooser.finish()
        n += 1
        yield token


def _is_text(token: bytes) -> bool:
    try:
        token.decode()
    except UnicodeDecodeError:
        return False
    return True
