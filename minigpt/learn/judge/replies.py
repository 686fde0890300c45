"""From a verdict to a reply: the sentence, the smallest example, two hints, and after success the solutions."""

import inspect
import re
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np

from minigpt.learn.exercises.exercise import Exercise, Misconception, Words
from minigpt.learn.exercises.notes import result_names
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import numbers
from minigpt.learn.judge.example import Example, small_trials, smallest
from minigpt.learn.judge.hints import first_hint, formula_hint
from minigpt.learn.judge.judge import Finding, Judgement, in_common, results_of
from minigpt.learn.judge.layout import Paragraph, Section
from minigpt.learn.judge.messages import FAILURES, called_with, fault_sentence
from minigpt.learn.judge.places import number_text, result_called
from minigpt.learn.judge.remarks import remark
from minigpt.learn.judge.reply import Reply
from minigpt.settings.language import Language, tidy

SOLUTION = Words("A short solution:", "一种简洁的写法：")
ANOTHER = Words("Another way:", "另一种写法：")
HERE = Words(
    "It could not be run in another process ({}), so it ran in this one, without a time limit.",
    "无法在另一个进程中运行（{}），因此在当前进程中运行，没有时间限制。",
)
FORMULA_READ_AS = Words("The formula was read as {}.", "公式按 {} 来理解。")
WRONG_AT = Words("{}: expected {}, got {}.", "{}：应为 {}，得到 {}。")
CALLED_WITH = Words("It was called with {}.", "调用时的参数：{}。")
SOME = Words("This is so in {n} of {all} calls; the others are right.", "{all} 次调用中有 {n} 次如此；其余正确。")
NEGATIVE = Words("The result has negative values; the right one has none.", "结果中有负数，而正确答案中没有。")
SUMS = Words(
    "The result does not sum to 1 along the last axis, as the right one does.",
    "结果沿最后一个轴之和不为 1，而正确答案为 1。",
)
#: The words of a diagnosis that has said so already.
SAID_OF_SUMS = Words("sum to 1 along the last axis", "沿最后一个轴之和")
#: The most lines of an example.
LONGEST_EXAMPLE = 16
#: How many small calls a function is tried on.
SMALL_CALLS = 24


def judged(exercise: Exercise, submission: Submission, lang: Language, seed: int = 0) -> Reply:
    """The reply to an attempt.

    Args:
        exercise: what was asked for.
        submission: the attempt.
        lang: of the reply.
        seed: of the calls that decide.
    """
    verdict = Judgement(exercise, submission, seed)
    if not verdict.fault:
        reply = right(verdict, lang)
    elif verdict.fault in FAILURES:
        reply = failed(verdict, lang)
    else:
        reply = wrong(verdict, lang)
    return reply


def right(verdict: Judgement, lang: Language) -> Reply:
    """The reply to a right answer, with short solutions."""
    exercise = verdict.exercise
    sources = [text for text in (source_of(s, exercise.name) for s in exercise.solutions) if text]
    solutions = tuple(
        Section((SOLUTION if i == 0 else ANOTHER)[lang], (Paragraph(text, is_block=True),))
        for i, text in enumerate(sources)
    )
    told = remark(verdict)
    return Reply(
        exercise=exercise.name,
        right=True,
        id="right",
        says=told[lang] if told is not None else "",
        parts=where_run(verdict, lang),
        solutions=solutions,
        printed=verdict.printed,
        lang=lang,
    )


def where_run(verdict: Judgement, lang: Language) -> tuple[Paragraph, ...]:
    """Notes: that the function was not run in another process, and how a wrong formula without a left side was read."""
    why, read_as = verdict.submission.why_here, getattr(verdict.submission.function, "read_as", "")
    notes = [HERE[lang].format(why.split("\n")[0][:120])] if why else []
    notes += [FORMULA_READ_AS[lang].format(read_as)] if read_as and verdict.fault else []
    return tuple(map(Paragraph, notes))


def failed(verdict: Judgement, lang: Language) -> Reply:
    """The reply to a call without a result that can be compared."""
    outcome, trial = verdict.shown
    name, says = fault_sentence(verdict.exercise, outcome, trial, verdict.fault, lang)
    says = tidy(says, lang)
    parts = list(where_run(verdict, lang))
    if name in ("exception", "timeout", "died", "none", "structure", "ragged"):
        parts.append(Paragraph(CALLED_WITH[lang].format(called_with(verdict.exercise, trial))))
    n, every = verdict.faults.count(verdict.fault), len(verdict.faults)
    if (
        name not in ("processes", "loading", "timeout", "slow", "died", "garbage")
        and n + verdict.faults.count("") == every > n
    ):
        parts.append(Paragraph(SOME[lang].format(n=n, all=every)))
    return Reply(
        exercise=verdict.exercise.name,
        right=False,
        id=f"failure.{name}",
        says=says,
        parts=tuple(parts),
        hints=(first_hint(verdict.exercise, says, None, lang), formula_hint(verdict.exercise, lang)),
        printed="" if name == "not-written" else verdict.printed,
        lang=lang,
    )


