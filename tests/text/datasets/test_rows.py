import numpy as np
import pytest
import torch
from torch.testing import assert_close

from minigpt.model import GPT, GPTConfig, next_token_loss
from minigpt.text.datasets.rows import Row, RowDataset
from minigpt.text.datasets.windows import IGNORED_TARGET

VOCAB = 50


def ragged(i):
    """Row i has 2 to 8 tokens, and its first is given."""
    length = 2 + i * 5 % 7
    return Row([(i + t) % VOCAB for t in range(length)], [t > 0 for t in range(length)])


def rows(n_rows=None, row=ragged, context_length=16, keep="start"):
    return RowDataset(row, n_rows, context_length, VOCAB, "ragged", keep)


def test_targets_are_the_inputs_one_token_later_where_they_count():
    data = rows(row=lambda i: Row([5, 6, 7, 8], [False, False, True, True]), context_length=3)
    inputs, targets = data.batch(0, 1)
    assert inputs.tolist() == [[5, 6, 7]]
    assert targets.tolist() == [[IGNORED_TARGET, 7, 8]]


def test_a_batch_is_as_wide_as_its_longest_row_and_padding_is_no_target():
    inputs, targets = rows(n_rows=7).batch(0, 7)
    lengths = [len(ragged(i).ids) - 1 for i in range(7)]
    assert inputs.shape == (7, max(lengths))
    assert sorted((targets != IGNORED_TARGET).sum(1).tolist()) == sorted(lengths)


@pytest.mark.parametrize(("context_length", "width"), [(3, 3), (13, 13), (64, 16)])
def test_a_batch_of_a_stream_is_a_multiple_of_8_wide_if_the_context_allows_it(context_length, width):
    data = rows(row=lambda i: Row([1] * 15, [True] * 15), context_length=context_length)
    assert data.batch(0, 3)[0].shape == (3, width)


def test_at_the_reading_steps_what_is_given_counts_too():
    given = Row([5, 6, 7, 8], [False, False, False, True])
    data = RowDataset(lambda i: given, None, 3, VOCAB, "", reading_steps=2)
    told = [data.batch(step, 1)[1].tolist() for step in range(3)]
    assert told == [[[6, 7, 8]], [[6, 7, 8]], [[IGNORED_TARGET, IGNORED_TARGET, 8]]]
    assert data.batch(0, 1)[1].dtype == torch.int64


def test_at_the_reading_steps_a_sample_of_what_is_given_counts():
    generator = np.random.default_rng(0)
    rows = [Row(generator.integers(VOCAB, size=40).tolist(), [False] * 30 + [True] * 10) for _ in range(200)]
    data = RowDataset(lambda i: rows[i % 200], None, 39, VOCAB, "", reading_steps=25, reading_share=0.3)
    counts = torch.cat([data.batch(step, 8)[1] for step in range(25)]) != IGNORED_TARGET
    assert counts[:, 29:].all()
    assert abs(counts[:, :29].double().mean() - 0.3) < 0.02  # 3 standard deviations
    assert counts[:, :29].double().mean(0).min() > 0.15  # each position has its turn
    halves = [data.batch(3, 8, rank=rank, world_size=2)[1] for rank in range(2)]
    assert torch.equal(torch.cat(halves), data.batch(3, 8)[1])
    assert (data.batch(25, 8)[1][:, :29] == IGNORED_TARGET).all()


def test_what_is_filled_in_changes_neither_the_loss_nor_the_gradient():
    """The loss of padded rows is that of the rows one by one, weighted by their tokens."""
    model = GPT(
        GPTConfig(vocab_size=VOCAB, context_length=16, d_model=16, n_heads=2, n_layers=2),
        generator=torch.Generator().manual_seed(0),
    ).double()

    def loss_and_gradient(batches):
        model.zero_grad()
        total = sum(next_token_loss(model(x), y, reduction="sum") for x, y in batches)
        total.backward()
        return total.detach(), model.token_embedding.weight.grad.clone()

    together = loss_and_gradient([rows(n_rows=7).batch(0, 7)])
    alone = loss_and_gradient([rows(n_rows=7).batch(step, 1) for step in range(7)])
    assert_close(together, alone)


