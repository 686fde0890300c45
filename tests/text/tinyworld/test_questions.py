"""The answers, against an account of the story that knows nothing but its English words."""

import re
from collections import Counter

import pytest
from follower import Follower

from minigpt.text.tinyworld import TinyWorld, words
from minigpt.text.tinyworld.derivation import Derivation
from minigpt.text.tinyworld.plot import Event, WorldState
from minigpt.text.tinyworld.questions import (
    KINDS,
    Question,
    answer,
    ask,
    draw_questions,
    needs_two_facts,
    possible,
    put,
    reply,
)
from minigpt.text.tinyworld.rendering import sentences

NUMBERS = ("none", "one", "two", "three")
WORLD = TinyWorld(seed=11)


def drawn(n, language="en"):
    """Stories without their last sentence, each with a question about it."""
    for i in range(n):
        derivation = WORLD.derivation(i)
        state = derivation.states()[-2]
        yield derivation, state, ask(state, WORLD.draws(i, "test")), " ".join(sentences(derivation, "en")[:-1])


def known_to_a_reader(question, story, strict=True):
    """The answer to an English question, from the words of the story alone."""
    reader = Follower(strict).read(story)
    at = {place.en: f"{place.preposition} the {place.en}" for place in words.PLACES}
    if found := re.fullmatch(r"Who has the (.+)\?", question):
        return reader.holder[found[1]] or "nobody"
    if found := re.fullmatch(r"Where is the (.+)\?", question):
        holder = reader.holder[found[1]]
        return at[reader.where[holder] if holder else reader.lies[found[1]]]
    if found := re.fullmatch(r"Where is (\w+)\?", question):
        return at[reader.where[found[1]]]
    if found := re.fullmatch(r"Which thing does (\w+) have\?", question):
        (thing,) = [thing for thing, holder in reader.holder.items() if holder == found[1]]
        return f"the {thing}"
    if found := re.fullmatch(r"How many things does (\w+) have\?", question):
        return NUMBERS[list(reader.holder.values()).count(found[1])]
    found = re.fullmatch(r"How many people are \w+ the (\w+)\?", question)
    return NUMBERS[list(reader.where.values()).count(found[1])]


def test_the_answer_is_what_a_reader_of_the_words_knows():
    kinds = Counter()
    for derivation, state, question, story in drawn(600):
        told = put(question, derivation, "en")
        assert answer(question, derivation, state, "en") == known_to_a_reader(told, story), (story, told)
        kinds[question.kind] += 1
    assert set(kinds) == set(KINDS) and min(kinds.values()) > 30


def test_both_languages_answer_from_the_same_row_of_the_tables():
    people = {p.en: p.zh for p in words.PEOPLE} | {"nobody": "没有人"}
    places = {f"{p.preposition} the {p.en}": p.zh + p.particle for p in words.PLACES}
    things = {f"the {c.en} {t.en}": f"{c.zh}的{t.zh}" for c in words.COLOURS for t in words.THINGS}
    counted = {
        "how many things": dict(zip(NUMBERS, ("一样也没有", "一样", "两样", "三样"), strict=True)),
        "how many people": dict(zip(NUMBERS, ("没有人", "一个", "两个", "三个"), strict=True)),
    }
    for derivation, state, question, _ in drawn(300):
        english, chinese = (answer(question, derivation, state, language) for language in ("en", "zh"))
        assert (people | places | things | counted.get(question.kind, {}))[english] == chinese


def test_every_question_and_its_reply_read_well_in_both_languages():
    told = set()
    for derivation, state, question, _ in drawn(600):
        for language in ("en", "zh"):
            for text in (put(question, derivation, language), put(question, derivation, language, pronoun=True)):
                assert text.endswith(("?", "？")) and "{" not in text
                told.add(re.sub(r"\b(?!Who|Where|Which|How)[A-Z]\w+|the \w+ \w+|(in|on|at|by) the \w+", "…", text))
            said = reply(question, derivation, state, language)
            assert said.endswith((".", "。")) and said[0] == said[0].upper() and "{" not in said
    english = {text for text in told if text.isascii() or ("…" in text and text.endswith("?"))}
    assert {"Who has …?", "Where is …?", "Which thing does … have?", "How many things does … have?"} <= english
    assert {"Who has it?", "Where is it?", "Where is she?", "Where is he?"} <= english


STATE = WorldState(where=(0, 1), holders=(0, ~0, 0), n_places=2)
STORY = Derivation((Event("opening", 0, thing=0, place=0),), (0,), (0, 10), ((0, 0), (1, 1), (2, 2)), (0, 1))


def test_which_thing_is_asked_only_of_somebody_who_has_exactly_one():
    assert "which" not in possible(STATE)
    assert possible(STATE._replace(holders=(0, 1, 0)))["which"] == (Question("which", 1),)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (Question("who", 0), "Anna"),
        (Question("who", 1), "nobody"),
        (Question("where thing", 1), "in the garden"),
        (Question("where person", 1), "in the park"),
        (Question("how many things", 0), "two"),
        (Question("how many things", 1), "none"),
        (Question("how many people", 1), "one"),
    ],
)
def test_answers_by_hand(question, expected):
    assert answer(question, STORY, STATE, "en") == expected


@pytest.mark.parametrize(
    ("question", "two"),
    [
        (Question("who", 0), False),
        (Question("where thing", 0), True),
        (Question("where thing", 1), False),
        (Question("where person", 0), False),
        (Question("how many people", 0), True),
    ],
)
def test_where_a_thing_is_that_somebody_has_takes_two_facts(question, two):
    assert needs_two_facts(question, STATE) is two


def test_no_question_is_drawn_twice_and_all_are_drawn_in_the_end():
    everything = {question for questions in possible(STATE).values() for question in questions}
    drawn = list(draw_questions(STATE, 100, WORLD.draws(0, "questions")))
    assert len(drawn) == len(everything) and set(drawn) == everything
    assert len(list(draw_questions(STATE, 4, WORLD.draws(0, "questions")))) == 4
