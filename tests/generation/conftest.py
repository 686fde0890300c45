"""Small stand-ins for a model and a tokenizer, whose every answer is known beforehand."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parent))  # the tests import the campaign beside them


class TableModel(nn.Module):
    """A bigram model: the logits after a token are that token's row of a fixed (V, V) table.

    It records the length and the mode of every call.
    """

    def __init__(self, table: Tensor, context_length: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(vocab_size=len(table), context_length=context_length)
        self.table = nn.Parameter(table)
        self.frozen_part = nn.Dropout(0.5).eval()
        self.calls: list[tuple[int, bool]] = []

    def forward(self, ids: Tensor) -> Tensor:
        self.calls.append((ids.shape[1], self.training or self.frozen_part.training))
        return self.table[ids]


class Reciter(nn.Module):
    """A model that knows one sequence of tokens by heart: at position t it is sure of token t + 1."""

    def __init__(self, tokens: list[int], vocab_size: int) -> None:
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab_size, context_length=len(tokens))
        self.register_buffer("logits", 1000.0 * F.one_hot(torch.tensor([*tokens[1:], 0]), vocab_size))

    def forward(self, ids: Tensor) -> Tensor:
        return self.logits[: ids.shape[1]].expand(len(ids), -1, -1)


class ByteTokenizer:
    """One token a byte, and one special token."""

    def __init__(self) -> None:
        self.special_tokens = {"<|endoftext|>": 256}
        self.vocab_size = 257

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: list[int]) -> str:
        return b"".join(map(self.token_bytes, ids)).decode(errors="replace")

    def token_bytes(self, token: int) -> bytes:
        return b"<|endoftext|>" if token == 256 else bytes([token])


@pytest.fixture
def tokenizer() -> ByteTokenizer:
    return ByteTokenizer()


@pytest.fixture
def table_model() -> Callable[..., TableModel]:
    """Build a bigram model over ``vocab_size`` tokens with random logits."""

    def build(vocab_size: int = 7, context_length: int = 5) -> TableModel:
        table = torch.randn(vocab_size, vocab_size, generator=torch.Generator().manual_seed(1))
        return TableModel(3 * table, context_length)

    return build


@pytest.fixture
def reciter() -> Callable[..., Reciter]:
    """Build a model that recites a text, byte by byte, or a list of token ids."""

    def build(text: str | list[int], vocab_size: int = 257) -> Reciter:
        return Reciter(list(text.encode()) if isinstance(text, str) else text, vocab_size)

    return build
