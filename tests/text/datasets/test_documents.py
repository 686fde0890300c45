import re

import pytest
import torch
from torch.utils.data import DataLoader

import minigpt as mg
from minigpt.text import DocumentDataset, read_documents
from minigpt.text.datasets.documents import split_documents, split_validation
from minigpt.text.datasets.windows import IGNORED_TARGET

DOCUMENTS = [f"document {'long ' * (i % 4)}{i}" for i in range(13)]


@pytest.fixture(scope="module")
def tokenizer():
    return mg.BPETokenizer.train(" ".join(DOCUMENTS), 270)


def texts(batch, tokenizer):
    """The documents in a batch, each read off its first token and its targets."""
    return [
        tokenizer.decode([first, *(t for t in row if t != IGNORED_TARGET)])
        for (first, *_), row in zip(batch[0].tolist(), batch[1].tolist(), strict=True)
        if any(t != IGNORED_TARGET for t in row)
    ]


def test_a_document_is_learnt_to_its_end_and_what_fills_the_row_is_not(tokenizer):
    data = DocumentDataset.encode(["document 1", "document long 2"], tokenizer, 64)
    inputs, targets = next(data.windows(2))
    short, long = (tokenizer.encode(text) for text in ("document 1", "document long 2"))
    end = tokenizer.special_tokens["<|endoftext|>"]
    free = len(long) - len(short)
    assert inputs.tolist() == [short + [0] * free, long]
    assert targets.tolist() == [[*short[1:], end, *[IGNORED_TARGET] * free], [*long[1:], end]]


def test_a_document_longer_than_the_context_is_cut(tokenizer):
    ids = tokenizer.encode("document long long long 1")
    inputs, targets = next(DocumentDataset.encode(["document long long long 1"], tokenizer, 4).windows(1))
    assert (inputs.tolist(), targets.tolist()) == ([ids[:3]], [ids[1:4]])


@pytest.mark.parametrize("batch_size", [1, 4, 13, 32])
def test_an_epoch_is_cut_into_batches_as_by_the_loader_of_pytorch(tokenizer, batch_size):
    data = DocumentDataset.encode(DOCUMENTS, tokenizer, 64)
    theirs = [len(batch) for batch in DataLoader(DOCUMENTS, batch_size=batch_size, shuffle=True)]
    assert data.n_batches(batch_size) == len(theirs)
    orders = []
    for epoch in range(3):
        first = epoch * len(theirs)
        batches = [texts(data.batch(first + i, batch_size, seed=1), tokenizer) for i in range(len(theirs))]
        assert [len(batch) for batch in batches] == theirs
        orders.append([text.removesuffix("<|endoftext|>") for batch in batches for text in batch])
        assert sorted(orders[-1]) == sorted(DOCUMENTS)
    assert orders[0] != orders[1] != orders[2]


def test_ranks_share_the_rows_and_one_without_a_document_has_no_target(tokenizer):
    data = DocumentDataset.encode(DOCUMENTS, tokenizer, 64)
    whole = texts(data.batch(3, 4), tokenizer)  # 13 = 3 * 4 + 1
    ranks = [data.batch(3, 4, rank=rank, world_size=2) for rank in range(2)]
    assert [len(inputs) for inputs, _ in ranks] == [2, 2]
    assert [text for batch in ranks for text in texts(batch, tokenizer)] == whole
    assert (ranks[1][1] == IGNORED_TARGET).all()


def test_the_loss_of_the_last_batch_is_that_of_its_documents(tokenizer):
    data = DocumentDataset.encode(DOCUMENTS, tokenizer, 64)
    model = mg.GPT(mg.GPTConfig.preset("nano", vocab_size=tokenizer.vocab_size)).eval()
    inputs, targets = data.batch(3, 4)
    alone = mg.next_token_loss(model(inputs[:1]), targets[:1])
    torch.testing.assert_close(mg.next_token_loss(model(inputs), targets), alone)


def test_the_fingerprint_tells_where_a_document_ends():
    tokenizer, texts = mg.CharTokenizer.train("abcdef"), (["abc", "def"], ["abc", "def"], ["ab", "cdef"])
    prints = [DocumentDataset.encode(documents, tokenizer, 64).fingerprint for documents in texts]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("one\n\ntwo\nlines\n \t\n\n\nthree\n", ["one", "two\nlines", "three"]),
        ("one\ntwo\n", ["one", "two"]),
        ("\n\none\n", ["one"]),
        ("  \n", []),
        ("one\r\ntwo\rthree", ["one", "two", "three"]),
        ("one\r\r\ntwo\r\nlines", ["one", "two\nlines"]),
        ("a\u2028b\x85c\x0cd\x1ce\x0bf\ng", ["a\u2028b\x85c\x0cd\x1ce\x0bf", "g"]),
    ],
)
def test_a_text_is_cut_at_blank_lines_and_without_them_at_every_line(text, parts):
    assert split_documents(text) == parts


def test_each_file_of_a_folder_is_a_document(tmp_path):
    for name, text in (("b.txt", "second\n\nstill second"), ("a.txt", "first"), ("c.txt", " \n")):
        (tmp_path / name).write_text(text)
    assert read_documents(tmp_path) == ["first", "second\n\nstill second"]
    assert read_documents(tmp_path / "b.txt") == ["second", "still second"]


def test_validation_takes_the_last_documents_and_at_least_one():
    assert split_validation(DOCUMENTS, 0.2) == (DOCUMENTS[:10], DOCUMENTS[10:])
    assert split_validation(["a", "b"], 1e-20) == (["a"], ["b"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: split_validation(["one"]), r"1 document\(s\) can't be cut .* blank lines between the documents"),
        (lambda t: DocumentDataset.encode([], t, 8), r"none of 0 document\(s\) has two tokens"),
        (lambda _: DocumentDataset.encode(["a", "a"], mg.CharTokenizer.train("a"), 8), "none of 2 document"),
        (lambda t: DocumentDataset.encode(DOCUMENTS, t, 8).batch(0, 3, world_size=2), re.escape("try batch_size=2")),
    ],
)
def test_documents_that_give_no_batch_are_refused(tokenizer, make, message):
    with pytest.raises(ValueError, match=message):
        make(tokenizer)
