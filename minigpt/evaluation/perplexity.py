"""How well a model predicts a text, in three units.

Only bits per byte can be compared between tokenizers: a longer token is harder to guess and covers more text. A special
token such as `<|endoftext|>`, the border between two documents, covers none: it has to be predicted, so its nats count,
but no byte of any file stands for it. The cost of the borders is therefore reported separately, too.

Dimensions: n predicted tokens, b bytes of UTF-8 that they stand for.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from minigpt.equations import equation
from minigpt.settings.language import Bilingual
from minigpt.text import Dataset, Tokenizer
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.text.tokenizers.tokenizer import text_lengths
from minigpt.training import split_loss

_FIGURES = Bilingual(
    "{:.4f} nats per token · perplexity {:.2f} · {:.4f} bits per byte ({})",
    "每词元 {:.4f} 奈特 · 困惑度 {:.2f} · 每字节 {:.4f} 比特（{}）",
)
_COUNTED = Bilingual("{:,} tokens, {:,} bytes", "{:,} 个词元，{:,} 字节")
_BORDERS = Bilingual(
    "; {:,} of the tokens are document borders, at {:.4f} nats each", "；其中 {:,} 个词元是文档边界，每个 {:.4f} 奈特"
)
PREDICTED = {"p": "(n) probability given to each token that came"}


@dataclass(frozen=True)
class Evaluation:
    """The figures of one model on one text.

    Attributes:
        nats: summed over the text.
        n_tokens: predicted tokens.
        n_bytes: the bytes of UTF-8 that they stand for: those of the text, and none for a document border.
        n_borders: how many of the tokens are document borders, or other special tokens.
        border_nats: what those cost, a part of ``nats``; ``None`` where that is not known.

    Raises:
        ValueError: if no token was predicted, or none of them stands for any text.
    """

    nats: float
    n_tokens: int
    n_bytes: int
    n_borders: int = 0
    border_nats: float | None = None

    def __post_init__(self) -> None:
        if self.n_tokens < 1 or self.n_bytes < 1:
            raise ValueError(f"{self.n_tokens} tokens of {self.n_bytes} bytes leave nothing to measure; give more text")

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

    @property
    def nats_per_border(self) -> float | None:
        """The mean cross-entropy of the document borders alone; ``None`` where there is none, or it is not known."""
        return None if self.border_nats is None or not self.n_borders else self.border_nats / self.n_borders

    def to_object(self) -> dict[str, float | None]:
        """The figures by name, as what JSON can hold."""
        names = ("nats_per_token", "perplexity", "bits_per_byte", "nats", "n_tokens", "n_bytes", "n_borders")
        return {name: getattr(self, name) for name in (*names, "nats_per_border")}

    def __str__(self) -> str:
        counted = _COUNTED.spoken().format(self.n_tokens, self.n_bytes)
        if self.nats_per_border is not None:
            counted += _BORDERS.spoken().format(self.n_borders, self.nats_per_border)
        return _FIGURES.spoken().format(self.nats_per_token, self.perplexity, self.bits_per_byte, counted)


def evaluate(model: nn.Module, data: Dataset, tokenizer: Tokenizer, batch_size: int = 32) -> Evaluation:
    """The loss of ``model`` on every token of ``data`` but the first.

    Args:
        model: maps ids ``(B, T)`` to logits ``(B, T, V)``.
        data: the text, as ids.
        tokenizer: what made the ids; tells how many bytes each stands for.
        batch_size: windows at once; changes the speed and nothing else.
    """
    loss = split_loss(model, data, batch_size)
    lengths = text_lengths(tokenizer)
    special = torch.tensor(sorted(tokenizer.special_tokens.values()), dtype=torch.int64)
    n_bytes = n_borders = 0
    for _, targets in data.windows(batch_size):
        counted = targets[targets != IGNORED_TARGET]
        n_bytes += int(lengths[counted.numpy()].sum())
        n_borders += int(torch.isin(counted, special).sum())
    if not n_borders:
        return Evaluation(loss.nats, loss.n_tokens, n_bytes)
    borders = split_loss(model, cast("Dataset", _Borders(data, special)), batch_size)
    return Evaluation(loss.nats, loss.n_tokens, n_bytes, n_borders, borders.nats)


@dataclass(frozen=True)
class _Borders:
    """The windows of a text that have a special token to predict, and no other target in them."""

    data: Dataset
    special: Tensor

    def windows(self, batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
        for inputs, targets in self.data.windows(batch_size):
            has_border = torch.isin(targets, self.special)
            if (rows := has_border.any(dim=1)).any():
                yield inputs[rows], torch.where(has_border, targets, IGNORED_TARGET)[rows]
