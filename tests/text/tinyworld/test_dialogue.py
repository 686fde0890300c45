import re
from itertools import pairwise

import pytest
from test_questions import known_to_a_reader

from minigpt.text.tinyworld import TinyWorld, words
from minigpt.text.tinyworld.dialogue import MOST_TURNS, bot_says, converse, user_says

WORLD = TinyWorld(seed=12)
GENDER = {person.en: person.pronoun for person in words.PEOPLE}


def conversations(n):
    for i in range(n):
        derivation = WORLD.derivation(i)
        yield derivation, list(converse(derivation, WORLD.draws(i, "dialogue")))


def test_a_conversation_tells_the_story_in_order_and_never_its_last_sentence():
    lengths = set()
    for derivation, turns in conversations(300):
        told = [i for turn in turns for i in turn.told]
        assert told == list(range(len(told)))
        assert len(told) < len(derivation.events)
        lengths.add(len(turns))
    assert lengths <= set(range(1, MOST_TURNS + 1)) and max(lengths) == MOST_TURNS


def test_the_bot_is_right_about_what_the_user_has_said_so_far():
    """An English reader of the user's words, who also resolves "it", "she" and "he", comes to the same answers."""
    n_follow_ups = 0
    for derivation, turns in conversations(400):
        story, person, thing = "", None, None
        for turn in turns:
            said, answered = user_says(turn, derivation, "en"), bot_says(turn, derivation, "en")
            *sentences, question = re.split(r"(?<=\.) ", said)
            story = " ".join(filter(None, [story, *sentences]))
            if turn.is_follow_up:
                n_follow_ups += 1
                assert not sentences
                question = resolved(question, person, thing)
            else:
                assert not re.search(r"\b(it|she|he)\b", question)
            brief = known_to_a_reader(question, story, strict=False)
            assert brief.lower() in answered.lower(), (story, question, answered)
            if found := re.search(r"the (\w+ \w+)\?|has the (\w+ \w+)\.", f"{question} {answered}"):
                thing = found[1] or found[2]
            people = [name for name in GENDER if re.search(rf"\b{name}\b", f"{question} {answered}")]
            person = people[-1] if people else person
    assert n_follow_ups > 200


def resolved(question, person, thing):
    if re.search(r"\bit\b", question):
        return re.sub(r"\bit\b", f"the {thing}", question)
    pronoun = re.search(r"\b(she|he)\b", question)[1]
    assert GENDER[person] == pronoun
    return re.sub(rf"\b{pronoun}\b", person, question)


def test_nothing_is_asked_twice_of_the_same_world():
    for _, turns in conversations(300):
        for one, other in pairwise(turns):
            assert not (other.is_follow_up and one.question == other.question)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_bit_of_the_story_begins_with_a_name(language):
    pronouns = {"en": r"\b(she|he|it|her|him)\b", "zh": "[她他它]"}[language]
    first = {"en": r"(?<=\.) ", "zh": r"(?<=。)"}[language]
    for derivation, turns in conversations(200):
        for turn in turns[1:]:
            if turn.told:
                assert not re.search(pronouns, re.split(first, user_says(turn, derivation, language))[0])
