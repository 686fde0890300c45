import pytest

from minigpt.text.tokenizers.borders import encode_border, encode_texts
from minigpt.text.tokenizers.bpe import BPETokenizer
from minigpt.text.tokenizers.characters import CharTokenizer

BPE, CHAR = BPETokenizer([]), CharTokenizer("\nab")


@pytest.mark.parametrize(
    ("texts", "tokenizer", "ids"),
    [
        (["a", "", "b"], BPE, [97, 256, 256, 98]),
        (["a", "b"], BPETokenizer([], special_tokens=()), [97, 10, 10, 98]),
        (["a", "b"], CHAR, [1, 0, 0, 2]),
        ("ab", CHAR, [1, 2]),
        (["ab"], CharTokenizer("ab"), [0, 1]),
        ([], CHAR, []),
    ],
)
def test_a_border_comes_between_two_texts_and_nowhere_else(texts, tokenizer, ids):
    assert encode_texts(texts, tokenizer) == ids


def test_a_border_that_is_typed_is_text_unless_allowed():
    assert encode_texts("<|endoftext|>", BPE) == list(b"<|endoftext|>")
    assert encode_texts(["<|endoftext|>", "a"], BPE, allow_special=True) == [256, 256, 97]


def test_another_border_is_used_in_plain_text_only():
    assert encode_border(CHAR, "") == []
    assert encode_border(BPE, "") == [256]
