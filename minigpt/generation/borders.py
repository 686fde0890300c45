"""Where documents begin and end, and how a prompt continues one: what precedes it, and its tokens inside the text.

A model has read documents between borders: stories between line ends, or files between ``<|endoftext|>``. A prompt is
the start of a document, so the model sees the border before it.

A prompt may also end inside a token of the text. Of a byte-pair tokenizer, "warm evening, " with a space on both sides
may be one token, while a prompt that ends in "warm evening," is cut into short tokens, a sequence that the model has
hardly ever read. So the last tokens of the prompt are left open: as long as they last, only tokens that agree with the
rest of the prompt are drawn, and one of them may reach beyond it.

Dimensions: V vocabulary.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import torch
from torch import Tensor

from minigpt.generation.ids import Chooser
from minigpt.settings import shown
from minigpt.text import Tokenizer
from minigpt.text.tokenizers.tokenizer import check_text


@dataclass(frozen=True, kw_only=True)
class Borders:
    """What precedes and what follows a document in the text that a model was trained on.

    Attributes:
        before: text or special token right before a document, such as a line end; "" where nothing precedes it, and
            ``None`` for a prompt that need not begin a document: its tokens are taken as they are.
        end: strings, or names of special tokens, before which a document ends.
        bos: special token that the model has read before every text, whatever the text; "" for none.
    """

    before: str | None = None
    end: tuple[str, ...] = ()
    bos: str = ""

    def stopping(self, stop: str | Sequence[str]) -> "Borders":
        """The same with more ends.

        Args:
            stop: one string or name of a special token, or several.

        Raises:
            ValueError: if it is neither, or has a lone surrogate.
        """
        ends = [stop] if isinstance(stop, str) else stop
        if not isinstance(ends, Sequence) or not all(isinstance(each, str) for each in ends):
            raise ValueError(f"stop must be a text or a list of texts, got {shown(stop)}")
        for each in ends:
            check_text(each, "stop")
        return replace(self, end=(*self.end, *ends))

    def encode(self, tokenizer: Tokenizer, prompt: str) -> list[int]:
        """The tokens of a prompt, with the border before it.

        Args:
            tokenizer: the one that the model was trained with.
            prompt: the first words of a document.

        Raises:
            ValueError: if the tokenizer can't encode the prompt, or does not know the special token before it.
        """
        if self.bos:
            if self.bos not in tokenizer.special_tokens:
                raise ValueError(f"bos={self.bos[:40]!r} is not a special token of the {tokenizer.name} tokenizer")
            return [tokenizer.special_tokens[self.bos], *replace(self, bos="").encode(tokenizer, prompt)]
        own, before = tokenizer.encode(prompt), self.before or ""
        if before in tokenizer.special_tokens:
            return [tokenizer.special_tokens[before], *own]
        return own if prompt.startswith(before) else tokenizer.encode(before + prompt)


#: No borders: the prompt is taken as it is, and nothing ends the text.
NO_BORDERS = Borders()


class Vocabulary:
    """The tokens of a tokenizer by their bytes, so that those which agree with the rest of a prompt are found at once.

    Args:
        tokenizer: its special tokens and unused ids are left out.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        special = set(tokenizer.special_tokens.values())
        self.ids = dict(used_tokens(tokenizer, (i for i in range(tokenizer.vocab_size) if i not in special)))
        self.sorted = sorted(self.ids)
        self.longest = max(map(len, self.sorted))

    def starting_with(self, start: bytes) -> Iterator[bytes]:
        """The tokens that begin with ``start``, in the order of their bytes."""
        for i in range(bisect_left(self.sorted, start), len(self.sorted)):
            if not self.sorted[i].startswith(start):
                return
            yield self.sorted[i]

    def agreeing_with(self, rest: bytes) -> dict[int, bytes]:
        """The tokens that ``rest`` begins with, and those that begin with it, by their ids."""
        within = (rest[:n] for n in range(1, min(len(rest), self.longest + 1)))
        return {self.ids[token]: token for token in (*within, *self.starting_with(rest)) if token in self.ids}


