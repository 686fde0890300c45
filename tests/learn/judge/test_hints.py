"""Every reply to a wrong value shows numbers, every first hint adds something, and Chinese has no stray spaces."""

import ast
import re
import warnings

import pytest
import torch
from small_exercises import SOFTMAX

from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.diagnoses import changes
from minigpt.learn.judge.diagnoses.variants import AS_IF, SAYS, all_edits, progress_over
from minigpt.learn.judge.replies import judged
from minigpt.settings.language import tidy


def reply_to(name, function, lang="en"):
    return judged(exercise_named(name), Submission(function, isolated=False), lang)


def slip(id):
    return next(m.slip for m in exercise_named(id.split(".")[0]).misconceptions if m.id == id)


@pytest.mark.parametrize("id", ["softmax.global-maximum", "attention_weights.scaled", "softmax.first-axis"])
def test_a_wrong_value_is_shown_with_its_index_and_the_right_one(id):
    reply = reply_to(id.split(".")[0], slip(id))
    assert reply.id == id
    assert re.search(r"\[\d(, \d)*\]: expected \S+, got \S+\.", str(reply))


def raises(z):
    return z.nothing


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("function", [raises, lambda z: None, lambda z: z.exp()[:, None], lambda z: "text"])
def test_the_first_hint_of_a_failure_adds_a_small_call_with_its_result(function, lang):
    reply = judged(SOFTMAX, Submission(function, isolated=False), lang)
    assert reply.id.startswith("failure."), reply.id
    words = "A small call" if lang == "en" else "一个小例子"
    assert words in str(reply.hint(1))
    assert words not in str(reply)
    assert "z = [" in str(reply.hint(1))


def test_the_first_hint_works_one_entry_out_by_hand():
    hint = str(reply_to("attention_weights", lambda v: (v @ v.T).softmax(0)).hint(1))
    assert "by hand" in hint
    entry = re.search(r"a_\{\d,\d\} = .* = ([\d.]+) / ([\d.]+) = ([\d.]+)\n", hint)
    above, below, value = map(float, entry.groups())
    assert above / below == pytest.approx(value, rel=1e-3)
    assert "Yours: " in hint


@pytest.mark.parametrize("exercise", [e for e in CATALOGUE if e.name in ("softmax", "layer_norm", "learning_rate")])
def test_the_value_that_is_worked_out_is_the_expected_one(exercise):
    m = exercise.misconceptions[5]
    reply = judged(exercise, Submission(m.slip, isolated=False), "en")
    expected = float(re.search(r"expected (\S+), got", str(reply))[1])
    worked = re.search(r"= (\S+)\n *Yours", str(reply.hint(1)).replace("\nYours", "\n Yours"))
    assert float(worked[1]) == pytest.approx(expected, rel=5e-3)


def warn(z):
    warnings.warn("a library says so", UserWarning, stacklevel=1)
    print("mine")
    return torch.softmax(z, 0)


def test_a_warning_of_a_library_is_not_shown_as_output_of_the_function():
    assert judged(SOFTMAX, Submission(warn), "en").printed == "mine"


STRAY = re.compile(r" [，。：；、！？（）“”]|[，。：；、！？（）“”] |  ")


def test_a_sentence_without_stray_spaces_stays_as_it_is():
    assert tidy("有一个量差一个倍数（ mean 代替 sum ）。", "zh") == "有一个量差一个倍数（mean 代替 sum）。"
    assert tidy("It is (a, b): so.", "en") == "It is (a, b): so."


def sentences():
    """Every sentence in Chinese that a diagnosis of a changed step or argument can say."""
    for exercise in CATALOGUE:
        for solution in exercise.solutions:
            for edit in all_edits(solution):
                yield f"{AS_IF.zh}{SAYS[edit.kind].zh.format(edit.concerns.zh)}。"
        for misconception in exercise.misconceptions:
            yield misconception.says.zh
    for _, _, words, _ in (*changes.TENSORS, *changes.FLOATS, *changes.MASKS, *changes.INTS, *changes.OF_LISTS):
        yield f"结果等于{words.zh.format('w')}时公式给出的值。"


def test_no_chinese_sentence_has_a_stray_space():
    found = {tidy(text, "zh") for text in set(sentences())}
    assert len(found) > 300
    assert [text for text in found if STRAY.search(text)] == []


def test_a_reply_in_chinese_is_tidied():
    reply = reply_to("layer_norm", lambda x, gain, bias, eps: torch.layer_norm(x, x.shape[-1:], gain, bias, 0.0), "zh")
    assert not STRAY.search(reply.says)


def test_no_bar_is_shown_where_it_is_not_wanted(capsys):
    assert list(progress_over([0, 1], False)) == [0, 1]
    assert list(progress_over([0, 1], True)) == [0, 1]
    assert capsys.readouterr() == ("", "")


def test_the_texts_of_the_other_process_are_whole_programs():
    from minigpt.learn.judge import process

    ast.parse(process.PROGRAM)
