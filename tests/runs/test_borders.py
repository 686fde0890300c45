import pytest

import minigpt as mg
from minigpt.generation import Borders
from minigpt.runs import RunConfig, borders_of
from minigpt.runs.borders import first_words
from minigpt.text import BPETokenizer, CharTokenizer

LINES = "first line\nsecond line\n" * 20
BPE = BPETokenizer.train(LINES, 270)
END = "<|endoftext|>"


@pytest.fixture
def text(tmp_path):
    def write(content, name="text.txt"):
        (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return write


@pytest.mark.parametrize(("tokenizer", "end"), [(CharTokenizer.train(LINES), ()), (BPE, (END,))], ids=["char", "bpe"])
def test_a_text_starts_at_a_line_and_goes_on_after_it(tokenizer, end, text):
    assert borders_of(RunConfig.of(text=text(LINES)), tokenizer) == Borders(before="\n", end=end)
    assert borders_of(RunConfig.of(), CharTokenizer("ab\n")).before == "\n"  # the corpus


@pytest.mark.parametrize("flat", ["no line end at all " * 9, "one at the very end " * 9 + "\n"])
def test_a_text_without_lines_has_nothing_before_it(flat, text):
    config = RunConfig.of(text=text(flat))
    assert borders_of(config, BPE) == Borders(before="", end=(END,))
    assert first_words(config, BPE) == BPE.decode(BPE.encode(flat)[:1])
    assert borders_of(RunConfig.of(), CharTokenizer("ab")).before == ""


@pytest.mark.parametrize(("content", "before"), [(f"one{END}two\n", END), ("one\ntwo\n", "\n")])
def test_a_text_with_special_tokens_has_them_between_its_documents(content, before, text):
    config = RunConfig.of(text=text(content * 9), special_tokens=True)
    assert borders_of(config, BPE) == Borders(before=before, end=(END,))
    assert borders_of(config.changed(special_tokens=False), BPE).before == "\n"
    folder = RunConfig.of(text=config.source.text.parent, glob="text.*", special_tokens=True)
    assert borders_of(folder, BPE).before == before


def test_special_tokens_of_a_text_that_is_gone_are_taken_to_be_there(tmp_path):
    assert borders_of(RunConfig.of(text=tmp_path / "gone.txt", special_tokens=True), BPE).before == END


def test_a_text_that_is_gone_or_a_folder_is_taken_to_have_lines(tmp_path):
    for path in (tmp_path / "gone.txt", tmp_path):
        assert borders_of(RunConfig.of(text=path), BPE).before == "\n"


def test_a_line_of_the_tiny_world_is_a_story():
    tokenizer = CharTokenizer.train(mg.TinyWorld().text(9))
    config = RunConfig.of(corpus="tiny-world")
    assert borders_of(config, tokenizer) == Borders(before="\n", end=("\n",))
    assert borders_of(RunConfig.of(corpus="tiny-world", text="mine.txt"), tokenizer).end == ()


def test_a_story_stands_between_line_ends_and_other_answers_end_at_one():
    assert borders_of(RunConfig.of(task="story"), BPE) == Borders(before="\n", end=("\n",))
    for task in ("qa", "dialogue", "translate"):
        assert borders_of(RunConfig.of(task=task), BPE) == Borders(before="", end=("\n",))


@pytest.mark.parametrize("task", ["qa", "dialogue", "translate"])
@pytest.mark.parametrize("i", [0, 1])
def test_the_first_words_of_a_task_are_all_that_is_given_before_its_first_answer(task, i):
    parts = mg.text.tinyworld.TASKS[task].example(mg.TinyWorld(split="test"), i)
    words = first_words(RunConfig.of(task=task), BPE, i)
    whole = "".join(part.text for part in parts)
    answer = next(part.text for part in parts if part.kind)
    assert whole.startswith(words + answer)


def test_documents_begin_the_row_and_each_seed_starts_another(text):
    config = RunConfig.of(text=text("alpha\nbeta\ngamma\n"), documents=True)
    characters = CharTokenizer.train("alpha beta gamma")
    assert borders_of(config, characters) == Borders(before="", end=())
    assert borders_of(config, BPE) == Borders(before="", end=(END,))
    assert [first_words(config, characters, i) for i in range(4)] == ["a", "b", "g", "a"]


def test_prepared_files_stand_between_ends_and_one_long_text_does_not(text, tmp_path):
    several = [text(LINES, f"{i}.txt") for i in range(4)]
    mg.prepare(several, BPE, tmp_path / "several", workers=1)
    mg.prepare(several[:1], BPE, tmp_path / "one", workers=1)
    assert borders_of(RunConfig.of(data=tmp_path / "several"), BPE) == Borders(before=END, end=(END,))
    assert borders_of(RunConfig.of(data=tmp_path / "one"), BPE) == Borders(before="\n", end=(END,))
    assert borders_of(RunConfig.of(data=tmp_path / "gone"), BPE).before == END


def test_a_prepared_text_of_characters_without_lines_starts_with_its_first(text, tmp_path):
    flat = "no line end at all " * 9
    tokenizer = CharTokenizer.train(flat)
    mg.prepare(text(flat), tokenizer, tmp_path / "flat", workers=1)
    config = RunConfig.of(data=tmp_path / "flat")
    assert borders_of(config, tokenizer) == Borders(before="", end=())
    assert first_words(config, tokenizer) == "n"
