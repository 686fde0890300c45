import re
import sys

import pytest

from minigpt.text import BPETokenizer, CharTokenizer
from minigpt.text.datasets.windows import IGNORED_TARGET
from minigpt.text.tinyworld import (
    TASKS,
    Part,
    TinyWorld,
    encode_parts,
    task_of,
    task_rows,
    task_text,
    task_tokenizer,
    words,
)

WORLDS = {name: TinyWorld("both", seed=13) for name in TASKS}
NAMES = list(TASKS)


def text(parts):
    return "".join(part.text for part in parts)


def tokenizer_of(task):
    return BPETokenizer.train("".join(text(TASKS[task].example(WORLDS[task], i)) for i in range(50)), 600)


@pytest.mark.parametrize("task", NAMES)
def test_an_example_depends_on_its_number_alone_and_every_answer_ends_its_line(task):
    example = TASKS[task].example
    for i in (0, 1, 2, 31):
        parts = example(WORLDS[task], i)
        assert parts == example(TinyWorld("both", seed=13), i)
        answers = [part for part in parts if part.kind]
        assert answers and all(part.text.endswith("\n") and part.text.count("\n") == 1 for part in answers)
        assert parts[0].kind is None and parts[-1].kind is not None


def test_a_translation_tells_the_same_story_both_ways():
    for i in range(20):
        given, answer = TASKS["translate"].example(WORLDS["translate"], i)
        source = given.text.strip().removeprefix("Translate to Chinese: ").removeprefix("翻译成英语：")
        languages = ("en", "zh") if i % 2 == 0 else ("zh", "en")
        assert answer.kind == " to ".join(languages)
        assert TinyWorld(languages[0]).parse(source) == TinyWorld(languages[1]).parse(answer.text)


def test_a_story_task_tells_stories_of_the_world():
    for i in range(20):
        given, told = TASKS["story"].example(TinyWorld("zh"), i)
        assert given.text == "\n"
        assert told.text == TinyWorld("zh").story(i) + "\n"


def test_the_story_that_is_asked_about_has_all_its_people_and_not_its_end():
    shares = []
    for i in range(200):
        told, story = TASKS["qa"].example(TinyWorld("en"), i)[0].text.strip(), TinyWorld("en").story(i)
        assert story.startswith(told + " ")
        actions = [state.n_actions for state in TinyWorld("en").derivation(i).states()]
        n_told = actions[told.count(".")]
        assert n_told or actions[told.count(".") + 1] == 1  # nobody is brought in later
        shares.append(n_told / actions[-1])
    assert {0.0, 0.5, 1.0} <= set(shares)


@pytest.mark.parametrize("task", ["qa", "dialogue"])
def test_a_world_of_two_languages_takes_them_in_turn(task):
    for i in range(6):
        chinese = re.search("[\u4e00-\u9fff]", text(TASKS[task].example(WORLDS[task], i)))
        assert bool(chinese) == bool(i % 2)


@pytest.mark.parametrize("task", NAMES)
def test_of_a_row_the_answers_count_and_nothing_else(task):
    tokenizer = tokenizer_of(task)
    rows = task_rows(task, WORLDS[task], tokenizer, 512, 8)
    for i, (inputs, targets) in enumerate(rows.windows(1)):
        parts = TASKS[task].example(WORLDS[task], i)
        counted = targets[0][targets[0] != IGNORED_TARGET].tolist()
        assert tokenizer.decode(counted) == text(part for part in parts if part.kind)
        assert tokenizer.decode([*inputs[0].tolist(), counted[-1]]) == text(parts)


def test_what_is_too_long_loses_its_beginning_and_keeps_its_answers():
    tokenizer = CharTokenizer.train(text(part for i in range(200) for part in TASKS["qa"].example(TinyWorld(), i)))
    whole = task_rows("qa", TinyWorld(), tokenizer, 512, 1)
    cut = task_rows("qa", TinyWorld(), tokenizer, 150, 1)
    (inputs, targets), (cut_inputs, cut_targets) = (next(rows.windows(1)) for rows in (whole, cut))
    assert inputs.shape[1] > 150
    assert cut_inputs.tolist() == inputs[:, -150:].tolist()
    assert cut_targets.tolist() == targets[:, -150:].tolist()


