"""Four tasks made of the same stories: tell one, translate it, answer questions about it, talk about it.

An example is a text in parts: some are given, and the others are for the model to write. Every answer ends its line, so
a line end is where a model stops.

=========  ==========================================================  ============================================
task       given                                                       to be written
=========  ==========================================================  ============================================
story      a line end                                                  a story
translate  ``Translate to Chinese:`` and a story, or the other way     the same story in the other language
qa         a story as far as it has been told; then questions          after each question the answer, in brief
dialogue   a story bit by bit, and a question after each               after each question the answer, in a sentence
=========  ==========================================================  ============================================
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from minigpt.text.tinyworld.examples import DIALOGUE, TRANSLATE, Part, dialogue, qa, story, translate
from minigpt.text.tinyworld.world import TinyWorld


@dataclass(frozen=True)
class Task:
    """What a model is to do with the stories of a tiny world.

    Attributes:
        summary: one line in plain words.
        example: example i of a world: its parts, in order.
        prompt: for a conversation with the model: the text that it is to go on with, from what was said before and the
            new line.
    """

    summary: str
    example: Callable[[TinyWorld, int], list[Part]]
    prompt: Callable[[str, str], str]


def _script(text: str) -> str:
    """The language that a person writes: Chinese if there is a Chinese character."""
    return "zh" if any("\u4e00" <= c <= "\u9fff" for c in text) else "en"


def _continue_story(said: str, line: str) -> str:
    return f"\n{line}"


def _translate_line(said: str, line: str) -> str:
    target = "en" if _script(line) == "zh" else "zh"
    return f"{TRANSLATE[target]}{line}\n"


def _ask_about_story(said: str, line: str) -> str:
    """The line ends with a question; what comes before it is the story, or else that of the questions before."""
    found = re.fullmatch(r"(?:(.*[.。])\s*)?([^.。]*[?？])", line.strip())
    if not found or not (found[1] or said):
        raise ValueError(
            "tell a story and ask about it in one line: Anna was in the park with a red kite. … Who has it?"
        )
    told = f"{found[1]}\n" if found[1] else said
    return told + found[2]


def _say(said: str, line: str) -> str:
    return said + DIALOGUE[_script(line)][0].format(line)


#: The tasks by name.
TASKS = {
    "story": Task("tell stories", story, _continue_story),
    "translate": Task("translate stories between English and Chinese", translate, _translate_line),
    "qa": Task("answer questions about a story", qa, _ask_about_story),
    "dialogue": Task("talk about a story while it is told", dialogue, _say),
}


def task_of(name: str) -> Task:
    """The task of this name.

    Args:
        name: one of :data:`TASKS`.

    Raises:
        ValueError: if there is none.
    """
    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}; choose {', '.join(TASKS)}")
    return TASKS[name]
