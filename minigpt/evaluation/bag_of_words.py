r"""A baseline that knows every word and no order: the answer from a bag of the words that were given.

Softmax regression: each token that was given votes for each answer with a weight of its own, and the votes add up.

Dimensions: N tokens given, V vocabulary, K distinct answers.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from minigpt.equations import equation
from minigpt.model import next_token_loss
from minigpt.training import AdamW

Given = Sequence[int]  # the token ids before an answer


class BagOfWords:
    """The likeliest answer, from how often each token was given.

    Args:
        given: the token ids before each answer of the training examples.
        answers: these answers, as texts.
        vocab_size: V.
        steps: updates of the weights.
        seed: of the order of the examples.
    """

    def __init__(
        self, given: Sequence[Given], answers: Sequence[str], vocab_size: int, *, steps: int = 1000, seed: int = 0
    ) -> None:
        self.classes = sorted(set(answers))
        self.weights = torch.zeros(vocab_size, len(self.classes), requires_grad=True)
        numbers = {answer: k for k, answer in enumerate(self.classes)}
        targets = torch.tensor([numbers[answer] for answer in answers])
        bags = torch.stack([_count(ids, vocab_size) for ids in given])
        generator = torch.Generator().manual_seed(seed)
        optimizer = AdamW([self.weights], lr=0.02, weight_decay=0.0)
        for step in range(steps):
            optimizer.param_groups[0]["lr"] = 0.02 * (1 - step / steps)
            some = torch.randint(len(bags), (256,), generator=generator)
            next_token_loss(bag_of_words_logits(bags[some], self.weights), targets[some]).backward()
            optimizer.step()
            optimizer.zero_grad()

    def answer(self, given: Given) -> str:
        """The likeliest answer after these tokens."""
        bag = _count(given, len(self.weights))
        return self.classes[int(bag_of_words_logits(bag, self.weights.detach()).argmax())]


@equation(
    "bag-of-words",
    r"z_k = \sum_{v=1}^{V} c_v W_{vk}",
    symbols={
        "c": "(V) how often each token was given",
        "W": "(V, K) the vote of each token for each answer",
        "z": "(K) logits of the answers",
    },
    source="softmax regression on word counts: Nigam, Lafferty & McCallum 1999, IJCAI workshop on machine learning for "
    "information filtering",
)
def bag_of_words_logits(counts: Tensor, weights: Tensor) -> Tensor:
    """The logits of the answers.

    Args:
        counts: ``(..., V)`` how often each token was given.
        weights: ``(V, K)``.

    Returns:
        ``(..., K)``.
    """
    return counts @ weights


def _count(ids: Given, vocab_size: int) -> Tensor:
    return torch.bincount(torch.as_tensor(ids), minlength=vocab_size).float()
