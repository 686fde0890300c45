"""Models whose next-token distributions are quick to compute, for tests of searches and samplers."""

import itertools

import torch
from torch import nn

import minigpt as mg


class Table(nn.Module):
    """Logits that depend on the last two tokens, from a random table."""

    def __init__(self, vocab_size, seed=0, scale=1.0, context_length=64):
        super().__init__()
        self.config = mg.GPTConfig(
            vocab_size=vocab_size, context_length=context_length, d_model=4, n_layers=1, n_heads=1
        )
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("table", scale * torch.randn(vocab_size, vocab_size, vocab_size, generator=generator))

    def forward(self, ids):
        before = torch.cat([ids[:, :1], ids[:, :-1]], dim=1)
        return self.table[before, ids]

    def distribution(self, prompt, n, sampler):
        """The probability of each text of n tokens after a prompt, from the sampler's rules alone."""
        found = {}
        for tokens in itertools.product(range(self.config.vocab_size), repeat=n):
            row, p = list(prompt), 1.0
            for token in tokens:
                ids = torch.tensor([row])
                p *= float(sampler.probabilities(self(ids)[:, -1], ids)[0, token])
                row.append(token)
            found[tokens] = p
        return found


def small_gpt(seed=0, **changes):
    settings = {"vocab_size": 11, "context_length": 24, "d_model": 16, "n_layers": 2, "n_heads": 2} | changes
    model = mg.GPT(mg.GPTConfig(**settings), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(4)  # so that the distributions are not flat
    return model
