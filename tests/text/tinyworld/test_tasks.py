import pytest

from minigpt.text.tinyworld import TASKS, TinyWorld, task_of

WORLDS = {name: TinyWorld("both", seed=13) for name in TASKS}
NAMES = list(TASKS)


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
