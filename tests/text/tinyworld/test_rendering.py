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
    assert told(OPENING, language="zh") == "一个晴朗的早晨，安娜带着一把橙色的雨伞在花园里。"


def test_whoever_comes_to_where_somebody_is_is_there_too():
    assert told(OPENING, FRIEND).endswith(". Tom was in the garden too.")
    assert told(OPENING, FRIEND, language="zh").endswith("。汤姆也在花园里。")
    assert told(OPENING, Event("friend", actor=1, place=1)).endswith(". Tom was in the park.")


@pytest.mark.parametrize(
    ("people", "english", "chinese"),
    [
        ((ANNA, TOM), "He was in the garden and laughed.", "他在花园里笑了。"),
        ((TOM, ANNA), "She was in the garden and laughed.", "她在花园里笑了。"),
    ],
)
def test_a_pronoun_agrees_with_whom_the_last_sentence_was_about(people, english, chinese):
    rest = Event("rest", 1)
    story = Derivation((OPENING, FRIEND, rest), (0, 0, 5), people, (RED_BOOK,), (0,))
    assert render(story, "en").endswith(english)
    assert render(story, "zh").endswith(chinese)


def test_whom_the_last_sentence_was_about_is_an_object_as_a_pronoun():
    english = ". Anna was in the garden and gave the orange umbrella to him."
    assert told(OPENING, FRIEND, Event("give", 0, 1, 0)).endswith(english)
    assert told(OPENING, FRIEND, Event("give", 0, 1, 0), language="zh").endswith("。安娜在花园里把橙色的雨伞给了他。")


def test_whom_it_was_not_about_is_named():
    events = (OPENING, FRIEND, LOOSE, Event("give", 0, 1, 0))
    assert told(*events).endswith(" Anna was in the garden and gave the orange umbrella to Tom.")


def test_the_one_thing_of_the_last_sentence_is_it():
    events = (OPENING, FRIEND, LOOSE, Event("take", 1, thing=1))
    assert told(*events).endswith("A red book lay in the garden. Tom was in the garden and took it.")
    assert told(*events, language="zh").endswith("花园里有一本红色的书。汤姆在花园里拿起了它。")


def test_what_somebody_owns_is_theirs_by_name_or_pronoun():
    events = (OPENING, FRIEND, LOOSE, Event("take", 1, thing=1))
    swapped = " Anna was in the garden and swapped the orange umbrella for his red book."
    assert told(*events, Event("swap", 0, 1, 0, 1)).endswith(swapped)
    assert told(*events, Event("rest", 0), Event("swap", 0, 1, 0, 1)).endswith("for Tom's red book.")
    assert told(*events, Event("swap", 0, 1, 0, 1), language="zh").endswith(
        "安娜在花园里用橙色的雨伞换了他的红色的书。"
    )


def test_it_is_told_where_somebody_is_before_what_they_do_and_where_they_go():
    apart = (OPENING, Event("friend", actor=1, place=1))
    told_so = "Anna was in the garden and went to see him in the park."
    assert told(*apart, Event("visit", 0, 1)).endswith(told_so)
    assert told(*apart, Event("visit", 0, 1), language="zh").endswith("安娜从花园里去公园里看了他。")
    assert told(*apart, Event("go", 0, place=1)).endswith("Anna was in the garden and went to the park.")
    assert told(*apart, Event("go", 0, place=1), language="zh").endswith("安娜从花园里去了公园。")
    after = (*apart, Event("call", 0, 1), Event("rest", 1))
    assert told(*after).endswith("called him over. Tom was in the garden and sang a song.")


def test_a_story_ends_with_where_a_thing_is_and_who_has_it():
    events = (OPENING, FRIEND, Event("give", 0, 1, 0), Event("go", 1, place=1))
    end = "In the end, the orange umbrella was with Tom in the park."
    assert told(*events, Event("held", 1, thing=0)).endswith(end)
    end = "In the end, the orange umbrella was in the garden, and nobody had it."
    assert told(OPENING, FRIEND, Event("drop", 0, thing=0), Event("lies", thing=0)).endswith(end)


def test_a_lead_comes_before_a_small_letter():
    story = Derivation((OPENING, FRIEND, Event("rest", 1)), (0, 0, 6), (ANNA, TOM), (RED_BOOK,), (0,))
    assert render(story, "en").endswith(" Then he was in the garden and sang a song.")


def test_every_thing_has_its_measure_word_and_every_colour_its_article():
    assert forms_of("zh").new[RED_BOOK] == "一本红色的书"
    new = forms_of("en").new
    assert {phrase.split()[0] for (colour, _), phrase in new.items() if words.COLOURS[colour].en == "orange"} == {"an"}
    assert {phrase.split()[0] for (colour, _), phrase in new.items() if words.COLOURS[colour].en != "orange"} == {"a"}


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
