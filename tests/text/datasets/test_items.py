"""minigpt/text/datasets/items.py: map-style data as batches that are a pure function of the step."""

import numpy as np
import pytest
import torch

import minigpt as mg
from minigpt.text.datasets.items import ItemDataset, as_dataset

ITEMS = [torch.arange(i, i + 4) for i in range(10)]


def numbers(batches):
    """The first input of each row, which is the number of its item."""
    return [int(row[0]) for inputs, _ in batches for row in inputs]


def test_an_item_of_ids_is_its_own_target_one_token_later():
    (inputs, targets), *_ = ItemDataset(ITEMS).windows(2)
    assert inputs.tolist() == [[0, 1, 2], [1, 2, 3]]
    assert targets.tolist() == [[1, 2, 3], [2, 3, 4]]


@pytest.mark.parametrize("make", [tuple, list, np.array, torch.tensor], ids=["tuple", "list", "numpy", "torch"])
def test_a_pair_is_inputs_and_targets_and_the_shorter_item_is_filled_up(make):
    pairs = [(make([1, 2, 3]), make([-100, 9, 8])), (make([4, 5]), make([6, 7]))]
    ((inputs, targets),) = ItemDataset(pairs).windows(5)
    assert inputs.tolist() == [[1, 2, 3], [4, 5, 0]]
    assert targets.tolist() == [[-100, 9, 8], [6, 7, -100]]
    assert inputs.dtype == targets.dtype == torch.int64


@pytest.mark.parametrize("number", [int, np.int64, np.uint16, torch.tensor])
@pytest.mark.parametrize("kind", [list, tuple])
def test_an_item_of_two_numbers_is_no_pair(kind, number):
    ((inputs, targets),) = ItemDataset([kind([number(7), number(8)])]).windows(1)
    assert (inputs.tolist(), targets.tolist()) == ([[7]], [[8]])


def test_every_epoch_has_each_item_once_in_another_order():
    data = ItemDataset(ITEMS)
    first, second = (numbers(data.batch(step, 2) for step in range(start, start + 5)) for start in (0, 5))
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second != list(range(10))
    assert numbers(data.batch(step, 2, seed=1) for step in range(5)) != first


def test_the_ranks_share_the_batch_of_one():
    data = ItemDataset(ITEMS)
    alone = numbers([data.batch(3, 4)])
    assert numbers(data.batch(3, 4, rank=rank, world_size=2) for rank in (0, 1)) == alone


def test_the_fingerprint_tells_data_from_other_data():
    other = [*ITEMS[:-1], torch.arange(5)]
    prints = {ItemDataset(items).fingerprint for items in (ITEMS, other, ITEMS[:-1], [(t[:-1], t[1:]) for t in other])}
    assert len(prints) == 3  # the last is the second, said in pairs
    assert ItemDataset(list(ITEMS)).fingerprint in prints


def test_the_fingerprint_reads_few_items():
    class Counted(list):
        read = 0

        def __getitem__(self, i):
            self.read += 1
            return super().__getitem__(i)

    data = Counted(ITEMS * 100_000)
    assert ItemDataset(data).fingerprint
    assert data.read < 100


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "the data has no item"),
        ([{"input_ids": [1, 2]}], r"item 0 of the data is a dict; expected token ids \(n,\), or a pair"),
        ([torch.ones(4)], r"item 0 of the data is float32 \(4,\)"),
        ([torch.tensor([True, False])], r"item 0 of the data is bool \(2,\)"),
        ([torch.ones(2, 4, dtype=torch.int64)], r"item 0 of the data is int64 \(2, 4\)"),
        ([torch.tensor([3])], "item 0 of the data has 0 inputs and 0 targets"),
        ([([1, 2, 3], [2, 3])], "item 0 of the data has 3 inputs and 2 targets"),
        ([([1, 2], [2, -1])], "item 0 of the data holds the id -1; a target that does not count is -100"),
        ([[1, 2, 50]], "the data holds token id 50, but vocab_size=50"),
        ([list(range(10))], "item 0 of the data has 9 inputs, the model takes 8; cut the items shorter"),
    ],
)
def test_what_can_not_be_learnt_from_is_refused_by_the_first_batch(items, message):
    with pytest.raises(ValueError, match=message):
        ItemDataset(items, context_length=8, vocab_size=50).batch(0, 1)


@pytest.mark.parametrize(("n_items", "n_seen"), [(1, "1"), (3, "3"), (10**9, "1,000")])
def test_data_in_which_no_target_counts_is_refused(n_items, n_seen):
    class Asked:
        def __len__(self):
            return n_items

        def __getitem__(self, i):
            return [1, 2], [-100, -100]

    with pytest.raises(ValueError, match=rf"looked at \({n_seen}\), each target is -100: there is nothing to learn;"):
        ItemDataset(Asked())


def test_one_target_that_counts_is_enough():
    items = [([1, 2], [-100, -100])] * 9 + [([1, 2], [-100, 0])]
    assert ItemDataset(items).n_items == 10


def test_data_that_makes_batches_stays_as_it_is_if_it_is_whole():
    data = mg.TokenDataset(torch.arange(9), 4, vocab_size=9)
    assert as_dataset(data) is data

    class Half:
        vocab_size, context_length, fingerprint = 5, 4, "half"

        def batch(self, step, batch_size):
            raise NotImplementedError

    with pytest.raises(ValueError, match=r"Half has no floor, windows; expected a minigpt\.TokenDataset"):
        as_dataset(Half())
