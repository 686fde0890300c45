from hashlib import blake2b

import numpy as np
import pytest

from minigpt.text.cleaning.words import (
    check_words_in_a_row,
    ngram_hashes,
    normalised,
    shingle_hashes,
    shingles,
    word_hashes,
    words,
)

PINNED = [1779355837057407632, 17494817227018148044]  # of "a b 我", two words at a time


def test_case_layout_and_unicode_form_make_no_difference():
    assert normalised("Ｔhe  ﬁne\n\tSTRASSE ") == normalised("the fine straße") == "the fine strasse"


def test_words_are_runs_of_letters_and_digits():
    assert words("It's 3.5 km -- over_there!") == ["it", "s", "3", "5", "km", "over_there"]


def test_chinese_japanese_and_thai_have_a_word_for_each_character():
    assert words("我们用 GPT-2。") == ["我", "们", "用", "gpt", "2"]
    assert words("ひらカナ漢") == list("ひらカナ漢")
    assert words("กขค") == list("กขค")
    assert words("한국어 문장") == ["한국어", "문장"]  # written with spaces


def test_shingles_are_n_words_in_a_row_and_a_short_text_is_one():
    assert shingles("a b c a b c", 3) == {("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b")}
    assert shingles("a b", 3) == {("a", "b")}
    assert shingles("!?", 3) == set()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_equal_shingles_and_no_others_have_equal_hashes(n):
    rng = np.random.default_rng(n)
    text = " ".join(rng.choice(["a", "b", "ab", "ba", "我"], 3000))
    found = words(text)
    by_shingle = {}
    for i, value in enumerate(shingle_hashes(text, n).tolist()):
        by_shingle.setdefault(tuple(found[i : i + n]), set()).add(value)
    assert set(by_shingle) == shingles(text, n)
    assert all(len(values) == 1 for values in by_shingle.values())
    assert len(set.union(*by_shingle.values())) == len(by_shingle)


def test_the_hash_of_a_text_of_fewer_words_than_a_shingle_is_that_of_all_of_them():
    assert shingle_hashes("one two", 5).tolist() == shingle_hashes("one two", 2).tolist()
    assert len(shingle_hashes("one two", 5)) == 1 and len(shingle_hashes("…", 5)) == 0
    assert len(ngram_hashes(word_hashes("one two"), 3)) == 0


def test_the_hash_of_a_word_is_the_start_of_its_blake2b_digest():
    expected = [int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "little") for word in ("a", "我")]
    assert word_hashes("A 我").tolist() == expected


def test_hashes_are_the_same_in_every_process():
    assert shingle_hashes("a b 我", 2).tolist() == PINNED


@pytest.mark.parametrize("n", [0, -1, 2.0, True, "5"])
def test_a_number_of_words_that_is_none_is_refused(n):
    with pytest.raises(ValueError, match=r"n=.* must be a whole number, at least 1"):
        check_words_in_a_row(n, "n")


def test_text_with_half_a_surrogate_pair_has_hashes():
    assert len(shingle_hashes("a \ud800 b", 1)) == 2
