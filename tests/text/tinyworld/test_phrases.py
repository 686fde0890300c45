import re

import pytest

from minigpt.text import CharTokenizer
from minigpt.text.tinyworld import TASKS, TinyWorld, encode_parts, phrases, task_text, task_tokenizer, words

WORLDS = {name: TinyWorld("both", seed=13) for name in TASKS}
NAMES = list(TASKS)


def text(parts):
    return "".join(part.text for part in parts)


@pytest.fixture
def few_examples(monkeypatch):
    """A tokenizer's training text short enough for a test."""
    monkeypatch.setattr(phrases, "READ", 120)


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.usefixtures("few_examples")
def test_no_token_of_a_task_s_tokenizer_reaches_from_what_is_given_into_an_answer(task):
    tokenizer = task_tokenizer(task, WORLDS[task], 800)
    for i in range(200, 220):
        parts = TASKS[task].example(WORLDS[task], i)
        assert encode_parts(parts, tokenizer)[0] == tokenizer.encode(text(parts))


@pytest.mark.usefixtures("few_examples")
def test_a_phrase_can_be_a_token():
    tokenizer = task_tokenizer("story", TinyWorld(), 1024)
    tokens = [tokenizer.token_bytes(i) for i in range(tokenizer.vocab_size)]
    assert sum(b" " in token.strip() for token in tokens) > 50
    assert len(tokenizer.encode(TinyWorld().text(100))) < 50 * 100


@pytest.mark.parametrize(
    ("language", "ends"), [("en", {"?\nBot: ", " in the park", "In the park"}), ("zh", {"？\n助手："})]
)
def test_a_question_s_end_with_who_speaks_next_and_where_something_is_can_be_a_token(language, ends):
    tokenizer = task_tokenizer("dialogue", TinyWorld(language), 1024)
    assert ends <= {tokenizer.token_bytes(i).decode("utf-8", "replace") for i in range(tokenizer.vocab_size)}


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_thing_a_colour_a_place_and_a_name_is_one_token_wherever_it_is_spoken_of(language):
    which, tokenizer = ("en", "zh").index(language), task_tokenizer("qa", TinyWorld(language), 1500)
    told = "".join(text(TASKS["qa"].example(TinyWorld(language), i)) for i in range(2000, 2100))
    tokens = {tokenizer.decode([i]) for i in tokenizer.encode(told)}
    where = {place.en: f"{place.preposition} the {place.en}" for place in words.PLACES}
    at = {place: {f" {phrase}", phrase.capitalize()} for place, phrase in where.items()} if language == "en" else {}
    for table in (words.PEOPLE, words.COLOURS, words.THINGS, words.PLACES):
        for word in {row[which] for row in table}:
            having = {token for token in tokens if re.search(rf"\b{word}\b", token)} if language == "en" else {word}
            bare = having - at.get(word, set())
            assert len(bare) <= 1 and bare <= {word, f" {word}"} and having and having <= tokens


@pytest.mark.parametrize("task", NAMES)
@pytest.mark.usefixtures("few_examples")
def test_every_task_s_texts_survive_both_kinds_of_tokenizers(task):
    """English and Chinese alike: what is decoded is what was encoded."""
    told = task_text(task, WORLDS[task])
    assert re.search("[\u4e00-\u9fff]", told)
    for tokenizer in (CharTokenizer.train(told), task_tokenizer(task, WORLDS[task], 700)):
        some = told[:5000]
        assert tokenizer.decode(tokenizer.encode(some)) == some
