"""A model and a text small enough to train in a blink."""

import pytest
import torch

import minigpt as mg

TEXT = "the cat sat on the mat. the dog sat on the log. " * 20


@pytest.fixture
def tokenizer():
    return mg.CharTokenizer.train(TEXT)


@pytest.fixture
def data(tokenizer):
    return mg.TokenDataset.from_text(TEXT, tokenizer, 16)


@pytest.fixture
def make_model(tokenizer):
    def make(**changes):
        small = {"vocab_size": tokenizer.vocab_size, "context_length": 16, "d_model": 16, "n_heads": 2, "n_layers": 1}
        return mg.GPT(mg.GPTConfig(**{**small, **changes}), generator=torch.Generator().manual_seed(0))

    return make
