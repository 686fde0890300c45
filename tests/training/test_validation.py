import pytest

from minigpt.model import next_token_loss
from minigpt.training import split_loss


def test_the_loss_is_that_of_every_window_without_dropout(make_model, data):
    model = make_model(dropout=0.5).double()
    model.train()
    loss = split_loss(model, data, batch_size=5)
    assert split_loss(model, data, batch_size=5) == loss
    assert model.training  # as it was before
    model.eval()
    nats = sum(next_token_loss(model(x), y, reduction="sum").item() for x, y in data.windows(5))
    assert loss.nats == pytest.approx(nats, rel=1e-12)


def test_every_token_but_the_first_is_counted_whatever_the_batch(make_model, data):
    model = make_model().double()
    losses = [split_loss(model, data, batch_size) for batch_size in (1, 7, 64)]
    assert all(loss.n_tokens == data.n_tokens - 1 for loss in losses)
    assert losses[0].mean == pytest.approx(losses[1].mean, rel=1e-12)
    assert losses[0].mean == pytest.approx(losses[2].mean, rel=1e-12)
