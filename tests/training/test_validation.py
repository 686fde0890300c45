import math
from itertools import product

import pytest
import torch

from minigpt.model import next_token_loss
from minigpt.text import RowDataset, TokenDataset
from minigpt.text.datasets.rows import Row
from minigpt.training import split_loss


def test_the_loss_is_that_of_every_window_without_dropout(make_model, data):
    model = make_model(dropout=0.5).double()
    model.train().blocks[0].eval()
    modes = [module.training for module in model.modules()]
    loss = split_loss(model, data, batch_size=5)
    assert split_loss(model, data, batch_size=5) == loss
    assert [module.training for module in model.modules()] == modes
    model.eval()
    nats = sum(next_token_loss(model(x), y, reduction="sum").item() for x, y in data.windows(5))
    assert loss.nats == pytest.approx(nats, rel=1e-12)


def test_every_token_but_the_first_is_counted_whatever_the_batch(make_model, data):
    model = make_model().double()
    losses = [split_loss(model, data, batch_size) for batch_size in (1, 7, 64)]
    assert all(loss.n_tokens == data.n_tokens - 1 for loss in losses)
    assert losses[0].mean == pytest.approx(losses[1].mean, rel=1e-12)
    assert losses[0].mean == pytest.approx(losses[2].mean, rel=1e-12)


def test_the_loss_of_a_text_is_that_of_the_product_of_its_conditional_probabilities(make_model):
    model = make_model(vocab_size=3, context_length=3).double()
    probabilities = []
    for text in product(range(3), repeat=4):
        loss = split_loss(model, TokenDataset(torch.tensor(text), 3, vocab_size=3))
        conditional = [torch.softmax(model(torch.tensor([text[:t]]))[0, -1], -1)[text[t]].item() for t in range(1, 4)]
        assert loss.nats == pytest.approx(-math.log(math.prod(conditional)), rel=1e-12)
        probabilities.append(math.exp(-loss.nats))
    # after each first token, all texts together are certain
    assert [sum(probabilities[first * 27 : first * 27 + 27]) for first in range(3)] == pytest.approx([1, 1, 1])


def test_a_split_without_a_target_that_counts_has_no_loss(make_model):
    ids = torch.tensor([0, 1, 2])
    silent = RowDataset(lambda i: Row(ids.tolist(), [False] * 3), 4, 8, 5, "silent")
    with pytest.raises(ValueError, match=r"^no target of the split counts: all are -100, so it has no loss. Leave out"):
        split_loss(make_model(), silent)
