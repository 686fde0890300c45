import re

import pytest
import regex
import tiktoken

from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.loading import load_tokenizer
from minigpt.text.tokenizers.patterns import (
    GPT2_SPLIT,
    compile_pattern,
    has_long_blank,
    special_splitter,
    spell_out_classes,
    split_pieces,
)

CL100K = (
    r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+"
    r"|\s++$|\s*[\r\n]|\s+(?!\S)|\s"
)


def bpe(pattern):
    return {
        "format": "minigpt.tokenizer",
        "version": 1,
        "type": "bpe",
        "pattern": pattern,
        "special_tokens": [],
        "merges": [],
    }


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("a", "leaves out part of the text; end it with |.|"),
        (r"\p{L}+|\s+", "leaves out part of the text"),
        (r"\S+| ", "leaves out part of the text"),
        ("", "leaves out part of the text"),
        ("(?=a)", "leaves out part of the text"),
        (r"a*|[\s\S]", "matches the empty text; write + for *"),
        (r"(?:a|aa)+[^a.]|[\s\S]", "takes over 1 s for"),
        (r"(?: |  )+[^ .]|[\s\S]", "takes over 1 s for"),
        ("(?:(?:(?:a{1000}){1000}){1000}){1000}", "is too large: over 10,000 characters with its repeats"),
        ("[ab]{9,99999999999999999999}", "is too large"),
        ("(" * 5000 + "a" + ")" * 5000, "is too large"),
        ("(?:" * 60 + "a" + ")" * 60 + r"|[\s\S]", "50 groups in each other"),
        ("a|" * 6000 + r"[\s\S]", "is too large"),
        ("(", "is not a regular expression"),
        (r"(\w+)|[\s\S]", "has a capturing group"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused_when_a_tokenizer_is_loaded(pattern, message):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        load_tokenizer(bpe(pattern))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("pattern", [GPT2_SPLIT, CL100K, r"\S+|\s+", r"[\s\S]", r"\p{N}{1,3}|.|\s", r"[]a]+|[\s\S]"])
def test_a_pattern_in_use_is_accepted(pattern):
    text = "It's 1999 – naïve]\r\n\n  我们 {2}"
    tokenizer = load_tokenizer(bpe(pattern))
    assert "".join(split_pieces(pattern, text)) == text
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_pattern_that_needs_ever_more_steps_is_stopped(monkeypatch):
    monkeypatch.setattr("minigpt.text.tokenizers.patterns.SECONDS", 0.2)
    pattern = r"(?:z|zz)+[^z]|[\s\S]"  # no run of z is in the text that a pattern is tried on
    with pytest.raises(ValueError, match=r"takes over \d s for 50 characters; leave out repeats"):
        BPETokenizer([], pattern=pattern).encode_reference("z" * 50)


def test_a_pattern_is_compiled_once():
    assert compile_pattern(GPT2_SPLIT) is compile_pattern(GPT2_SPLIT)


def test_the_longest_special_token_wins():
    assert special_splitter(["<a>", "<a><b>"])("x<a><b>y<a>") == ["x", "<a><b>", "y", "<a>", ""]


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


@pytest.mark.parametrize("before", [0, 1, 4, 5, 6, 9, 10, 11])
def test_white_space_is_long_from_one_character_beyond_the_limit_wherever_it_begins(before):
    for n_blanks in range(30):
        for blank in (" ", "\n", "\u3000"):
            text = "x" * before + blank * (70 + n_blanks) + "x y  z" * 20
            assert has_long_blank(text, 80) == (70 + n_blanks > 80)
