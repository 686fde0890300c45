import json
import re
from itertools import islice, repeat

import pytest

from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.characters import CharTokenizer
from minigpt.text.tokenizers.loading import load_tokenizer

TOKENIZERS = [
    CharTokenizer.train('häßlich 我们 \0\r\ufeff"'),
    BPETokenizer.train("häßlich 我们 abab", 262, special_tokens=("<a>", "<b>"), pattern=r"\p{L}+|[^\p{L}]"),
]
BPE = {
    "format": "minigpt.tokenizer",
    "version": 1,
    "type": "bpe",
    "pattern": r"[\s\S]",
    "merges": [],
    "special_tokens": [],
}


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_a_saved_tokenizer_loads_as_it_was(tokenizer, tmp_path):
    tokenizer.save(tmp_path / "tokenizer.json")
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert loaded.to_json() == tokenizer.to_json()
    assert (loaded.name, loaded.vocab_size, loaded.special_tokens) == (
        tokenizer.name,
        tokenizer.vocab_size,
        tokenizer.special_tokens,
    )
    assert loaded.encode("häßlich 我") == tokenizer.encode("häßlich 我")


@pytest.mark.parametrize("tokenizer", TOKENIZERS, ids=lambda tokenizer: tokenizer.name)
def test_a_tokenizer_loads_from_its_json_object(tokenizer):
    assert load_tokenizer(tokenizer.to_json()).to_json() == tokenizer.to_json()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe\x00",
        b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.",
        b"[" * 200_000,
        b'{"format": ' + b"9" * 5000 + b"}",
        json.dumps(BPE).encode()[:-5],
    ],
    ids=["empty", "words", "not UTF-8", "pickle", "deep", "long number", "cut short"],
)
def test_a_file_that_is_not_json_is_refused(tmp_path, content):
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"tokenizer\.json is not a usable tokenizer: it is not JSON .*; save it anew"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not exist; give a file written by"):
        load_tokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, 'expected a JSON object with "format": "minigpt.tokenizer"'),
        ({"version": 2}, "its version is 2, this library reads 1"),
        ({"type": "os.system"}, "its type is 'os.system', expected one of char, bpe, tiktoken"),
        ({"type": ["bpe"]}, "its type is ['bpe']"),
        ({"type": "char"}, 'field "characters" should be a str, found nothing'),
        ({"type": "char", "characters": 3}, 'field "characters" should be a str, found int'),
        ({"type": "char", "characters": "aa"}, "'a' is given twice"),
        ({"type": "tiktoken", "name": "../../etc/passwd"}, "tiktoken has no encoding '../../etc/passwd'"),
        ({"merges": {}}, 'field "merges" should be a list, found dict'),
        ({"merges": [[97]]}, "merge 0 is [97], expected two ids"),
        ({"merges": [[97, True]]}, "merge 0 is [97, True], expected two ids"),
        ({"merges": [["a", "b"]]}, "merge 0 is ['a', 'b'], expected two ids"),
        ({"merges": [[97, 99999]]}, "merge 0 joins (97, 99999), but only ids below 256 exist by then"),
        ({"merges": [[97, 97]] + [[i, i] for i in range(256, 300)]}, "takes the vocabulary past 67,108,864 bytes"),
        ({"special_tokens": [{}]}, "special token 0 is {}, expected a text"),
        ({"special_tokens": ["\ud800"]}, "lone surrogate"),
        ({"pattern": "("}, "is not a regular expression"),
        ({"pattern": None}, 'field "pattern" should be a str, found NoneType'),
    ],
)
def test_a_corrupted_tokenizer_gives_one_clear_error(tmp_path, change, message):
    (tmp_path / "tokenizer.json").write_text(json.dumps({**BPE, **change}))
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_tokenizer(tmp_path / "tokenizer.json")
    assert "tokenizer.json is not a usable tokenizer: " in str(caught.value)


@pytest.mark.parametrize("data", ["[]", "3", '"text"', "null"])
def test_json_that_is_no_object_is_refused(tmp_path, data):
    (tmp_path / "tokenizer.json").write_text(data)
    with pytest.raises(ValueError, match=r"it should hold a JSON object, found .*; save it anew"):
        load_tokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("together", [1, 30, 2**16])
@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_a_text_in_parts_has_the_ids_of_the_whole(monkeypatch, together, size):
    monkeypatch.setattr("minigpt.text.tokenizers.tokenizer.ENCODED_TOGETHER", together)
    text = "First line.\n\n  indented\nnaïve 我们\n \n\nx\r\ny\r\n\r\nz  \nlast line, 1999\n" * 5
    for tokenizer in (CharTokenizer.train(text), BPETokenizer.train(text, 400)):
        parts = (text[start : start + size] for start in range(0, len(text), size))
        assert list(tokenizer.encode_iterable(parts)) == tokenizer.encode(text)


def test_of_endless_parts_the_first_ids_come_at_once():
    tokenizer = BPETokenizer.train("a line\n", 260)
    ids = islice(tokenizer.encode_iterable(repeat("a line\n")), 5)
    assert list(ids) == tokenizer.encode("a line\n" * 5)[:5]


def test_special_tokens_in_parts_count_if_allowed():
    tokenizer = BPETokenizer([])
    assert list(tokenizer.encode_iterable(["a", "<|endoftext|>\n", "b"], allow_special=True)) == [97, 256, 10, 98]
    assert list(tokenizer.encode_iterable(["<|endoftext|>"])) == list(b"<|endoftext|>")
