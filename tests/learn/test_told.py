"""What every kind of reply says of its hints, its outputs and its language."""

import re
from functools import cache

import pytest
import torch

import minigpt as mg
from minigpt.equations import EquationError
from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.notes import noted, result_names
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.hints import MARKS
from minigpt.learn.judge.replies import judged

HALF_WIDTH = re.compile("[\u4e00-\u9fff] ?[,:;?!]|[,:;?!] ?[\u4e00-\u9fff]")


def asked(name, function, lang):
    """The reply to a function that runs in this process."""
    return judged(exercise_named(name), Submission(function, isolated=False), lang)


def not_written(z):
    raise NotImplementedError


def raises(z):
    return z.nothing


def gainless(x, gain, bias, eps):
    mean, variance = x.mean(-1, keepdim=True), x.var(-1, keepdim=True, unbiased=False)
    return (x - mean) / (variance + eps).sqrt() + bias


@cache
def replies(lang):
    """One of each kind: misconceptions, diagnoses, failures, formulas, derivatives, and a right answer."""
    ask, formula = mg.check, r"\frac{\exp(z_i)}{\sum_{k=2}^{V} \exp(z_k)}"
    return {
        "right": asked("softmax", lambda z: torch.softmax(z, -1), lang=lang),
        "known": asked("softmax", lambda z: torch.softmax(z, 0), lang=lang),
        "diagnosis": asked("layer_norm", gainless, lang=lang),
        "unknown": asked("softmax", lambda z: torch.softmax(z, -1) + 0.01 * z.sin() ** 3, lang=lang),
        "not written": asked("softmax", not_written, lang=lang),
        "raises": asked("softmax", raises, lang=lang),
        "unreadable": ask.softmax(r"z_i / \sum_k z_k", lang=lang),
        "no value": ask.softmax(r"p_i = z_{i + V}", lang=lang),
        "procedure": ask.bpe_encode("x", lang=lang),
        "bound": ask.softmax(formula, lang=lang),
        "derivative": ask.gradient("cross-entropy-from-logits", "z", "p_i + y_i", lang=lang),
        "unreadable derivative": ask.gradient("softmax", "z", "q_i", lang=lang),
    }


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_hints_that_a_reply_advertises_are_those_it_has_numbered_from_1(lang):
    found = replies(lang)
    assert {len(reply.hints) for reply in found.values()} == {0, 1, 2}
    for kind, reply in found.items():
        numbers = [int(n) for n in re.findall(r"reply\.hint\((\d)\)", str(reply))]
        assert numbers == list(range(1, len(reply.hints) + 1)), kind
        assert all(str(n) in reply.hint(n).title for n in numbers), kind
        with pytest.raises(ValueError, match=f"hint.?.?{len(numbers) + 1}"):
            reply.hint(len(numbers) + 1)


def test_a_chinese_reply_has_full_width_marks():
    for kind, reply in replies("zh").items():
        texts = [str(reply), *map(str, reply.hints)]
        lines = [line for text in texts for line in text.split("\n") if not line.startswith("    ") or "导数" in line]
        assert [line for line in lines if HALF_WIDTH.search(line)] == [], kind


@pytest.mark.parametrize(
    ("id", "marked"), [("attention_weights.scaled", r"v_i \cdot v_j"), ("layer_norm.no-bias", "b_i")]
)
def test_the_second_hint_marks_what_the_mistake_is_about(id, marked):
    exercise = next(each for each in CATALOGUE if id.startswith(each.name + "."))
    slip = next(each.slip for each in exercise.misconceptions if each.id == id)
    assert f"«{marked}»" in str(asked(exercise.name, slip, lang="en").hint(2))


def test_the_second_hint_marks_nothing_where_the_place_is_unknown():
    found = replies("en")
    for kind in ("diagnosis", "unknown"):
        hint = str(found[kind].hint(2))
        assert "«" not in hint and "marked" not in hint and hint.startswith("Hint 2: the formula\n"), kind


def test_every_mark_is_of_a_known_mistake_and_in_its_formula():
    known = {m.id: exercise for exercise in CATALOGUE for m in exercise.misconceptions}
    assert [id for id, mark in MARKS.items() if mark not in known[id].latex] == []


def test_solutions_and_hints_are_printed_one_below_another():
    reply = asked("softmax", lambda z: torch.softmax(z, -1), lang="en")
    assert str(reply.solutions).startswith("A short solution:\n    def softmax(")
    assert "\nAnother way:\n    def softmax(" in str(reply.solutions)
    assert len(reply.solutions) > 1 and reply.solutions[0] in tuple(reply.solutions)
    assert reply.solutions._repr_html_().count("<details>") == len(reply.solutions)


def test_several_results_are_called_by_their_names():
    def bits_forgotten(losses, n_bytes):
        nats = torch.cat(losses)
        return nats.mean().exp(), nats.sum() / n_bytes

    reply = asked("perplexity", bits_forgotten, lang="en")
    assert "perplexity: " in str(reply) and "bits per byte: expected" in str(reply)
    chinese = asked("perplexity", bits_forgotten, lang="zh")
    assert "每字节比特数" in str(chinese) and "1: " not in str(chinese)
    assert result_names("(param, m, v) after the step, each as param", 3, "en") == ["param", "m", "v"]
    assert result_names("(T, D)", 1, "en") == ["1"]


@pytest.mark.parametrize("exercise", CATALOGUE, ids=lambda e: e.name)
def test_every_note_of_an_argument_is_translated(exercise):
    for told in (*exercise.arguments.values(), exercise.result):
        chinese = re.sub(
            r"\b(float\d*|int\d*|bool|param|inf|True|w_[a-z]|past|out|dw|db|[kv]_cache|nat)\b", "", noted(told, "zh")
        )
        assert not re.search("[a-zA-Z]{3}", chinese), chinese
        assert noted(told, "en") == told
    assert noted("(n,) float32, sums to 1", "zh") == "(n,) float32，和为 1"


@pytest.mark.parametrize(
    ("lang", "words"), [("en", "judges your answer: give it a function softmax(z)"), ("zh", "请传入函数 softmax(z)")]
)
def test_a_check_without_an_answer_says_what_to_give(lang, words):
    with pytest.raises(TypeError, match=re.escape(words)):
        mg.check.softmax(lang=lang)


def test_an_unreadable_derivative_is_shown_as_it_was_typed_with_the_names_it_may_have():
    told = str(mg.check.gradient("cross-entropy-from-logits", "z", "q_i - y_i", lang="en"))
    assert "has p, y, z: use" in told.replace("\n", " ") and "result" not in told and "\n    q_i - y_i\n    ^" in told
    with pytest.raises(EquationError, match=r"\n  q_i \+ \\foo\n        \^"):
        mg.equal(r"q_i + \foo", "q_i")


def test_what_an_english_reply_says_of_an_unknown_equation_or_symbol_is_said_in_chinese():
    with pytest.raises(ValueError, match="没有名为 'cross-entropi' 的公式；是不是 cross-entropy、"):
        mg.check.gradient("cross-entropi", "z", "p_i", lang="zh")
    with pytest.raises(ValueError, match="softmax 没有对 'w' 的导数；可以求导的变量有 z、p"):
        mg.check.gradient("softmax", "w", "p_i", lang="zh")
    with pytest.raises(EquationError, match=r"^公式无法读取：.*\n  \\log\(x y\n"):
        mg.equal(r"\log(x y", "x", lang="zh")
    assert re.search(r"当 x = \S+，y = \S+ 时，", str(mg.equal("x y", "x + y", lang="zh")).replace("\n", ""))
