from collections import Counter

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from torch.utils.data import DataLoader

from minigpt.text.datasets.windows import IGNORED_TARGET, TokenDataset
from minigpt.text.shards.shard import open_shards, write_shard
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.characters import CharTokenizer


def counting(n_tokens, context_length):
    """Token i is i, so that a batch tells where it was read."""
    return TokenDataset(np.arange(n_tokens), context_length, vocab_size=n_tokens)


def epoch_batches(data, epoch, seed=0):
    """The rows of one epoch, a batch of one each."""
    first = epoch * data.n_windows
    return [data.batch(step, 1, seed=seed) for step in range(first, first + data.n_windows)]


def epoch_starts(data, epoch, seed=0):
    return [int(inputs[0, 0]) for inputs, _ in epoch_batches(data, epoch, seed)]


def counted(targets):
    return targets[targets != IGNORED_TARGET].tolist()


def test_targets_are_the_inputs_one_token_later():
    inputs, targets = counting(1000, 7).batch(3, 5)
    assert inputs.shape == targets.shape == (5, 7)
    assert inputs.dtype == targets.dtype == torch.int64
    assert_close(targets, inputs + 1)


SIZES = [(2, 1), (8, 7), (9, 7), (13, 7), (14, 7), (15, 7), (16, 7), (1000, 7), (129, 1), (383, 128)]


@pytest.mark.parametrize(("n_tokens", "context_length"), SIZES)
def test_every_token_but_the_first_is_a_target_exactly_once_an_epoch(n_tokens, context_length):
    data = counting(n_tokens, context_length)
    for epoch in range(5):
        targets = [counted(targets) for _, targets in epoch_batches(data, epoch)]
        assert sorted(token for row in targets for token in row) == list(range(1, n_tokens))
        assert all(targets)


@pytest.mark.parametrize(("n_tokens", "context_length"), SIZES)
def test_a_row_is_a_whole_piece_of_the_text_and_its_targets_are_what_follows(n_tokens, context_length):
    data = counting(n_tokens, context_length)
    for epoch in range(3):
        for inputs, targets in epoch_batches(data, epoch):
            assert_close(inputs[0], torch.arange(inputs[0, 0], inputs[0, 0] + context_length))
            assert_close(torch.where(targets == IGNORED_TARGET, inputs + 1, targets), inputs + 1)


def test_the_last_characters_of_a_text_are_learnt():
    text = "abcdefghij" * 38 + "XYZ"
    tokenizer = CharTokenizer.train(text)
    data = TokenDataset.from_text(text, tokenizer, 128)
    found = tokenizer.decode(sorted(set(counted(torch.cat([targets for _, targets in epoch_batches(data, 0)])))))
    assert found == "XYZabcdefghij"


@pytest.mark.parametrize(("batch_size", "world_size"), [(1, 1), (4, 2), (6, 3), (8, 8)])
def test_the_ranks_together_learn_every_token_once_an_epoch(batch_size, world_size):
    data = counting(100, 7)
    targets = [
        data.batch(step, batch_size, seed=2, rank=rank, world_size=world_size)[1]
        for step in range(data.n_windows)  # with batch_size rows a step, so many epochs
        for rank in range(world_size)
    ]
    assert Counter(counted(torch.cat(targets))) == dict.fromkeys(range(1, 100), batch_size)


def test_later_epochs_see_other_cuts_in_another_order():
    data = counting(1000, 10)
    first, second = epoch_starts(data, 0), epoch_starts(data, 1)
    assert sorted(first)[1] != sorted(second)[1]
    assert np.argsort(first).tolist() != np.argsort(second).tolist()


def test_a_batch_depends_on_its_arguments_alone():
    data, again = counting(1000, 7), counting(1000, 7)
    later = data.batch(500, 4, seed=3)
    for step in range(20):
        data.batch(step, 4, seed=8)
    assert_close(later, data.batch(500, 4, seed=3))
    assert_close(later, again.batch(500, 4, seed=3))


