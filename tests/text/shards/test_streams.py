import json
import sys
from itertools import count, islice

import numpy as np
import pytest

from minigpt.text.shards import streams as module
from minigpt.text.shards.preparation import open_prepared
from minigpt.text.shards.streams import bundled, dataset_documents, first_text, prepare_documents
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.characters import CharTokenizer

DOCUMENTS = [f"Document {i}: {'the cat sat on the mat. ' * (i % 5)}我们" for i in range(60)]
TOKENIZER = BPETokenizer.train("".join(DOCUMENTS), 300)
END = TOKENIZER.special_tokens["<|endoftext|>"]


def read_back(prepared, part):
    """The documents of one part, as they come out of its shards."""
    ids = [int(token) for shard in getattr(prepared, part)(1).shards for token in shard.tokens]
    texts, start = [], 0
    for i in (i for i, token in enumerate(ids) if token == END):
        texts.append(TOKENIZER.decode(ids[start:i]))
        start = i + 1
    assert start == len(ids)
    return texts


def test_every_document_comes_back_in_order_from_one_of_the_two_parts(tmp_path):
    prepared = prepare_documents(iter(DOCUMENTS), TOKENIZER, tmp_path / "out", shard_tokens=100)
    train, validation = (read_back(prepared, part) for part in ("train", "validation"))
    assert sorted(train + validation) == sorted(DOCUMENTS) and 2 <= len(validation) <= 12
    assert all(part == sorted(part, key=DOCUMENTS.index) for part in (train, validation))


def test_a_longer_stream_moves_no_document_between_the_parts(tmp_path):
    short, long = (
        prepare_documents(DOCUMENTS[:n], TOKENIZER, tmp_path / f"{n}", validation_fraction=0.3) for n in (40, 60)
    )
    for part in ("train", "validation"):
        found = read_back(short, part)
        assert read_back(long, part)[: len(found)] == found


def test_two_processes_give_the_same_shards_as_none(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 100)
    one, two = (
        prepare_documents(DOCUMENTS, TOKENIZER, tmp_path / f"{n}", workers=n, shard_tokens=50).folder for n in (1, 2)
    )
    names = sorted(path.relative_to(one) for path in one.rglob("*.*"))
    assert names == sorted(path.relative_to(two) for path in two.rglob("*.*"))
    assert all((one / name).read_bytes() == (two / name).read_bytes() for name in names)


def test_documents_are_taken_as_they_come(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_BYTES", 10)
    endless = (f"document {i}" for i in count())
    assert len(list(islice(bundled(endless, 0.1), 20))) == 20


@pytest.mark.parametrize("documents", [[], ["one"]])
def test_too_few_documents_are_refused_and_leave_nothing(tmp_path, documents):
    with pytest.raises(ValueError, match="bytes of text cannot be cut into training and validation"):
        prepare_documents(documents, TOKENIZER, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_without_end_of_text_a_blank_line_ends_a_document(tmp_path):
    tokenizer = CharTokenizer.train("\n".join(DOCUMENTS))
    prepared = prepare_documents(DOCUMENTS, tokenizer, tmp_path / "out")
    train = np.concatenate([shard.tokens for shard in prepared.train(1).shards])
    assert set(tokenizer.decode(train).split("\n\n")) < {*DOCUMENTS, ""}


def test_a_document_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"document 1 is \{'text': 'b'\}, expected a text"):
        prepare_documents(["a", {"text": "b"}], TOKENIZER, tmp_path / "out")


def test_the_first_text_ends_where_there_is_enough():
    assert first_text(iter(["abc", "def", "ghi"]), 5) == "abc\n\ndef"


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(ImportError, match=r"pip install 'minigpt-as-written\[datasets\]'"):
        next(dataset_documents("somewhere/something"))


@pytest.fixture
def jsonl(tmp_path, monkeypatch):
    """A file that the real ``datasets`` package reads, without a network."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    pytest.importorskip("datasets", reason="reading a dataset needs the datasets extra")
    path = tmp_path / "stories.jsonl"
    path.write_text("".join(json.dumps({"n": i, "story": text}) + "\n" for i, text in enumerate(DOCUMENTS)))
    return path


@pytest.mark.filterwarnings("default")  # the package's own warnings are not ours to answer for
def test_a_dataset_is_streamed_row_by_row(jsonl):
    assert list(dataset_documents(str(jsonl), column="story")) == DOCUMENTS
    with pytest.raises(ValueError, match=r"has no column 'text'; choose one of n, story \(--column\)"):
        next(dataset_documents(str(jsonl)))
    with pytest.raises(ValueError, match="has 0 in 'n', expected a text"):
        next(dataset_documents(str(jsonl), column="n"))


@pytest.mark.filterwarnings("default")
def test_rows_without_a_text_are_left_out_and_counted(jsonl):
    lines = ['{"story": null}', '{"story": "one"}', "null", '{"story": "two"}']
    jsonl.write_text("\n".join(lines))
    with pytest.warns(UserWarning, match=r"2 rows of .*stories\.jsonl have no text in 'story' and were left out"):
        assert list(dataset_documents(str(jsonl), column="story")) == ["one", "two"]


@pytest.mark.filterwarnings("default")
def test_the_command_goes_from_a_dataset_to_shards(jsonl, tmp_path, capsys):
    from minigpt.cli import main

    words = ["prepare", "--dataset", str(jsonl), "--column", "story", "--tokenizer", "bpe:280"]
    main([*words, "--documents", "50", "--workers", "1", "--out", str(tmp_path / "data")])
    assert "tokens to learn from" in capsys.readouterr().out
    prepared = open_prepared(tmp_path / "data")
    assert prepared.tokenizer.vocab_size == 280
    with pytest.raises(SystemExit):
        main([*words[:-1], "char", "--out", str(tmp_path / "other")])
    assert "tokenizer='char' must see every character beforehand" in capsys.readouterr().err


def test_the_command_wants_a_text_or_a_dataset(tmp_path, capsys):
    from minigpt.cli import main

    with pytest.raises(SystemExit):
        main(["prepare", "--out", str(tmp_path / "data")])
    assert "give either a text or --dataset" in capsys.readouterr().err
