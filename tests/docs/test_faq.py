"""The questions and answers: short, each with a link, and enough of them."""

import re
from pathlib import Path

import pytest

FAQ = (Path(__file__).parents[2] / "docs" / "faq.md").read_text(encoding="utf-8")
ANSWERS = dict(re.findall(r"^### ([^\n]+)\n\n(.*?)(?=\n##|\Z)", FAQ, re.DOTALL | re.MULTILINE))


def test_there_are_questions_of_beginners_and_engineers():
    assert len(ANSWERS) >= 14
    for word in (
        "GPU",
        "Windows",
        "NaN",
        "nanoGPT",
        "How long",
        "file",
        "GPT-2",
        "resume",
        "memory",
        "Chinese",
        "correct",
    ):
        assert any(word in question for question in ANSWERS), word
    for word in ("MPS", "cite", "course"):
        assert any(word in question for question in ANSWERS), word


@pytest.mark.parametrize("question", ANSWERS)
def test_an_answer_is_short_and_links_to_more(question):
    answer = re.sub(r"^```.*?^```$", "", ANSWERS[question], flags=re.DOTALL | re.MULTILINE).strip()
    assert 1 <= len(answer.splitlines()) <= 6
    assert re.search(r"\]\([\w/.#-]+\)", answer)
