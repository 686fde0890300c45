import re

import pytest

from minigpt.text.tinyworld import TASKS, TinyWorld

WORLDS = {name: TinyWorld("both", seed=13) for name in TASKS}
NAMES = list(TASKS)


def text(parts):
    return "".join(part.text for part in parts)


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
