from itertools import pairwise

import pytest
import regex
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.byte_pairs import (
    GPT2_SPLIT,
    ByteLevelTokenizer,
    merge_bytes,
    special_splitter,
    spell_out_classes,
)

TEXT = "the cat sat on the mat, and the rat ate 1234 oats; it's 1999. naïve façades – 我们在这里 ААА бббб " * 20
TOKENIZER = BPETokenizer.train(TEXT + "    \n\n\n\t\t  aaaaaaaaaaaaaaaa    x\n\n" * 5, 400)
ENCODING = TOKENIZER.to_tiktoken()

texts = st.text(st.characters(exclude_categories=["Cs"]))
likely_texts = st.lists(st.sampled_from(["the", "cat", " ", "  ", "\n", "'s", "12", "é", "我们", "a", "!"])).map(
    "".join
)
decoded_bytes = st.binary().map(lambda data: data.decode(errors="replace"))


def twenty(strategy):
    """Twenty values an example: drawing them together is five times faster."""
    return st.lists(strategy, min_size=20, max_size=20)


def examples(n):
    return settings(max_examples=n // 20, deadline=None, database=None)


def merge_by_the_definition(piece, ranks):
    """Join the leftmost pair of lowest rank until none has a rank."""
    tokens = [bytes([byte]) for byte in piece]
    while True:
        ranked = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(tokens)) if a + b in ranks]
        if not ranked:
            return [ranks[token] for token in tokens]
        _, i = min(ranked)
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]


@given(st.one_of(st.binary(), likely_texts.map(str.encode)))
@settings(max_examples=300, deadline=None, database=None)
def test_merging_a_piece_follows_the_definition(piece):
    assert merge_bytes(piece, TOKENIZER.ranks) == merge_by_the_definition(piece, TOKENIZER.ranks)


@given(twenty(st.one_of(texts, likely_texts)))
@examples(10_000)
def test_the_reference_equals_tiktoken_on_texts(many):
    for text in many:
        assert TOKENIZER.encode_reference(text) == ENCODING.encode_ordinary(text) == TOKENIZER.encode(text)


@given(twenty(decoded_bytes))
@examples(5_000)
def test_the_reference_equals_tiktoken_on_bytes_decoded_with_replacements(many):
    for text in many:
        assert TOKENIZER.encode_reference(text) == ENCODING.encode_ordinary(text)


@given(twenty(st.one_of(st.binary(min_size=1), likely_texts.filter(len).map(str.encode))))
@examples(5_000)
def test_the_reference_equals_tiktoken_on_raw_bytes(many):
    for piece in many:
        assert merge_bytes(piece, TOKENIZER.ranks) == ENCODING._encode_single_piece(piece)


@given(twenty(st.one_of(texts, likely_texts)))
@examples(2_000)
def test_decoding_gives_the_text_back(many):
    for text in many:
        assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@pytest.mark.parametrize("character_class", [r"\p{L}", r"\p{N}"])
def test_a_class_spelled_out_matches_in_tiktoken_what_it_matches_here(character_class):
    every_character = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    encoding = tiktoken.Encoding(
        "one class",
        pat_str=spell_out_classes(character_class),
        mergeable_ranks={bytes([byte]): byte for byte in range(256)},
        special_tokens={},
    )
    # tiktoken leaves out what the pattern does not match
    assert encoding.decode(encoding.encode_ordinary(every_character)) == "".join(
        regex.findall(character_class, every_character)
    )


def test_the_reference_equals_tiktoken_on_every_code_point():
    codes = (code for code in range(0, 0x110000, 37) if not 0xD800 <= code < 0xE000)
    text = "".join(f"{chr(code)}a1" for code in codes)
    assert TOKENIZER.encode_reference(text) == TOKENIZER.encode(text)


@pytest.mark.parametrize("character", ["a", " ", "\n", "é", "!", "\t \n"])
@pytest.mark.parametrize("tail", ["", "x"])
def test_a_million_repeats_are_encoded(character, tail):
    text = character * (10**6 // len(character)) + tail
    assert BPETokenizer([]).encode(text) == list(text.encode())


def test_the_reference_equals_tiktoken_on_a_million_repeats():
    tokenizer = BPETokenizer([(97, 97)])
    assert tokenizer.encode_reference("a" * 10**6) == [256] * 500_000 == tokenizer.encode("a" * 10**6)


def test_long_white_space_gives_the_same_ids_through_either_path(monkeypatch):
    text = "start" + " " * 5000 + "x" + "\n" * 5000 + "the <|endoftext|> end"
    fast = [TOKENIZER.encode(text, allow_special=allow) for allow in (False, True)]
    monkeypatch.setattr("minigpt.text.tokenizers.byte_pairs._LONGEST_SAFE_BLANK", 1000)
    monkeypatch.setattr(BPETokenizer, "_fast", None)
    assert [TOKENIZER.encode(text, allow_special=allow) for allow in (False, True)] == fast


def test_special_token_text_is_ordinary_text_unless_allowed():
    special_id = TOKENIZER.special_tokens["<|endoftext|>"]
    ids = TOKENIZER.encode("the<|endoftext|>cat")
    assert special_id not in ids
    assert TOKENIZER.decode(ids) == "the<|endoftext|>cat"


@pytest.mark.parametrize("encode", [TOKENIZER.encode, TOKENIZER.encode_reference])
def test_allowed_special_tokens_become_their_ids(encode):
    special_id = TOKENIZER.special_tokens["<|endoftext|>"]
    assert encode("the<|endoftext|>cat", allow_special=True) == [*encode("the"), special_id, *encode("cat")]


def test_allowed_special_tokens_equal_tiktoken():
    text = "<|endoftext|>the  <|endoftext|><|endoftext|> cat<|endoftext"
    assert TOKENIZER.encode(text, allow_special=True) == ENCODING.encode(text, allowed_special="all")


def test_the_longest_special_token_wins():
    assert special_splitter(["<a>", "<a><b>"])("x<a><b>y<a>") == ["x", "<a><b>", "y", "<a>", ""]


@pytest.mark.parametrize("encode", [TOKENIZER.encode, TOKENIZER.encode_reference])
def test_a_lone_surrogate_is_refused_with_its_position_and_mend(encode):
    with pytest.raises(ValueError, match=r"lone surrogate U\+DC80 at character 3, .*utf-16"):
        encode("abc\udc80")


@pytest.mark.parametrize("text", ["\0", "a\r\nb\r", "\ufeffa"])
def test_control_characters_and_marks_are_kept(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


def test_bytes_that_are_not_utf8_decode_to_the_replacement_character():
    assert TOKENIZER.decode([0xE9, ord("a")]) == "\ufffda"


@pytest.mark.parametrize(("ids", "position"), [([97, 400], 1), ([-1], 0)])
def test_an_id_outside_the_vocabulary_is_refused(ids, position):
    limit = TOKENIZER.vocab_size - 1
    with pytest.raises(ValueError, match=rf"id {ids[position]} at position {position} is outside 0\.\.{limit}"):
        TOKENIZER.decode(ids)


def test_an_unused_id_is_refused():
    gapped = ByteLevelTokenizer("gapped", GPT2_SPLIT, {bytes([b]): b for b in range(256)}, {"<end>": 300})
    with pytest.raises(ValueError, match="id 280 is one that gapped leaves unused"):
        gapped.token_bytes(280)


def test_token_bytes_join_to_the_text():
    ids = TOKENIZER.encode("naïve 我们")
    assert b"".join(map(TOKENIZER.token_bytes, ids)).decode() == "naïve 我们"
