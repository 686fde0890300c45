import re
from itertools import islice

import pytest

from minigpt.text.tinyworld import words
from minigpt.text.tinyworld.derivation import Derivation
from minigpt.text.tinyworld.plot import Event
from minigpt.text.tinyworld.rendering import forms_of, render
from minigpt.text.tinyworld.world import TinyWorld

OPENING = Event("opening", actor=0, thing=0, place=0)
FRIEND = Event("friend", actor=1, place=0)
LOOSE = Event("loose", thing=1, place=0)
ORANGE_UMBRELLA, RED_BOOK = (8, 12), (0, 2)
ANNA, TOM = 0, 10


def told(*events, language="en", people=(ANNA, TOM), items=(ORANGE_UMBRELLA, RED_BOOK)):
    """A story of some sentences, each in its first wording, which need not end."""
    return render(Derivation(events, (0,) * len(events), people, items, (0, 1)), language)


def test_a_story_begins_with_who_is_where_with_what():
    assert told(OPENING) == "One sunny morning, Anna was in the garden with an orange umbrella."
    assert told(OPENING, language="zh") == "一个晴朗的早晨，安娜在花园里，手里拿着一把橙色的雨伞。"


def test_whoever_comes_to_where_somebody_is_is_there_too():
    assert told(OPENING, FRIEND).endswith(". Tom was in the garden too.")
    assert told(OPENING, FRIEND, language="zh").endswith("。汤姆也在花园里。")
    assert told(OPENING, Event("friend", actor=1, place=1)).endswith(". Tom was in the park.")


@pytest.mark.parametrize(
    ("people", "english", "chinese"),
    [
        ((ANNA, TOM), "He sat down in the garden and laughed.", "他在花园里坐下来，笑了起来。"),
        ((TOM, ANNA), "She sat down in the garden and laughed.", "她在花园里坐下来，笑了起来。"),
    ],
)
def test_a_pronoun_agrees_with_whom_the_last_sentence_was_about(people, english, chinese):
    rest = Event("rest", 1)
    story = Derivation((OPENING, FRIEND, rest), (0, 0, 5), people, (RED_BOOK,), (0,))
    assert render(story, "en").endswith(english)
    assert render(story, "zh").endswith(chinese)


def test_whom_the_last_sentence_was_about_is_an_object_as_a_pronoun():
    english = ". Anna sat down in the garden and gave the orange umbrella to him."
    assert told(OPENING, FRIEND, Event("give", 0, 1, 0)).endswith(english)
    chinese = "。安娜在花园里坐下来，把橙色的雨伞给了他。"
    assert told(OPENING, FRIEND, Event("give", 0, 1, 0), language="zh").endswith(chinese)


def test_whom_it_was_not_about_is_named():
    events = (OPENING, FRIEND, LOOSE, Event("give", 0, 1, 0))
    assert told(*events).endswith(" Anna sat down in the garden and gave the orange umbrella to Tom.")


def test_the_one_thing_of_the_last_sentence_is_it():
    events = (OPENING, FRIEND, LOOSE, Event("take", 1, thing=1))
    assert told(*events).endswith("A red book lay in the garden. Tom looked around in the garden and took it.")
    assert told(*events, language="zh").endswith("花园里有一本红色的书。汤姆在花园里四处看了看，拿起了它。")


def test_what_somebody_owns_is_theirs_by_name_or_pronoun():
    events = (OPENING, FRIEND, LOOSE, Event("take", 1, thing=1))
    swapped = " Anna sat down in the garden and swapped the orange umbrella for his red book."
    assert told(*events, Event("swap", 0, 1, 0, 1)).endswith(swapped)
    assert told(*events, Event("rest", 0), Event("swap", 0, 1, 0, 1)).endswith("for Tom's red book.")
    assert told(*events, Event("swap", 0, 1, 0, 1), language="zh").endswith(
        "安娜在花园里坐下来，用橙色的雨伞换了他那本红色的书。"
    )


