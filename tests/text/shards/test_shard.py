import json

import numpy as np
import pytest

from minigpt.text.shards.shard import ShardWriter, as_shard, open_shard, open_shards, token_dtype, write_shard


@pytest.mark.parametrize(
    ("vocab_size", "dtype"), [(1, "<u2"), (65_535, "<u2"), (65_536, "<u2"), (65_537, "<u4"), (70_000, "<u4")]
)
def test_ids_of_every_vocabulary_size_come_back(tmp_path, vocab_size, dtype):
    ids = [0, vocab_size // 2, vocab_size - 1]
    write_shard(tmp_path / "a.bin", ids, vocab_size)
    tokens = open_shard(tmp_path / "a.bin", verify=True).tokens
    assert tokens.tolist() == ids
    assert tokens.dtype == np.dtype(dtype)


@pytest.mark.parametrize("vocab_size", [0, -1, 2**32 + 1])
def test_an_impossible_vocabulary_size_is_refused(vocab_size):
    with pytest.raises(ValueError, match=r"must be between 1 and 2\*\*32"):
        token_dtype(vocab_size)


def test_a_file_holds_little_endian_numbers(tmp_path):
    write_shard(tmp_path / "a.bin", [1, 258], 300)
    assert (tmp_path / "a.bin").read_bytes() == b"\x01\x00\x02\x01"


@pytest.mark.parametrize("bad", [10, 65_536 + 3, -1])
def test_an_id_outside_the_vocabulary_is_not_written(tmp_path, bad):
    with pytest.raises(ValueError, match=rf"token id {bad} at position 1 is outside 0\.\.9"):
        write_shard(tmp_path / "a.bin", [3, bad], 10)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tokens", [[0.5], [[1, 2]], ["a"], [True]])
def test_only_a_row_of_whole_numbers_is_taken(tokens):
    with pytest.raises(ValueError, match="expected one row of whole numbers"):
        as_shard(tokens, 10)


def test_a_file_cut_short_is_refused(tmp_path):
    write_shard(tmp_path / "a.bin", range(100), 100)
    (tmp_path / "a.bin").write_bytes((tmp_path / "a.bin").read_bytes()[:-2])
    with pytest.raises(ValueError, match="has 198 bytes, its header says 200 bytes; prepare the data again"):
        open_shard(tmp_path / "a.bin")


def test_a_flipped_bit_is_found_by_verifying(tmp_path):
    write_shard(tmp_path / "a.bin", range(100), 100)
    data = bytearray((tmp_path / "a.bin").read_bytes())
    data[50] ^= 1
    (tmp_path / "a.bin").write_bytes(data)
    open_shard(tmp_path / "a.bin")
    with pytest.raises(ValueError, match="is damaged: its SHA-256 is not the one in its header"):
        open_shard(tmp_path / "a.bin", verify=True)


def test_a_missing_file_is_refused(tmp_path):
    write_shard(tmp_path / "a.bin", range(100), 100)
    (tmp_path / "a.bin").unlink()
    with pytest.raises(ValueError, match=r"a\.bin is missing"):
        open_shard(tmp_path / "a.bin")


@pytest.mark.parametrize(
    "change",
    [
        {"dtype": "uint8"},
        {"dtype": "uint32"},
        {"vocab_size": "100"},
        {"vocab_size": 0},
        {"count": -1},
        {"count": 1.5},
        {"version": 2},
        {"format": "other"},
        {"sha256": None},
        {"unknown": 1},
    ],
    ids=str,
)
def test_a_header_that_cannot_be_used_is_refused(tmp_path, change):
    write_shard(tmp_path / "a.bin", range(100), 100)
    header = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps({**header, **change}))
    with pytest.raises(ValueError, match=r"a\.json is not a usable shard header: .*; prepare the data again"):
        open_shard(tmp_path / "a.bin")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b"[" * 200_000], ids=range(5))
def test_a_header_that_is_no_json_object_is_refused(tmp_path, content):
    write_shard(tmp_path / "a.bin", range(100), 100)
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json is not a usable shard header"):
        open_shard(tmp_path / "a.bin")


@pytest.mark.parametrize("parts", [[25], [7, 7, 7, 4], [3] * 8 + [1]])
def test_a_row_written_in_parts_comes_back_whole(tmp_path, parts):
    writer = ShardWriter(tmp_path, 100, shard_tokens=10)
    row = np.arange(25, dtype="<u2")
    for part in np.split(row, np.cumsum(parts)[:-1]):
        writer.add(part)
    writer.close()
    shards = open_shards(tmp_path, verify=True)
    assert [shard.header.count for shard in shards] == [10, 10, 5]
    assert np.concatenate([shard.tokens for shard in shards]).tolist() == row.tolist()


def test_an_empty_row_is_one_empty_shard(tmp_path):
    ShardWriter(tmp_path, 100, shard_tokens=10).close()
    assert [len(shard.tokens) for shard in open_shards(tmp_path, verify=True)] == [0]


def test_a_folder_without_shards_is_refused(tmp_path):
    with pytest.raises(ValueError, match="has no shards"):
        open_shards(tmp_path)


def test_shards_of_different_vocabularies_are_refused(tmp_path):
    write_shard(tmp_path / "0.bin", [1], 10)
    write_shard(tmp_path / "1.bin", [1], 11)
    with pytest.raises(ValueError, match=r"different vocabulary sizes \[10, 11\]"):
        open_shards(tmp_path)


def test_a_shard_of_no_tokens_is_refused(tmp_path):
    with pytest.raises(ValueError, match="shard_tokens=0 must be at least 1"):
        ShardWriter(tmp_path, 100, shard_tokens=0)
