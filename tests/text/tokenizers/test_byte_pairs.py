from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.byte_pairs import ByteLevelTokenizer, merge_bytes
from minigpt.text.tokenizers.patterns import GPT2_SPLIT

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


@pytest.mark.parametrize("text", ["", "the cat, 我们 and <|endoftext|> \n\n x", "a" + " " * 3000 + "b"])
@pytest.mark.parametrize("allow_special", [False, True])
@pytest.mark.parametrize("longest", [1000, 100_000])
def test_the_array_has_the_ids_of_the_list(monkeypatch, text, allow_special, longest):
    monkeypatch.setattr("minigpt.text.tokenizers.byte_pairs._LONGEST_SAFE_BLANK", longest)
    array = TOKENIZER.encode_array(text, allow_special=allow_special)
    assert array.dtype == np.uint32
    assert array.tolist() == TOKENIZER.encode_reference(text, allow_special=allow_special)


def test_an_array_is_refused_where_a_list_is():
    with pytest.raises(ValueError, match=r"lone surrogate U\+D800"):
        TOKENIZER.encode_array("a\ud800")


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


def test_an_unused_id_is_decoded_like_bytes_that_are_not_utf8():
    gapped = ByteLevelTokenizer("gapped", GPT2_SPLIT, {bytes([b]): b for b in range(256)}, {"<end>": 300})
    assert gapped.decode([97, 280, 98]) == "a\ufffdb"
    assert b"".join(map(gapped.token_bytes, [97, 280])).decode() == "a\ufffd"
    with pytest.raises(ValueError, match=r"id 301 at position 1 is outside 0\.\.300"):
        gapped.decode([280, 301])


def test_token_bytes_join_to_the_text():
    ids = TOKENIZER.encode("naïve 我们")
    assert b"".join(map(TOKENIZER.token_bytes, ids)).decode() == "naïve 我们"


SKIPS_LATE = r"[^q]+|q(?=[^q])"  # a text that ends in q loses it


@pytest.mark.parametrize("way", ["encode", "encode_reference"])
def test_no_text_is_lost_in_silence(way):
    tokenizer = BPETokenizer([], pattern=SKIPS_LATE)
    encode = getattr(tokenizer, way)
    assert tokenizer.decode(encode("aqb")) == "aqb"
    with pytest.raises(ValueError, match=r"leaves out part of the text; end it with \|\.\|\\s"):
        encode("abq")
    with pytest.raises(ValueError, match="leaves out part of the text"):
        encode("q<|endoftext|>", allow_special=True)


def test_where_tiktoken_fails_inside_the_reference_takes_over(monkeypatch):
    class PanicException(BaseException):
        """What Rust raises."""

    class Fast:
        def encode_ordinary(self, text):
            raise PanicException("index out of bounds")

    tokenizer = BPETokenizer([], pattern=r"\S+|\s+")
    monkeypatch.setitem(tokenizer.__dict__, "_fast", Fast())
    assert tokenizer.encode("a b") == list(b"a b")
    assert tokenizer.encode("a<|endoftext|>", allow_special=True) == [97, 256]


def test_ctrl_c_is_not_taken_for_a_failure(monkeypatch):
    class Interrupted:
        def encode_ordinary(self, text):
            raise KeyboardInterrupt

    tokenizer = BPETokenizer([], pattern=r"\S+|\s+")
    monkeypatch.setitem(tokenizer.__dict__, "_fast", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        tokenizer.encode("a b")