def test_whoever_goes_somewhere_is_said_to_leave_where_they_are():
    apart = (OPENING, Event("friend", actor=1, place=1))
    assert told(*apart, Event("visit", 0, 1)).endswith("Anna left the garden and went to see him in the park.")
    assert told(*apart, Event("visit", 0, 1), language="zh").endswith("安娜从花园到公园去看他。")
    assert told(*apart, Event("go", 0, place=1)).endswith("Anna left the garden and went to the park.")
    assert told(*apart, Event("go", 0, place=1), language="zh").endswith("安娜从花园去了公园。")


def test_every_action_says_where_its_actor_is():
    apart = (OPENING, Event("friend", actor=1, place=1))
    assert told(*apart, Event("rest", 0)).endswith(". Anna sat down in the garden and sang a song.")
    assert told(*apart, Event("rest", 0), language="zh").endswith("。安娜在花园里坐下来，唱了一首歌。")
    assert told(*apart, Event("call", 0, 1)).endswith(". Anna looked around in the garden and called him over.")
    assert told(*apart, Event("call", 0, 1), language="zh").endswith("。安娜在花园里四处看了看，把他叫了过来。")
    assert told(*apart, Event("call", 0, 1), Event("rest", 1)).endswith(". Tom sat down in the garden and sang a song.")


def test_what_somebody_leaves_somewhere_lies_there():
    left = Derivation((OPENING, FRIEND, Event("drop", 0, thing=0)), (0, 0, 2), (ANNA, TOM), (ORANGE_UMBRELLA,), (0,))
    assert render(left, "en").endswith(". Anna looked around in the garden and left the orange umbrella there.")
    assert render(left, "zh").endswith("。安娜在花园里四处看了看，把橙色的雨伞留在了那里。")


def test_a_story_ends_with_where_a_thing_is_and_who_has_it():
    events = (OPENING, FRIEND, Event("give", 0, 1, 0), Event("go", 1, place=1))
    end = "In the end, the orange umbrella was with Tom in the park."
    assert told(*events, Event("held", 1, thing=0)).endswith(end)
    end = "In the end, the orange umbrella was lying in the garden."
    assert told(OPENING, FRIEND, Event("drop", 0, thing=0), Event("lies", thing=0)).endswith(end)


def test_a_lead_comes_before_a_small_letter():
    story = Derivation((OPENING, FRIEND, Event("rest", 1)), (0, 0, 6), (ANNA, TOM), (RED_BOOK,), (0,))
    assert render(story, "en").endswith(" Then he sat down in the garden and sang a song.")


def test_every_thing_has_its_measure_word_and_every_colour_its_article():
    assert forms_of("zh").new[RED_BOOK] == "一本红色的书"
    new = forms_of("en").new
    assert {phrase.split()[0] for (colour, _), phrase in new.items() if words.COLOURS[colour].en == "orange"} == {"an"}
    assert {phrase.split()[0] for (colour, _), phrase in new.items() if words.COLOURS[colour].en != "orange"} == {"a"}


STIFF = {
    "en": r"was (in|on|at|by) the \w+ and|, who was|nobody had it|there there|\ba [aeiou]|\ban [^aeiou]|\b(\w+) \2\b",
    "zh": r"带着|一起在|留下了它|把它留下了|从[^到去，。]+里|[他她]的|的[^。，]*的[^。，]*的|一天结束的时候|在在|了了",
}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_story_has_a_stiff_sentence(language):
    for story in islice(TinyWorld(language).stories(), 500):
        assert not re.search(STIFF[language], story), story


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_two_stories_read_alike(language, small_world):
    texts = [render(story, language) for story in small_world()]
    assert len(texts) == len(set(texts)) > 1000


def test_an_english_story_has_about_150_different_words():
    text = TinyWorld(split="all").text(1000).lower()
    assert 140 <= len({word.strip(".,") for word in text.split()}) <= 180


def test_an_unknown_language_lists_the_known_ones():
    with pytest.raises(ValueError, match="no language 'fr'; choose en or zh"):
        told(OPENING, language="fr")