def test_the_parts_are_encoded_as_they_will_be_when_the_model_is_asked():
    """Each part by itself: a token never reaches from what is given into the answer."""
    tokenizer = CharTokenizer.train("Answer: Tom\n")
    ids, answers = encode_parts([Part("Answer:"), Part(" Tom\n", "who")], tokenizer)
    assert ids == tokenizer.encode("Answer: Tom\n")
    assert answers == [("who", 7, 12)]


def test_splits_and_seeds_have_rows_of_their_own():
    tokenizer = tokenizer_of("qa")
    worlds = (TinyWorld(), TinyWorld(seed=1), TinyWorld(split="test"), TinyWorld("zh"))
    fingerprints = {task_rows("qa", world, tokenizer, 512).fingerprint for world in worlds}
    assert len(fingerprints) == 4
    assert task_rows("qa", TinyWorld(), tokenizer, 512).fingerprint in fingerprints


@pytest.mark.parametrize("task", NAMES)
def test_a_person_s_line_becomes_the_prompt_that_the_model_was_trained_on(task):
    """What a person would type for an example gives back the text that the example has before its answer."""
    for world in (TinyWorld("en"), TinyWorld("zh")) if task != "translate" else (WORLDS["translate"],):
        for i in range(5):
            said = ""
            for given, answer in _pairs(TASKS[task].example(world, i)):
                line = _typed(task, given)
                prompt = TASKS[task].prompt(said, line)
                assert prompt == (said + given if task != "story" else "\n" + line)
                said = prompt + answer


def _pairs(parts):
    given = ""
    for part in parts:
        if part.kind:
            yield given, part.text
            given = ""
        else:
            given += part.text


def _typed(task, given):
    line = given.strip()
    for word in ("Translate to Chinese: ", "翻译成英语：", "User: ", "用户：", "\nBot:", "\n助手："):
        line = line.replace(word, "")
    return line.replace("\n", " ")


def test_a_question_without_a_story_is_one_clear_error():
    with pytest.raises(ValueError, match="tell a story and ask about it in one line"):
        TASKS["qa"].prompt("", "Who has it?")
    with pytest.raises(ValueError, match="tell a story and ask about it in one line"):
        TASKS["qa"].prompt("", "Anna was in the park.")


def test_an_unknown_task_is_one_clear_error():
    with pytest.raises(ValueError, match="no task 'chess'; choose story, translate, qa, dialogue"):
        task_of("chess")


def test_the_floor_of_a_story_is_its_entropy_and_that_of_one_right_answer_is_nothing():
    world = TinyWorld(split="validation")
    tokenizer = CharTokenizer.train(world.text(2000))
    floor = task_rows("story", world, tokenizer, 512, 5).floor
    assert floor == pytest.approx(world.floor().nats_per_character, rel=0.01)
    assert task_rows("qa", world, tokenizer_of("qa"), 512, 5).floor == 0
    assert task_rows("story", world, tokenizer, 512).floor is None


def test_a_story_in_one_of_two_languages_has_the_floor_of_both_together():
    world = TinyWorld("both", split="validation")
    tokenizer = CharTokenizer.train(world.text(2000))
    both = world.floor()
    assert task_rows("story", world, tokenizer, 512, 5).floor == pytest.approx(
        2 * both.nats / both.characters, rel=0.01
    )


@pytest.fixture
def few_examples(monkeypatch):
    """A tokenizer's training text short enough for a test."""
    monkeypatch.setattr(sys.modules[task_text.__module__], "READ", 120)


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
    at = {
        place[which]: {f" {place.preposition} the {place.en}"} if language == "en" else set() for place in words.PLACES
    }
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