def wrong(verdict: Judgement, lang: Language) -> Reply:
    """The reply to a wrong result: a misconception, a generic diagnosis, or the first entry that differs."""
    findings, exercise = verdict.findings(), verdict.exercise
    outcome, trial = verdict.shown
    example = example_of(verdict, findings) or own_example(verdict)
    if findings:
        says = in_common(findings)[lang]
        identity = "|".join(finding.id for finding in findings)
    else:
        shown = (outcome, trial, verdict.fault) if example is None or verdict.fault == "dtype" else example.outcome()
        name, says = fault_sentence(exercise, *shown, lang)
        identity = "unknown" if name == "values" else f"failure.{name}"
    says, seen = tidy(says, lang), observation(example, lang) if findings else ()
    if not any(isinstance(finding, Misconception) for finding in findings):
        seen = (
            *(part for part in broken(verdict, lang) if SAID_OF_SUMS[lang] not in says or part.text != SUMS[lang]),
            *seen,
        )
    block = (example.part(lang),) if example is not None else ()
    block = block if sum(len(part.lines()) for part in block) <= LONGEST_EXAMPLE else ()
    return Reply(
        exercise=exercise.name,
        right=False,
        id=identity,
        kind=verdict.kind(findings),
        says=says,
        parts=(*where_run(verdict, lang), *seen, *block),
        hints=(
            first_hint(exercise, says, None if identity.startswith("failure") else example, lang),
            formula_hint(exercise, lang, 2, tuple(identity.split("|"))),
        ),
        printed=verdict.printed,
        lang=lang,
    )


def example_of(verdict: Judgement, findings: tuple[Finding, ...]) -> Example | None:
    """The smallest example of a mistake: of a known one from its function, of another one from the attempt itself."""
    known = [finding.slip for finding in findings if isinstance(finding, Misconception)]
    if known:
        return example_of_slip(verdict.exercise, known[0])
    return example_of_attempt(verdict.exercise, verdict.submission, with_nan=verdict.fault != "values")


_EXAMPLES: dict[tuple[str, Callable[..., Any]], Example | None] = {}


def example_of_slip(exercise: Exercise, slip: Callable[..., Any]) -> Example | None:
    """The smallest example of a misconception; searched for once."""
    key = exercise.name, slip
    if key not in _EXAMPLES:
        _EXAMPLES[key] = smallest(exercise, lambda trial: results_of(slip, trial))
    return _EXAMPLES[key]


def example_of_attempt(exercise: Exercise, submission: Submission, *, with_nan: bool = True) -> Example | None:
    """The smallest example on which an attempt is wrong; perhaps one without NaN."""
    calls = [trial for trial, _ in zip(small_trials(exercise), range(SMALL_CALLS), strict=False)]
    outcomes = submission.outcomes([trial.arguments for trial in calls])
    found = {id(t): numbers(o.result, t) for o, t in zip(outcomes, calls, strict=False)}
    found = {t: a for t, a in found.items() if with_nan or a is None or not any(np.isnan(each).any() for each in a)}
    return smallest(exercise, lambda trial: found.get(id(trial)))


def own_example(verdict: Judgement) -> Example | None:
    """The call that shows the fault; for a mistake that no small call shows."""
    outcome, trial = verdict.shown
    got = numbers(outcome.result, trial)
    return Example(trial, got, verdict.exercise) if got is not None else None


def observation(example: Example | None, lang: Language) -> tuple[Paragraph, ...]:
    """The first entry of the smallest example that differs."""
    entry = example.entry() if example is not None else None
    if entry is None:
        return ()
    k, index, expected, got = entry
    n = len(example.got) if example is not None else 1
    name = result_names(example.exercise.result, n, lang)[k] if example is not None and n > 1 else ""
    result = result_called(name, lang)
    at = f"[{', '.join(map(str, index))}]" if index else ""
    place = (
        ", ".join(filter(None, (result[:1].upper() + result[1:] if name.isdigit() else result, at)))
        if lang == "en"
        else f"{result} {at}".strip()
    )
    value = "The value" if lang == "en" else "该值"
    return (Paragraph(WRONG_AT[lang].format(place or value, number_text(expected), number_text(got))),)


def broken(verdict: Judgement, lang: Language) -> tuple[Paragraph, ...]:
    """Properties of the right result that the wrong one lacks."""
    found = []
    pairs = [(numbers(o.result, t), t.expected) for o, t in zip(verdict.outcomes, verdict.trials, strict=False)]
    both = [(g, r) for got, expected in pairs if got is not None for g, r in zip(got, expected, strict=True)]
    both = [(g.astype(np.float64), r.astype(np.float64)) for g, r in both if g.ndim and g.shape == r.shape and r.size]
    if not both:
        return ()
    if all((np.abs(r.sum(-1) - 1) < 1e-6).all() for _, r in both):
        found += [SUMS[lang]] if any((np.abs(g.sum(-1) - 1) > 1e-3).any() for g, _ in both) else []
    if all((r >= 0).all() for _, r in both) and any((g < -1e-5).any() for g, _ in both):
        found.append(NEGATIVE[lang])
    return tuple(map(Paragraph, found))


def source_of(solution: Callable[..., Any], name: str) -> str:
    """The text of a solution, under the name of the exercise."""
    try:
        text = textwrap.dedent(inspect.getsource(solution)).strip()
    except (OSError, TypeError):  # the file is gone, or the function has none
        return ""
    own = getattr(solution, "__name__", "")
    return re.sub(rf"\b{re.escape(own)}\b", name, text) if own.isidentifier() else text