@pytest.mark.parametrize("batch_size", [1, 6])
def test_a_stream_is_dealt_by_length_and_every_row_comes_once(batch_size):
    lengths = [9, 17, 25, 33, 41]  # with their last token, which is no input, taken off: multiples of 8
    data = rows(row=lambda i: Row([i % VOCAB] * lengths[i * 7 % 5], [True] * lengths[i * 7 % 5]), context_length=64)
    hands = [[data.batch(8 * hand + turn, batch_size) for turn in range(8)] for hand in range(3)]
    for hand, batches in enumerate(hands):
        first = 8 * hand * batch_size
        told = sorted(int(row) for inputs, _ in batches for row in inputs[:, 0])
        assert told == sorted(i % VOCAB for i in range(first, first + 8 * batch_size))
        filled = sum(int((targets == IGNORED_TARGET).sum()) for _, targets in batches)
        assert filled <= 32 * (batch_size - 1)  # as many as the longest and the shortest differ by, once a row
    widths = [[inputs.shape[1] for inputs, _ in batches] for batches in hands]
    assert all(order != sorted(order) for order in widths)


def test_a_step_of_a_stream_is_the_same_whatever_was_asked_before():
    asked = [rows() for _ in range(2)]
    asked[0].batch(17, 4)
    assert all(torch.equal(a, b) for a, b in zip(asked[0].batch(3, 4), asked[1].batch(3, 4), strict=True))


def test_ranks_share_the_rows_of_the_global_batch():
    whole = sorted(x for x in _told(rows(), 3, 6, 1))
    assert sorted(_told(rows(), 3, 6, 3)) == whole


def _told(data, step, batch_size, world_size):
    batches = [data.batch(step, batch_size, rank=rank, world_size=world_size) for rank in range(world_size)]
    return [int(first) for inputs, _ in batches for first in inputs[:, 0]]


def test_an_epoch_has_every_row_once_and_the_next_another_order():
    data = rows(n_rows=13)
    epochs = [[int(data.batch(epoch * 13 + i, 1, seed=4)[0][0, 0]) for i in range(13)] for epoch in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(13))
    assert epochs[0] != epochs[1]
    assert epochs[0] != [int(data.batch(i, 1, seed=5)[0][0, 0]) for i in range(13)]


def test_windows_give_every_row_once_in_order():
    batches = list(rows(n_rows=13).windows(5))
    assert [len(inputs) for inputs, _ in batches] == [5, 5, 3]
    assert [int(first) for inputs, _ in batches for first in inputs[:, 0]] == list(range(13))


@pytest.mark.parametrize(("keep", "kept"), [("start", [0, 1, 2, 3]), ("end", [6, 7, 8, 9])])
def test_a_row_that_is_too_long_keeps_one_end(keep, kept):
    data = rows(row=lambda i: Row(range(10), [True] * 10), context_length=3, keep=keep)
    inputs, targets = data.batch(0, 1)
    assert inputs.tolist() == [kept[:-1]]
    assert targets.tolist() == [kept[1:]]


def test_ids_may_come_as_arrays():
    data = rows(row=lambda i: Row(np.arange(4), np.array([False, True, True, False])), context_length=3)
    assert data.batch(0, 1)[1].tolist() == [[1, 2, IGNORED_TARGET]]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: rows(n_rows=0), "n_rows=0 must be at least 1"),
        (lambda: rows(context_length=0), "context_length=0 must be at least 1"),
        (lambda: rows(keep="middle"), "keep='middle' is unknown"),
        (lambda: RowDataset(ragged, None, 16, VOCAB, "", reading_share=1.5), "reading_share=1.5 must be between"),
        (lambda: list(rows().windows(2)), "stream without end"),
        (lambda: list(rows(3).windows(0)), "batch_size=0"),
        (lambda: rows().batch(-1, 2), "step=-1"),
        (lambda: rows().batch(0, 3, rank=0, world_size=2), "must be divisible"),
        (lambda: rows(row=lambda i: Row([1, VOCAB], [True, True])).batch(0, 1), f"token id {VOCAB}"),
    ],
)
def test_what_can_not_be_is_one_clear_error(make, message):
    with pytest.raises(ValueError, match=message):
        make()
