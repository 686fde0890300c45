import re
from collections import Counter

import pytest

from minigpt.text.tinyworld import words
from minigpt.text.tinyworld.rendering import SLOTS


@pytest.mark.parametrize("table", [words.PEOPLE, words.COLOURS, words.THINGS, words.PLACES])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_word_stands_twice_in_a_table(table, language):
    assert len({getattr(row, language) for row in table}) == len(table)


@pytest.mark.parametrize("kind", words.FRAMES)
def test_both_languages_of_a_frame_have_the_same_slots(kind):
    for english, chinese in words.FRAMES[kind]:
        assert Counter(re.findall(r"\{(\w+)\}", english)) == Counter(re.findall(r"\{(\w+)\}", chinese))


def test_every_slot_of_a_frame_can_be_filled():
    assert set(re.findall(r"\{(\w+)\}", str(words.FRAMES))) <= set(SLOTS)


@pytest.mark.parametrize("which", [0, 1])
def test_no_two_wordings_are_alike(which):
    for kind, frames in words.FRAMES.items():
        told = {lead[which] + frame[which] for lead in words.leads(kind) for frame in frames}
        assert len(told) == words.wordings(kind)


def test_chinese_frames_end_in_a_chinese_full_stop():
    assert all(
        chinese.endswith("。") and english.endswith(".") for f in words.FRAMES.values() for english, chinese in f
    )
