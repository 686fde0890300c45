import re

import pytest

from minigpt.text.corpora import python_docs
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.byte_pairs import merge_bytes
from minigpt.text.tokenizers.patterns import GPT2_SPLIT


def test_ids_are_bytes_then_merges_then_special_tokens():
    tokenizer = BPETokenizer.train("abab abab", 260, special_tokens=("<a>", "<b>"))
    assert tokenizer.vocabulary[:256] == [bytes([byte]) for byte in range(256)]
    assert tokenizer.vocabulary[256:] == [b"ab", b"abab", b"<a>", b"<b>"]
    assert tokenizer.special_tokens == {"<a>": 258, "<b>": 259}
    assert tokenizer.vocab_size == 260


def test_the_vocabulary_is_smaller_when_the_text_runs_out_of_pairs():
    assert BPETokenizer.train("ab", 1000).vocab_size == 258


def test_every_merge_is_reached_by_encoding_its_own_bytes():
    tokenizer = BPETokenizer.train(python_docs()[:20_000], 600)
    assert [merge_bytes(token, tokenizer.ranks) for token in tokenizer.vocabulary[:-1]] == [[i] for i in range(599)]


def test_several_texts_train_as_one_whose_parts_do_not_touch():
    assert BPETokenizer.train(iter(["ab", "ab"]), 300).merges == BPETokenizer.train("ab<|endoftext|>ab", 300).merges


def test_special_tokens_in_the_training_text_are_never_merged():
    tokenizer = BPETokenizer.train("<|endoftext|>" * 100 + "ab", 300)
    assert tokenizer.vocabulary[256:] == [b"ab", b"<|endoftext|>"]


def test_training_is_deterministic():
    text = python_docs()[:20_000]
    assert BPETokenizer.train(text, 400).merges == BPETokenizer.train(text, 400).merges


def test_a_vocabulary_too_small_for_the_bytes_is_refused():
    with pytest.raises(ValueError, match=r"vocab_size=256 is less than 256 bytes \+ 1 special tokens; try"):
        BPETokenizer.train("text", 256)


def test_a_training_text_with_a_lone_surrogate_is_refused():
    with pytest.raises(ValueError, match="lone surrogate"):
        BPETokenizer.train("a\ud800", 300)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(", "is not a regular expression"),
        (r"(\w+)|\s", "has a capturing group; write (?:...)"),
        (r"\p{L}+", "leaves out part of the text"),
    ],
)
def test_a_split_pattern_that_cannot_be_used_is_refused(pattern, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BPETokenizer.train("two words", 300, pattern=pattern)


def test_a_pattern_that_tiktoken_cannot_use_is_refused():
    tokenizer = BPETokenizer([], pattern=r"\m\w+|[\s\S]")
    with pytest.raises(ValueError, match="tiktoken cannot use the split pattern"):
        tokenizer.encode("ab")


@pytest.mark.parametrize(
    ("merges", "message"),
    [
        ([(97, 256)], "merge 0 joins (97, 256), but only ids below 256 exist by then"),
        ([(-1, 97)], "merge 0 joins (-1, 97)"),
        ([(97, 98), (97, 98)], "merge 1 makes b'ab', which id 256 already is"),
        ([(97, 97), *((i, i) for i in range(256, 296))], "takes the vocabulary past"),
    ],
)
def test_merges_that_make_no_vocabulary_are_refused(merges, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        BPETokenizer(merges)


@pytest.mark.parametrize(
    ("special_tokens", "message"), [(("",), "is '', expected a text"), (("<a>", "<a>"), "'<a>' is given twice")]
)
def test_special_tokens_that_cannot_be_told_apart_are_refused(special_tokens, message):
    with pytest.raises(ValueError, match=message):
        BPETokenizer([], special_tokens=special_tokens)


def test_another_split_pattern_changes_the_merges():
    text = "a b a b"
    assert BPETokenizer.train(text, 262, pattern=r"[\s\S]+").merges != BPETokenizer.train(text, 262).merges
    assert BPETokenizer.train(text, 262).pattern == GPT2_SPLIT


def test_special_tokens_beyond_what_can_be_searched_for_are_refused_at_once():
    with pytest.raises(ValueError, match="there are 200,000 special tokens; at most 20,000 can be used"):
        BPETokenizer([], special_tokens=[f"<{i}>" for i in range(200_000)])
