"""minigpt/evaluation/copies.py: figures of two models whose logits are known."""

import math

import pytest
import torch

import minigpt as mg
from minigpt.evaluation import copy_error


class Table(torch.nn.Module):
    def __init__(self, table):
        super().__init__()
        self.table = table

    def forward(self, ids):
        return self.table[ids]


def test_each_figure_is_that_of_its_definition():
    tables = torch.randn(2, 5, 5, generator=torch.Generator().manual_seed(0))
    tokens = torch.randint(0, 5, (24,), generator=torch.Generator().manual_seed(1))
    found = copy_error(*map(Table, tables), mg.TokenDataset(tokens, 7, vocab_size=5), batch_size=2)
    kl = same = 0.0
    nats, largest = [0.0, 0.0], 0.0
    for x, y in zip(tokens[:-1].tolist(), tokens[1:].tolist(), strict=True):
        p, q = ([math.exp(z) for z in table[x].tolist()] for table in tables)
        p, q = [v / sum(p) for v in p], [v / sum(q) for v in q]
        kl += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
        same += p.index(max(p)) == q.index(max(q))
        nats = [nats[0] - math.log(p[y]), nats[1] - math.log(q[y])]
        largest = max(largest, *(abs(a - b) for a, b in zip(*tables[:, x].tolist(), strict=True)))
    assert found.n_tokens == 23
    assert found.logit_difference == pytest.approx(largest)
    assert found.kl == pytest.approx(kl / 23, rel=1e-5)
    assert found.top_1 == same / 23
    assert (found.perplexity, found.perplexity_of_copy) == pytest.approx([math.exp(n / 23) for n in nats], rel=1e-5)
    assert str(found).endswith(f"perplexity {found.perplexity:.3f} → {found.perplexity_of_copy:.3f} (23 tokens)")


def test_a_copy_of_8_bits_is_close_and_the_model_itself_is_equal():
    model = mg.GPT(mg.GPTConfig(vocab_size=9, context_length=8, d_model=16, n_layers=1, n_heads=2)).train()
    data = mg.TokenDataset(torch.randint(0, 9, (40,)), 8, vocab_size=9)
    exact, rough = copy_error(model, model, data), copy_error(model, mg.for_generation(model, "int8"), data)
    assert (exact.logit_difference, exact.kl, exact.top_1) == (0, 0, 1)
    assert 0 < rough.kl < 1e-3 < rough.logit_difference < 0.05
    assert model.training
