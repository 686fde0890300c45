"""How well a model predicts a text, in three units.

Only bits per byte can be compared between tokenizers: a longer token is harder to guess and covers more text.

Dimensions: n predicted tokens, b bytes of UTF-8 that they stand for.
"""

import math
from dataclasses import dataclass

import numpy as np
from torch import nn

from minigpt.equations import equation
from minigpt.text import Dataset, Tokenizer
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.training import split_loss

PREDICTED = {"p": "(n) probability given to each token that came"}


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model on one text.

    Attributes:
        nats: summed over the text.
        n_tokens: predicted tokens.
        n_bytes: the bytes of UTF-8 that they stand for.
    """

    nats: float
    n_tokens: int
    n_bytes: int

    @property
    @equation(
        "nats-per-token",
        r"L = -\frac{1}{n} \sum_{i=1}^{n} \log(p_i)",
        symbols=PREDICTED | {"L": "() mean loss in nats"},
        source="the loss of the seed document, section 3.2, over a text",
    )
    def nats_per_token(self) -> float:
        """The mean cross-entropy."""
        return self.nats / self.n_tokens

    @property
    @equation(
        "perplexity",
        r"P = \exp\left(-\frac{1}{n} \sum_{i=1}^{n} \log(p_i)\right)",
        symbols=PREDICTED | {"P": "() perplexity"},
        source="Jelinek, Mercer, Bahl & Baker 1977, J. Acoust. Soc. Am. 62",
    )
    def perplexity(self) -> float:
        """As uncertain as a choice among this many equally likely tokens; infinite where float64 has no such number."""
        try:
            return math.exp(self.nats_per_token)
        except OverflowError:
            return math.inf

    @property
    @equation(
        "bits-per-byte",
        r"B = -\frac{1}{b} \sum_{i=1}^{n} \log_2(p_i)",
        symbols=PREDICTED | {"b": "() bytes of UTF-8", "B": "() bits per byte"},
        source="Gao et al. 2020, arXiv:2101.00027, section 3.1",
    )
    def bits_per_byte(self) -> float:
        """Comparable between tokenizers: how far the model would compress the text, ×8."""
        return self.nats / math.log(2) / self.n_bytes

    def to_object(self) -> dict[str, float]:
        """The figures by name, as what JSON can hold."""
        names = ("nats_per_token", "perplexity", "bits_per_byte", "nats", "n_tokens", "n_bytes")
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        return (
            f"{self.nats_per_token:.4f} nats per token · perplexity {self.perplexity:.2f} · "
            f"{self.bits_per_byte:.4f} bits per byte ({self.n_tokens:,} tokens, {self.n_bytes:,} bytes)"
        )


def evaluate(model: nn.Module, data: Dataset, tokenizer: Tokenizer, batch_size: int = 32) -> Evaluation:
    """The loss of ``model`` on every token of ``data`` but the first.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        data: the text, as ids.
        tokenizer: what made the ids; tells how many bytes each stands for.
        batch_size: windows at once; changes the speed and nothing else.
    """
    loss = split_loss(model, data, batch_size)
    lengths = np.array([len(tokenizer.token_bytes(token)) for token in range(tokenizer.vocab_size)])
    n_bytes = 0
    for _, targets in data.windows(batch_size):
        n_bytes += int(lengths[targets[targets != IGNORED_TARGET].numpy()].sum())
    return Evaluation(loss.nats, loss.n_tokens, n_bytes)
