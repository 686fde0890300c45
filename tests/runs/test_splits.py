from itertools import chain

import pytest

from minigpt.runs import RunConfig, Source, open_splits


@pytest.fixture
def folder(tmp_path):
    for i in range(4):
        (tmp_path / f"{i}.txt").write_text(f"This is file {i}. " * 6)
    return tmp_path


def ids(data):
    return list(chain(*(shard.tokens.tolist() for shard in data.shards)))


def test_between_the_files_of_a_folder_is_the_end_of_a_document(folder):
    config = RunConfig(source=Source(text=folder, tokenizer="bpe:280")).changed(context_length=8)
    tokenizer, data, validation = open_splits(config)
    end = tokenizer.special_tokens["<|endoftext|>"]
    files = [tokenizer.encode((folder / f"{i}.txt").read_text()) for i in range(3)]
    assert ids(data)[: len(files[0]) + 1] == [*files[0], end]
    assert (ids(data) + ids(validation)).count(end) == 3


def test_in_characters_it_is_a_blank_line(folder):
    config = RunConfig(source=Source(text=folder, tokenizer="char")).changed(context_length=8)
    tokenizer, data, validation = open_splits(config)
    texts = [(folder / f"{i}.txt").read_text() for i in range(4)]
    assert tokenizer.decode(ids(data) + ids(validation)) == "\n\n".join(texts)


def test_the_context_that_is_advised_for_a_short_text_suits_both_splits(tmp_path):
    (tmp_path / "short.txt").write_text("one two three four five six seven")
    config = RunConfig(source=Source(text=tmp_path / "short.txt")).changed(context_length=64)
    with pytest.raises(ValueError, match=r"try context_length=\d+$") as caught:
        open_splits(config)
    _, data, validation = open_splits(config.changed(context_length=int(str(caught.value).rpartition("=")[2])))
    assert data.n_tokens > validation.n_tokens > 1