def test_the_order_is_the_same_on_every_machine():
    assert counting(1000, 10).batch(0, 6, seed=1)[0][:, 0].tolist() == [0, 545, 85, 155, 35, 205]


def test_another_seed_gives_another_order():
    data = counting(1000, 7)
    assert epoch_starts(data, 0, seed=0) != epoch_starts(data, 0, seed=1)


@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 6, 12])
def test_the_ranks_of_any_world_size_give_the_same_global_batch(world_size):
    data = counting(1000, 7)
    for step in (0, 11, 12):
        rows = [data.batch(step, 12, seed=5, rank=rank, world_size=world_size) for rank in range(world_size)]
        inputs, targets = data.batch(step, 12, seed=5)
        assert_close(torch.cat([row[0] for row in rows]), inputs)
        assert_close(torch.cat([row[1] for row in rows]), targets)


def test_the_batch_size_does_not_change_the_order_of_samples():
    data = counting(1000, 7)
    by_one = torch.cat([data.batch(step, 1)[0] for step in range(300)])
    by_six = torch.cat([data.batch(step, 6)[0] for step in range(50)])
    assert_close(by_one, by_six)


@pytest.mark.parametrize(("n_tokens", "batch_size"), [(8, 3), (9, 3), (15, 1), (100, 4), (99, 64)])
def test_the_whole_row_is_targeted_exactly_once_and_in_order(n_tokens, batch_size):
    targets = torch.cat([targets.flatten() for _, targets in counting(n_tokens, 7).windows(batch_size)])
    assert targets[targets != IGNORED_TARGET].tolist() == list(range(1, n_tokens))


@pytest.mark.parametrize("n_tokens", range(8, 30))
def test_no_window_of_the_whole_row_is_without_a_target(n_tokens):
    for _, targets in counting(n_tokens, 7).windows(1):
        assert (targets != IGNORED_TARGET).any()


def test_the_last_window_is_filled_up_with_ignored_targets():
    *_, (inputs, targets) = counting(11, 4).windows(2)
    assert inputs.tolist() == [[8, 9, 10, 0]]
    assert targets.tolist() == [[9, 10, IGNORED_TARGET, IGNORED_TARGET]]


def test_windows_across_shards_equal_those_of_one_array(tmp_path):
    tokens = np.random.default_rng(0).integers(0, 70_000, 500)
    for i, part in enumerate(np.split(tokens, [1, 4, 250, 250, 499])):
        write_shard(tmp_path / f"{i}.bin", part, 70_000)
    shards, array = TokenDataset.open(tmp_path, 16), TokenDataset(tokens, 16, vocab_size=70_000)
    assert shards.n_tokens == 500
    for step in range(40):
        assert_close(shards.batch(step, 5), array.batch(step, 5))
    assert_close(list(shards.windows(3)), list(array.windows(3)))


def test_opening_can_verify_the_shards(tmp_path):
    write_shard(tmp_path / "0.bin", range(100), 100)
    (tmp_path / "0.bin").write_bytes(bytes(200))
    with pytest.raises(ValueError, match="is damaged"):
        TokenDataset.open(tmp_path, 16, verify=True)


def test_text_lists_and_tensors_give_the_same_data():
    tokenizer = CharTokenizer.train("hello world")
    ids = tokenizer.encode("hello world")
    prints = {
        TokenDataset.from_text("hello world", tokenizer, 4).fingerprint,
        TokenDataset(ids, 4, vocab_size=8).fingerprint,
        TokenDataset(torch.tensor(ids), 4, vocab_size=8).fingerprint,
    }
    assert len(prints) == 1


@pytest.mark.parametrize("allow_special", [False, True])
def test_the_text_of_a_special_token_becomes_it_if_asked_for(allow_special):
    text = "One.<|endoftext|>Two."
    tokenizer = BPETokenizer.train(text, 260)
    data = TokenDataset.from_text(text, tokenizer, 4, allow_special=allow_special)
    assert data.shards[0].tokens.tolist() == tokenizer.encode(text, allow_special=allow_special)
    assert (tokenizer.special_tokens["<|endoftext|>"] in data.shards[0].tokens) == allow_special


