"""The hints of a wrong answer: one entry worked out or a small call with its result, and the place in the formula."""

import re
from collections.abc import Callable
from typing import Any

import torch

from minigpt import equations
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.exercises.notes import result_names
from minigpt.learn.judge.compare import Call
from minigpt.learn.judge.example import Example, array_text, of_argument, small_trials
from minigpt.learn.judge.layout import INDENT, TERMINAL_WIDTH, Paragraph, Section
from minigpt.learn.judge.places import number_text
from minigpt.settings.language import Language, folded

HINT_1 = Words("Hint 1: the mistake and the smallest example", "提示 1：错误所在与最小的例子")
PLACE = Words("Hint {}: the place in the formula", "提示 {}：公式中的位置")
FORMULA = Words("Hint {}: the formula", "提示 {}：公式")
LOOK = Words(
    "Compare the marked part of the formula with the same step of your function.",
    "请把公式中标出的部分与函数中对应的一步作比较。",
)
LOOK_AT_ALL = Words("Compare the formula with your answer, step by step.", "请把公式与你的答案逐步作比较。")
#: The part of the formula that a known mistake is about, where it is not the whole of it.
MARKS = {
    "softmax.first-axis": r"\sum_{k=1}^{V} \exp(z_k)",
    "softmax.whole-array": r"\sum_{k=1}^{V} \exp(z_k)",
    "softmax.unnormalised": r"\sum_{k=1}^{V} \exp(z_k)",
    "softmax.mean-of-exponentials": r"\sum_{k=1}^{V} \exp(z_k)",
    "softmax.no-exponential": r"\exp(z_i)",
    "softmax.negative-exponent": r"\exp(z_i)",
    "softmax.base-two": r"\exp(z_i)",
    "attention_weights.columns-sum-to-one": r"\sum_{k=1}^{n} \exp(v_i \cdot v_k)",
    "attention_weights.whole-matrix": r"\sum_{k=1}^{n} \exp(v_i \cdot v_k)",
    "attention_weights.unnormalised": r"\sum_{k=1}^{n} \exp(v_i \cdot v_k)",
    "attention_weights.mean-of-exponentials": r"\sum_{k=1}^{n} \exp(v_i \cdot v_k)",
    "attention_weights.no-exponential": r"\exp(v_i \cdot v_j)",
    "attention_weights.base-two": r"\exp(v_i \cdot v_j)",
    "attention_weights.scaled": r"v_i \cdot v_j",
    "attention_weights.cosine": r"v_i \cdot v_j",
    "attention_weights.distance": r"v_i \cdot v_j",
    "cross_entropy.no-minus": "-",
    "cross_entropy.no-smoothing": r"\left((1 - \epsilon) y_i + \frac{\epsilon}{n}\right)",
    "layer_norm.no-bias": "b_i",
    "layer_norm.not-centred": r"x_i - \mu",
    "layer_norm.numerator-not-centred": r"x_i - \mu",
    "layer_norm.no-root": r"\sqrt{\sigma^2 + \epsilon}",
    "layer_norm.eps-outside-the-root": r"\sqrt{\sigma^2 + \epsilon}",
    "layer_norm.no-eps": r"\sqrt{\sigma^2 + \epsilon}",
    "layer_norm.gain-plus-one": "g_i",
    "bigram_probabilities.unsmoothed": r"c_{uw} + \alpha",
    "bigram_probabilities.alpha-once-in-divisor": r"\alpha V",
    "bigram_probabilities.alpha-above-only": r"\alpha V",
}
PAGE = Words("{} explains it.", "讲解见 {}。")
BY_HAND = Words(
    "The same entry, worked out by hand (the formula counts from 1):", "手算这一项（公式的下标从 1 开始）："
)
YOUR_VALUE = Words("Yours: {}.", "你的结果：{}。")
SMALL_CALL = Words("A small call, and what the formula gives for it:", "一个小例子，以及公式给出的结果：")
TRY_IT = Words(
    "Call your function with these arguments and look at the result after each line.",
    "请用这些参数调用你的函数，并逐行查看中间结果。",
)
FORMULA_GIVES = Words("expected", "正确")
#: The most lines that are worked out.
MOST_WORKED = 7
#: From the arguments of a call and the index of an entry to an equation and what it is evaluated with.
Worked = Callable[[tuple[Any, ...], tuple[int, ...]], tuple[str, dict[str, Any]]]


