r"""How many answers are right, to the letter: a model beside baselines that cannot attend.

A greedy continuation equals the answer exactly if each token of the answer is the likeliest one after those before it,
so one pass over the example with its answer tells what token-by-token generation would have written:

$$\forall t: \quad x_t = \operatorname{arg\,max}_i\; p(i \mid x_{<t})$$

The baselines are asked the same. A 5-gram knows the last four tokens. A bag of words knows every word that was given,
but not their order, nor who did what to whom. Where both fail and a Transformer does not, it takes attention.

Dimensions: B rows, T positions.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from minigpt.evaluation.bag_of_words import BagOfWords
from minigpt.model import GPT, NGram
from minigpt.text import Tokenizer
from minigpt.text.tinyworld import Part, encode_parts

Greedy = Callable[[Tensor], Tensor]  # ids (B, T) to the likeliest next ids (B, T)


@dataclass(frozen=True)
class Score:
    """How many answers of one kind were right.

    Attributes:
        answers: how many were asked for.
        exact: how many were right to the last token.
        tokens: their tokens, line ends included.
        right_tokens: how many of these were the likeliest, given the right ones before.
    """

    answers: int = 0
    exact: int = 0
    tokens: int = 0
    right_tokens: int = 0

    @property
    def exact_match(self) -> float:
        """The share of answers that are right."""
        return self.exact / self.answers

    @property
    def token_accuracy(self) -> float:
        """The share of tokens that are right."""
        return self.right_tokens / self.tokens

    def to_object(self) -> dict[str, float]:
        """The counts and the shares by name, as what JSON can hold."""
        names = ("answers", "exact", "tokens", "right_tokens", "exact_match", "token_accuracy")
        return {name: getattr(self, name) for name in names}

    def __add__(self, other: "Score") -> "Score":
        return Score(*(a + b for a, b in zip(self._fields(), other._fields(), strict=True)))

    def _fields(self) -> tuple[int, int, int, int]:
        return self.answers, self.exact, self.tokens, self.right_tokens


Scores = dict[str, Score]  # by kind of answer


def score_answers(
    greedy: Greedy, examples: Sequence[Sequence[Part]], tokenizer: Tokenizer, context_length: int, batch_size: int = 64
) -> Scores:
    """Score a model's answers, one kind at a time.

    Args:
        greedy: gives the likeliest next token after each position, ``(B, T)`` → ``(B, T)``; :func:`greedy_gpt` and
            :func:`greedy_ngram` make one.
        examples: texts in parts; those with a kind are the answers.
        tokenizer: encodes each part.
        context_length: T, in tokens; an answer is only right if its example fits.
        batch_size: examples at once; changes the speed and nothing else.
    """
    scores: Scores = defaultdict(Score)
    for first in range(0, len(examples), batch_size):
        encoded = [encode_parts(parts, tokenizer) for parts in examples[first : first + batch_size]]
        rows = [ids[: context_length + 1] for ids, _ in encoded]
        longest = max(map(len, rows))
        padded = torch.tensor([ids + [0] * (longest - len(ids)) for ids in rows])
        likeliest = greedy(padded[:, :-1])
        for said, (ids, answers) in zip(likeliest.tolist(), encoded, strict=True):
            for kind, start, stop in answers:
                right = sum(a == b for a, b in zip(said[start - 1 : stop - 1], ids[start:stop], strict=False))
                scores[kind] += Score(1, int(right == stop - start), stop - start, right)
    return dict(sorted(scores.items()))


def greedy_gpt(model: GPT) -> Greedy:
    """What a GPT holds likeliest; it must be in evaluation mode."""

    def greedy(ids: Tensor) -> Tensor:
        with torch.inference_mode():
            likeliest: Tensor = model(ids.to(next(model.parameters()).device)).argmax(-1)
        return likeliest.cpu()

    return greedy


def greedy_ngram(model: NGram) -> Greedy:
    """What an n-gram model holds likeliest."""

    @cache
    def after(context: tuple[int, ...]) -> int:
        return int(model.probabilities(context).argmax())

    def greedy(ids: Tensor) -> Tensor:
        seen = model.order - 1
        return torch.tensor(
            [[after(tuple(row[max(0, t + 1 - seen) : t + 1])) for t in range(len(row))] for row in ids.tolist()]
        )

    return greedy


def score_bag_of_words(bag: BagOfWords, examples: Sequence[Sequence[Part]], tokenizer: Tokenizer) -> Scores:
    """Score the answers of a bag of words; it gives whole answers, so their tokens are all right or all wrong."""
    scores: Scores = defaultdict(Score)
    for parts in examples:
        ids, answers = encode_parts(parts, tokenizer)
        for kind, start, stop in answers:
            right = bag.answer(ids[:start]) == tokenizer.decode(ids[start:stop])
            scores[kind] += Score(1, right, stop - start, right * (stop - start))
    return dict(sorted(scores.items()))