def test_the_fingerprint_on_disk_is_that_in_memory(tmp_path):
    write_shard(tmp_path / "0.bin", range(100), 100)
    assert TokenDataset.open(tmp_path, 16).fingerprint == counting(100, 16).fingerprint


def test_the_fingerprint_tells_other_tokens_and_types_apart():
    tokens = np.arange(100)
    prints = {
        TokenDataset(tokens, 4, vocab_size=100).fingerprint,
        TokenDataset(tokens[::-1], 4, vocab_size=100).fingerprint,
        TokenDataset(tokens, 4, vocab_size=70_000).fingerprint,
    }
    assert len(prints) == 3
    assert all(len(fingerprint) == 16 for fingerprint in prints)


def test_a_text_shorter_than_the_context_is_refused_with_numbers_and_mends():
    with pytest.raises(
        ValueError,
        match=r"64 tokens are too few for context_length=64, which needs 65; give a longer .* try context_length=63",
    ):
        counting(64, 64)


@pytest.mark.parametrize(("tokens", "found"), [([], "0 tokens are"), ([0], "1 token is")])
def test_a_text_too_short_for_any_context_is_refused(tokens, found):
    message = f"^{found} too few for context_length=1, which needs 2; give a longer text$"
    with pytest.raises(ValueError, match=message):
        TokenDataset(tokens, 1, vocab_size=2)


def test_a_context_of_no_token_is_refused():
    with pytest.raises(ValueError, match="context_length=0 must be at least 1"):
        counting(10, 0)


def test_an_id_of_another_vocabulary_is_refused_in_memory():
    with pytest.raises(ValueError, match=r"token id 9 at position 9 is outside 0\.\.8"):
        TokenDataset(np.arange(10), 4, vocab_size=9)


def test_an_id_of_another_vocabulary_is_refused_in_a_batch_from_disk(tmp_path):
    write_shard(tmp_path / "0.bin", np.full(100, 500), 501)
    data = TokenDataset(open_shards(tmp_path), 16, vocab_size=65)
    with pytest.raises(ValueError, match="the data holds token id 500, but vocab_size=65; prepare it again"):
        data.batch(0, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"step": -1}, "step=-1 must not be negative"),
        ({"world_size": 5}, "batch_size=12 must be divisible by world_size=5; try batch_size=10"),
        ({"world_size": 24}, "batch_size=12 leaves some of 24 ranks without a row; try 24"),
        ({"batch_size": 0}, "batch_size=0 leaves some of 1 ranks without a row; try 1"),
        ({"rank": 2, "world_size": 2}, "rank=2 must lie in 0..world_size - 1"),
        ({"rank": -1}, "rank=-1 must lie in"),
        ({"world_size": 0}, "world_size=0"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        counting(1000, 7).batch(**{"step": 0, "batch_size": 12, **arguments})


def test_whole_windows_need_a_batch_size():
    with pytest.raises(ValueError, match="batch_size=0 must be at least 1"):
        next(counting(1000, 7).windows(0))


@pytest.mark.parametrize("n_tokens", [8, 14, 15, 16, 100])
def test_a_loader_of_pytorch_gives_the_windows_in_order(n_tokens):
    data = counting(n_tokens, 7)
    assert_close([tuple(batch) for batch in DataLoader(data, batch_size=3)], list(data.windows(3)))


def test_a_shuffling_loader_of_pytorch_learns_every_token_but_the_first_once_an_epoch():
    targets = [targets.flatten() for _, targets in DataLoader(counting(100, 7), batch_size=4, shuffle=True)]
    assert sorted(counted(torch.cat(targets))) == list(range(1, 100))


def test_an_item_beyond_the_last_window_is_no_item():
    data = counting(15, 7)
    assert len(data) == 2
    assert_close(data[-1], data[1])
    for i in (2, -3):
        with pytest.raises(IndexError, match=f"window {i} of 2"):
            data[i]
