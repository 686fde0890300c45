import re

import pytest

from minigpt.text.tinyworld.parsing import parse
from minigpt.text.tinyworld.rendering import render
from minigpt.text.tinyworld.world import TinyWorld

STORY = (
    "One sunny morning, Anna was in the garden with a red kite. Tom was in the park. A blue ball lay in the park. "
    "Tom looked around in the park and took it. Then he left the park and went to see Anna in the garden. "
    "Later Anna sat down in the garden and gave the red kite to him. "
    "In the end, the red kite was with Tom in the garden."
)
VISIT = "Then he left the park and went to see Anna in the garden."


def changed(old, new):
    assert STORY.count(old) == 1
    return STORY.replace(old, new)


def refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text, "en")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_parsing_undoes_rendering(language):
    world = TinyWorld(split="all", seed=1)
    for i in range(1500):
        derivation = world.derivation(i)
        assert parse(render(derivation, language), language) == derivation


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_kind_of_story_of_a_small_world_is_parsed(language, small_world):
    for derivation in list(small_world())[::20]:
        assert parse(render(derivation, language), language) == derivation


@pytest.mark.parametrize(
    ("text", "wrong", "got", "expected"),
    [
        (changed("took it.", "tok it."), "k it.", "'k it. Then", "'o'"),
        (changed("took it.", "took it,"), ", Then", "', Then", "'.'"),
        (changed("blue ball", "blue bell"), "ell lay", "'ell lay", "'a' or 'l' or 'o'"),
        (changed("it. Then", "it.Then"), "Then", "'Then", "' '"),
        (changed("with a red", "with an red"), "red", "'red kite", "'o'"),  # an orange one
        (STORY[:-1], "", "the end of the text", "'.'"),
        (STORY + " Tom", " Tom", "' Tom'", "nothing more, for the story has ended"),
    ],
)
def test_a_corrupted_sentence_is_refused_at_its_first_wrong_character(text, wrong, got, expected):
    position = text.index(wrong) if wrong.strip() != "Tom" and wrong else len(text) - len(wrong)
    refused(text, re.escape(f"character {position} of the story: got {got}") + ".*, expected " + re.escape(expected))


def test_a_corrupted_chinese_sentence_is_refused_too():
    text = render(parse(STORY, "en"), "zh").replace("红色的风筝在花园里", "红色的风筝再花园里", 1)
    with pytest.raises(ValueError, match=r"got '再花园里的.*', expected '在' or '留'"):
        parse(text, "zh")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            changed("Tom looked around in the park", "Anna looked around in the garden"),
            "Anna looked",
        ),  # the ball is elsewhere
        (changed("gave the red kite", "gave the blue ball"), "Later Anna sat"),  # does not have it
        (changed("went to see Anna", "went to see Lily"), "Then he left"),  # nobody of that name
        (changed("with Tom in", "with Anna in"), "In the end"),
        (changed("A blue ball", "A red kite"), "A red kite lay"),  # there is one already
        (changed("Tom was in the park.", "Anna was in the park."), "Anna was"),
    ],
)
def test_what_the_state_of_the_world_forbids_is_refused(text, sentence):
    refused(text, re.escape(f"got '{sentence}") + ".*expected a sentence that fits the state of the world: .*, given ")


def test_the_refusal_says_how_things_stand():
    refused(
        changed("gave the red kite", "gave the blue ball"),
        r"given Anna in the garden, Tom in the garden, the red kite in the garden \(Anna\), "
        r"the blue ball in the garden \(Tom\)$",
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (changed("Then he", "Then Tom"), VISIT),  # a pronoun is due
        (changed("Then he", "Then she"), VISIT),  # of the right gender
        (changed("he left the park", "he left the hill"), VISIT),  # he is elsewhere
        (changed("see Anna in the garden", "see Anna on the hill"), VISIT),  # she is elsewhere
        (changed("took it", "took the blue ball"), "Tom looked around in the park and took it."),
        (changed("around in the park", "around on the hill"), "Tom looked around in the park and took it."),
        (
            changed("with Tom in the garden", "with Tom in the park"),
            "In the end, the red kite was with Tom in the garden.",
        ),
        (changed("Tom was in the park.", "Tom was in the park too."), "Tom was in the park."),
        (changed("One sunny", "one sunny"), "One sunny morning"),
    ],
)
def test_what_is_told_in_other_words_is_refused(text, expected):
    refused(text, f"expected '{re.escape(expected)}")


def test_an_empty_text_is_refused():
    refused("", "character 0 of the story: got the end of the text, expected ")


def test_an_unknown_language_is_refused():
    with pytest.raises(ValueError, match="no language 'de'; choose en or zh"):
        parse(STORY, "de")
