import json
import os
import sys
import threading
from itertools import chain

import numpy as np
import pytest

from minigpt.cli import main
from minigpt.text.datasets.windows import TokenDataset
from minigpt.text.reading import TextFiles, read_text, read_texts
from minigpt.text.shards import preparation
from minigpt.text.shards.preparation import open_prepared, prepare
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.characters import CharTokenizer

LINES = "First line.\n\n  indented\nnaïve 我们\nlast line, 1999\n"
TOKENIZER = BPETokenizer.train(LINES * 10, 300)


def tokens(prepared, part):
    return np.concatenate([shard.tokens for shard in getattr(prepared, part)(1).shards]).tolist()


@pytest.fixture
def source(tmp_path):
    (tmp_path / "source").mkdir()
    for i in range(3):
        (tmp_path / "source" / f"{i}.txt").write_text(f"file {i}\n" + LINES * 10, encoding="utf-8")
    return tmp_path / "source"


def test_the_tokens_are_those_of_the_files_each_ended_by_end_of_text(source, tmp_path):
    prepared = prepare(source, TOKENIZER, tmp_path / "out")
    end = TOKENIZER.special_tokens["<|endoftext|>"]
    expected = [[*TOKENIZER.encode(path.read_text(encoding="utf-8")), end] for path in sorted(source.iterdir())]
    assert tokens(prepared, "train") + tokens(prepared, "validation") == list(chain(*expected))


@pytest.mark.parametrize("chunk_bytes", [20, 2**22])
def test_without_end_of_text_the_tokens_are_those_of_the_text_that_training_reads(
    source, tmp_path, monkeypatch, chunk_bytes
):
    monkeypatch.setattr(preparation, "CHUNK_BYTES", chunk_bytes)
    tokenizer = CharTokenizer.train(read_text(source))
    prepared = prepare(source, tokenizer, tmp_path / "out", workers=1)
    assert tokenizer.decode(tokens(prepared, "train") + tokens(prepared, "validation")) == read_text(source)


@pytest.mark.parametrize("tokenizer", [TOKENIZER, CharTokenizer.train("file 0123\n" + LINES)], ids=["bpe", "char"])
def test_training_and_preparing_put_the_same_between_the_files_of_a_folder(source, tmp_path, tokenizer):
    prepared = prepare(source, tokenizer, tmp_path / "out")
    shards = tokens(prepared, "train") + tokens(prepared, "validation")
    data = TokenDataset.from_text(read_texts(source), tokenizer, 8)
    end = tokenizer.special_tokens.get("<|endoftext|>")
    assert data.shards[0].tokens.tolist() == (shards if end is None else shards[:-1])  # the end of the last file


def test_the_text_of_a_special_token_becomes_it_if_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "CHUNK_BYTES", 40)
    stories = "One day.\n<|endoftext|>\nTwo days.\n<|endoftext|>\n" * 3
    (tmp_path / "a.txt").write_text(stories)
    end = TOKENIZER.special_tokens["<|endoftext|>"]
    for special, expected in ((False, 1), (True, 7)):
        texts = TextFiles(tmp_path / "a.txt", special_tokens=special)
        prepared = prepare(texts, TOKENIZER, tmp_path / f"out{special}", workers=1)
        ids = tokens(prepared, "train") + tokens(prepared, "validation")
        assert ids.count(end) == expected
        assert ids == [*TOKENIZER.encode(stories, allow_special=special), end]


def test_two_processes_give_the_same_shards_as_none(source, tmp_path, monkeypatch):
    monkeypatch.setattr(preparation, "CHUNK_BYTES", 100)
    (source / "3.txt").write_text("A story.\n<|endoftext|>\nAnother.\n")
    for workers in (1, 2):
        prepare(
            TextFiles(source, special_tokens=True),
            TOKENIZER,
            tmp_path / f"out{workers}",
            workers=workers,
            shard_tokens=50,
            progress=False,
        )
    one, two = (sorted((tmp_path / f"out{workers}").rglob("*.*")) for workers in (1, 2))
    assert [path.name for path in one] == [path.name for path in two]
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(one, two, strict=True))


def test_the_folder_holds_the_parts_and_the_tokenizer(source, tmp_path):
    prepared = prepare([source / "1.txt", source / "0.txt"], TOKENIZER, tmp_path / "out", shard_tokens=100)
    names = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*.*")}
    assert {"tokenizer.json", "train/00000.bin", "train/00000.json", "train/00001.bin", "validation/00000.bin"} <= names
    assert prepared.tokenizer.to_json() == TOKENIZER.to_json()
    assert TOKENIZER.decode(tokens(prepared, "train")).startswith("file 1")
    assert (prepared.n_train_tokens, prepared.n_validation_tokens) == (
        len(tokens(prepared, "train")),
        len(tokens(prepared, "validation")),
    )


def test_validation_takes_about_its_share(source, tmp_path):
    prepared = prepare(source, TOKENIZER, tmp_path / "out", validation_fraction=0.25)
    share = prepared.n_validation_tokens / (prepared.n_train_tokens + prepared.n_validation_tokens)
    assert 0.2 < share < 0.3


