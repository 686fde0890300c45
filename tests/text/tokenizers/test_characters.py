import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigpt.text.tokenizers.characters import CharTokenizer


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@settings(deadline=None, database=None)
def test_decoding_gives_the_text_back(text):
    tokenizer = CharTokenizer.train(text)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_ids_follow_code_points():
    assert CharTokenizer.train("banana").encode("ban") == [1, 0, 2]


@pytest.mark.parametrize("character", ["\0", "\r", "\ufeff"])
def test_control_characters_and_marks_are_characters_like_others(character):
    tokenizer = CharTokenizer.train(f"a{character}b")
    assert tokenizer.decode(tokenizer.encode(character)) == character


def test_an_unknown_character_is_named_with_its_position_and_the_mend():
    with pytest.raises(ValueError, match=r"'z' \(U\+007A\) at position 2 is not among the 2 .*BPETokenizer"):
        CharTokenizer("ab").encode("abz")


def test_a_lone_surrogate_is_named_as_such():
    with pytest.raises(ValueError, match=r"lone surrogate U\+D800 at character 1"):
        CharTokenizer("ab").encode("a\ud800")


def test_an_id_of_another_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"id 2 at position 1 is outside 0\.\.1"):
        CharTokenizer("ab").decode([0, 2])


def test_a_negative_id_is_refused():
    with pytest.raises(ValueError, match="id -1 at position 0"):
        CharTokenizer("ab").decode([-1])


def test_an_empty_vocabulary_is_refused():
    with pytest.raises(ValueError, match="at least one character"):
        CharTokenizer.train("")


def test_a_character_given_twice_is_refused():
    with pytest.raises(ValueError, match="'a' is given twice"):
        CharTokenizer("aba")


def test_token_bytes_are_utf8():
    assert CharTokenizer("é").token_bytes(0) == b"\xc3\xa9"


def test_there_are_no_special_tokens():
    tokenizer = CharTokenizer.train("<|endoftext|>")
    assert tokenizer.special_tokens == {}
    assert len(tokenizer.encode("<|endoftext|>", allow_special=True)) == 13