def _bigram(a: tuple[Any, ...], at: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    ids, vocab_size, alpha = a
    followers = ids[1:][ids[:-1] == at[0]]
    return "additive-smoothing", {"c": torch.bincount(followers, minlength=vocab_size), "alpha": alpha, "w": at[1] + 1}


def _cross_entropy(a: tuple[Any, ...], at: tuple[int, ...]) -> tuple[str, dict[str, Any]]:
    if not a[2]:
        return "cross-entropy", {"y": a[0], "p": a[1]}
    return "label-smoothing", {"y": a[0], "p": a[1], "epsilon": a[2]}


#: The exercises whose entries are those of an equation, for the arguments of one row.
WORKED: dict[str, Worked] = {
    "bigram_probabilities": _bigram,
    "softmax": lambda a, at: ("softmax", {"z": a[0][at[:-1]], "i": at[-1] + 1}),
    "cross_entropy": _cross_entropy,
    "learning_rate": lambda a, at: (
        "warmup-cosine",
        {"t": a[0], "eta_max": a[1], "eta_min": a[2], "W": a[3], "S": a[4]},
    ),
    "attention_weights": lambda a, at: ("attention-weights", {"v": a[0], "i": at[0] + 1, "j": at[1] + 1}),
    "self_attention": lambda a, at: ("attention-output", {"v": a[0], "i": at[0] + 1}),
    "causal_mask": lambda a, at: (
        "causal-mask",
        {"T": a[0], "S": a[1], "w": a[1], "t": at[0] + 1, "s": at[1] + 1},
    ),
    "sinusoidal_positions": lambda a, at: (
        "sinusoidal-positions",
        {"T": a[0], "D": a[1], "b": a[2], "t": at[0] + 1, "i": at[1] // 2 + 1},
    ),
    "layer_norm": lambda a, at: (
        "layer-norm",
        {"x": a[0][at[:-1]], "g": a[1], "b": a[2], "epsilon": a[3], "i": at[-1] + 1},
    ),
}


def worked_out(exercise: Exercise, example: Example | None, lang: Language) -> tuple[Paragraph, ...]:
    """The first entry that differs, by hand; nothing where the equation has no single entry, or its numbers overflow.

    Args:
        exercise: what was asked for.
        example: a call and its wrong result.
        lang: of the text.
    """
    entry = example.entry() if example is not None else None
    if example is None or entry is None or exercise.name not in WORKED:
        return ()
    name, given = WORKED[exercise.name](example.trial.arguments, entry[1])
    lines = equations.get(name).steps(**given).split("\n")[-MOST_WORKED:]
    if any(re.search(r"\b(inf|nan)\b", line) for line in lines):
        return ()
    yours = Paragraph(YOUR_VALUE[lang].format(number_text(entry[3])))
    shown = folded("\n".join(lines), 8, TERMINAL_WIDTH - len(INDENT))
    return Paragraph(BY_HAND[lang]), Paragraph(shown, is_block=True), yours


def small_call(exercise: Exercise, lang: Language) -> tuple[Paragraph, ...]:
    """A small call whose result is not all one number, with what the formula gives.

    Args:
        exercise: what was asked for.
        lang: of the text.
    """
    calls = list(small_trials(exercise))
    trial = next((t for t in calls if any(a.size > 1 and (a != a.flat[0]).any() for a in t.expected)), calls[0])
    trial = Call.of(exercise.expected, trial.arguments)
    lines = [line for pair in zip(exercise.arguments, trial.arguments, strict=False) for line in of_argument(*pair)]
    lines.append(f"{FORMULA_GIVES[lang]}:")
    names = result_names(exercise.result, len(trial.expected), lang)
    for name, expected in zip(names, trial.expected, strict=True):
        lines += [f"{name}: " * (len(names) > 1) + array_text(expected)[0], *array_text(expected)[1:]]
    return Paragraph(SMALL_CALL[lang]), Paragraph("\n".join(lines), is_block=True), Paragraph(TRY_IT[lang])


def first_hint(exercise: Exercise, says: str, example: Example | None, lang: Language) -> Section:
    """The mistake with the smallest example, one entry of it worked out; without one, a small call with its result.

    Args:
        exercise: what was asked for.
        says: what the reply says.
        example: a call and its wrong result; ``None`` where there is no result to compare.
        lang: of the text.
    """
    shown = (
        small_call(exercise, lang) if example is None else (example.part(lang), *worked_out(exercise, example, lang))
    )
    return Section(HINT_1[lang], (Paragraph(says), *shown))


def formula_hint(exercise: Exercise, lang: Language, n: int = 2, ids: tuple[str, ...] | None = None) -> Section:
    """The formula, marked where a mistake is known to be, and the page that explains it.

    Args:
        exercise: what was asked for.
        lang: of the text.
        n: the number of the hint.
        ids: of what was found; nothing is marked where its place is unknown. ``None``: there is nothing to compare yet,
            and the term that the exercise is about is marked.
    """
    marks = {exercise.term} if ids is None else {MARKS.get(id, "") for id in ids}
    mark = next(iter(marks)) if len(marks) == 1 else ""
    mark = mark if mark in exercise.latex else ""
    formula = Paragraph(exercise.latex, is_block=True, mark=mark, breaks=True)
    title, look = (PLACE, LOOK) if mark else (FORMULA, LOOK_AT_ALL)
    return Section(title[lang].format(n), (formula, Paragraph(look[lang]), Paragraph(PAGE[lang].format(exercise.page))))