def test_a_large_vocabulary_is_not_wrapped(tmp_path):
    characters = "".join(map(chr, range(0x10000, 0x10000 + 65_537)))
    (tmp_path / "a.txt").write_text(f"{characters[-1]}\n" * 10, encoding="utf-8")
    prepared = prepare(tmp_path / "a.txt", CharTokenizer("\n" + characters[1:]), tmp_path / "out")
    assert set(tokens(prepared, "train")) == {0, 65_536}


def test_datasets_read_the_prepared_parts(source, tmp_path):
    prepared = prepare(source, TOKENIZER, tmp_path / "out")
    data = prepared.train(8)
    assert data.vocab_size == TOKENIZER.vocab_size
    assert data.batch(0, 2)[0].shape == (2, 8)
    assert prepared.validation(8).n_tokens == prepared.n_validation_tokens


def test_a_prepared_folder_opens_again(source, tmp_path):
    prepared = prepare(source, TOKENIZER, tmp_path / "out")
    again = open_prepared(tmp_path / "out", verify=True)
    assert again.train(8).fingerprint == prepared.train(8).fingerprint


def test_a_folder_with_something_in_it_is_not_written_to(source, tmp_path):
    with pytest.raises(ValueError, match="is not empty; choose another folder, or remove it first"):
        prepare(source, TOKENIZER, source)


def test_an_empty_folder_is_written_to(source, tmp_path):
    (tmp_path / "out").mkdir()
    assert prepare(source, TOKENIZER, tmp_path / "out").n_train_tokens > 0


def test_a_run_that_fails_leaves_nothing_behind(source, tmp_path):
    (source / "2.txt").write_bytes(b"caf\xe9")
    with pytest.raises(ValueError, match=r"2\.txt is not UTF-8"):
        prepare(source, TOKENIZER, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


@pytest.mark.parametrize("content", ["", "x"])
def test_a_text_too_short_to_cut_is_refused(tmp_path, content):
    (tmp_path / "a.txt").write_text(content)
    with pytest.raises(ValueError, match="bytes of text cannot be cut into training and validation"):
        prepare(tmp_path / "a.txt", TOKENIZER, tmp_path / "out")


def test_no_process_at_all_is_refused(source, tmp_path):
    with pytest.raises(ValueError, match="workers=0 must be at least 1"):
        prepare(source, TOKENIZER, tmp_path / "out", workers=0)


def test_a_tokenizer_of_another_vocabulary_is_refused(source, tmp_path):
    prepare(source, TOKENIZER, tmp_path / "out")
    (tmp_path / "out" / "tokenizer.json").write_text(json.dumps(CharTokenizer("ab").to_json()))
    with pytest.raises(ValueError, match=r"ids below \d+, but tokenizer\.json has a vocabulary of 2"):
        open_prepared(tmp_path / "out")


def test_a_bar_is_shown_when_asked_for(source, tmp_path, capsys):
    prepare(source, TOKENIZER, tmp_path / "out", progress=True)
    assert "tokens:" in capsys.readouterr().err


def test_the_command_reads_other_files_and_special_tokens_if_asked_to(tmp_path, capsys):
    (tmp_path / "code").mkdir()
    for i in range(4):
        (tmp_path / "code" / f"{i}.py").write_text(f"x = {i}\n<|endoftext|>\ny = {i}\n" * 5)
    out = tmp_path / "out"
    words = ["prepare", str(tmp_path / "code"), "--out", str(out), "--tokenizer", "bpe:280", "--workers", "1"]
    with pytest.raises(SystemExit):
        main(words)
    assert "has no file ending in .txt" in capsys.readouterr().err
    main([*words, "--glob", "*.py", "--special-tokens"])
    prepared = open_prepared(out)
    ids = tokens(prepared, "train") + tokens(prepared, "validation")
    assert ids.count(prepared.tokenizer.special_tokens["<|endoftext|>"]) == 4 * 6


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_the_command_trains_a_tokenizer_on_a_pipe_and_then_encodes_it(tmp_path, capsys):
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=(tmp_path / "pipe").write_text, args=(LINES * 20, "utf-8"), daemon=True)
    thread.start()
    main(["prepare", str(tmp_path / "pipe"), "--out", str(tmp_path / "out"), "--tokenizer", "char", "--workers", "1"])
    thread.join(10)
    prepared = open_prepared(tmp_path / "out")
    ids = tokens(prepared, "train") + tokens(prepared, "validation")
    assert prepared.tokenizer.decode(ids) == LINES * 20


@pytest.mark.parametrize("option", [["--glob", "*.py"], ["--special-tokens"]])
def test_a_dataset_has_neither_files_nor_special_tokens_in_its_texts(tmp_path, capsys, option):
    with pytest.raises(SystemExit):
        main(["prepare", "--dataset", "some/thing", "--out", str(tmp_path / "out"), *option])
    assert "--glob and --special-tokens are for text files, not for --dataset" in capsys.readouterr().err
