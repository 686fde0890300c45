import pytest

from minigpt.evaluation.fairness import augment, swap_words

WORDS = {"Ann": "Tom", "she": "he", "王芳": "王刚"}


def test_words_are_swapped_in_both_directions_and_only_whole():
    assert swap_words("Ann and Tom: she sees the shed, Anna. She, he!", WORDS) == (
        "Tom and Ann: he sees the shed, Anna. He, she!"
    )
    assert swap_words("王刚和王芳去公园", WORDS) == "王芳和王刚去公园"


def test_two_swaps_give_the_text_back():
    text = "Ann, he said, is not she. 王芳。"
    assert swap_words(swap_words(text, WORDS), WORDS) == text
    assert augment(text, WORDS) == text + swap_words(text, WORDS)


@pytest.mark.parametrize(("text", "partners"), [(None, {"a": "b"}), ("a", None), ("a", ["ab"]), ("a", {"a": 5})])
def test_what_is_no_text_or_no_pairs_of_words_is_refused(text, partners):
    with pytest.raises(ValueError, match="must be a "):
        swap_words(text, partners)


@pytest.mark.parametrize("words", [{}, {"her": "him", "hers": "him"}, {"a": "b", "b": "c"}, {"": "b"}])
def test_a_word_without_one_partner_is_refused(words):
    with pytest.raises(ValueError, match="each word needs one partner"):
        swap_words("text", words)