class OpenEnd:
    """A way to choose tokens that first completes a prompt, and then chooses freely.

    Args:
        sampler: chooses each token.
        rest: the bytes of the prompt that are left open.
        vocabulary: of the tokenizer.
    """

    def __init__(self, sampler: Chooser, rest: bytes, vocabulary: Vocabulary) -> None:
        self.sampler, self.rest, self.vocabulary = sampler, rest, vocabulary

    def check(self, vocab_size: int) -> None:
        """As :meth:`~minigpt.generation.sampler.Sampler.check`, same arguments."""
        self.sampler.check(vocab_size)

    def __call__(self, logits: Tensor, generator: torch.Generator, ids: Tensor) -> Tensor:
        """One token; while the prompt lasts, one that agrees with the rest of it.

        Args:
            logits: ``(1, V)`` floating point.
            generator: the source of randomness.
            ids: ``(1, T)`` int64, the tokens so far.

        Returns:
            ``(1,)`` int64.
        """
        if not self.rest:
            return self.sampler(logits, generator, ids)
        agreeing = self.vocabulary.agreeing_with(self.rest)
        allowed = torch.full_like(logits, -torch.inf)
        allowed[:, list(agreeing)] = logits[:, list(agreeing)]
        token = self.sampler(allowed, generator, ids)
        self.rest = self.rest[len(agreeing[int(token)]) :]
        return token


def settled(prompt: str, borders: Borders, tokenizer: Tokenizer, vocabulary: Vocabulary) -> int:
    """How many of a prompt's first tokens are the text's, whatever follows the prompt; at least one of them.

    Where a token of the text may begin that reaches beyond the prompt, what comes before it is cut as if the prompt
    ended there; so the tokens count that all these ways to cut it agree on.

    Args:
        prompt: the first words of a document; with ``borders`` it has at least one token.
        borders: of the documents.
        tokenizer: between text and tokens.
        vocabulary: of the tokenizer.
    """
    tokens = borders.encode(tokenizer, prompt)
    n_settled = _before_open_bytes(tokens, tokenizer, vocabulary)
    for end in range(max(0, len(prompt) - vocabulary.longest), len(prompt)):
        if _may_go_on(prompt[end:].encode(), vocabulary):
            shorter = borders.encode(tokenizer, prompt[:end])
            pairs = zip(tokens, shorter, strict=False)
            n_settled = min(n_settled, len(list(takewhile(lambda pair: pair[0] == pair[1], pairs))))
    return max(n_settled, 1)


def _before_open_bytes(tokens: Sequence[int], tokenizer: Tokenizer, vocabulary: Vocabulary) -> int:
    """How many tokens come before the first byte at which a longer token may begin, perhaps inside a character."""
    tail, n_before = b"", len(tokens)
    for n in reversed(range(len(tokens))):
        if len(tail) >= vocabulary.longest:
            break
        first = tokenizer.token_bytes(tokens[n])
        tail = first + tail
        if any(_may_go_on(tail[start:], vocabulary) for start in range(len(first))):
            n_before = n
    return n_before


def _may_go_on(start: bytes, vocabulary: Vocabulary) -> bool:
    """Whether a token begins with ``start`` and is longer."""
    return any(len(token) > len(start) for token in vocabulary.starting_with(start))


def without_start(pieces: Iterable[bytes], n_bytes: int) -> Iterator[bytes]:
    """The pieces after the first ``n_bytes`` bytes of them, none of them empty."""
    for piece in pieces:
        left, n_bytes = piece[n_bytes:], max(0, n_bytes - len(piece))
        if left:
            yield left


def used_tokens(tokenizer: Tokenizer, ids: Iterable[int]) -> Iterator[tuple[bytes, int]]:
    """The bytes and the id of each token, of those ids that the tokenizer uses."""
    for token in ids:
        try:
            yield tokenizer.token_bytes(token), token
        except ValueError:  # an id that the tokenizer leaves unused
            continue
