"""A formula as an answer: read, evaluated and judged, with the place where it can't be."""

from dataclasses import replace

from minigpt.equations import EquationError
from minigpt.equations.equality.refusals import why
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.formulas.bounds import BoundSlip, wrong_bound
from minigpt.learn.formulas.functions import as_function
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.hints import formula_hint
from minigpt.learn.judge.judge import trials
from minigpt.learn.judge.layout import Paragraph, Section
from minigpt.learn.judge.replies import judged
from minigpt.learn.judge.reply import Reply
from minigpt.settings.language import Language

UNREADABLE = Words("The formula can't be read{}.", "公式无法读取{}。")
NO_VALUE = Words("The formula has no value{}.", "公式无法求值{}。")
PROCEDURE = Words(
    "{} is a procedure, not one formula: give it a function.", "{} 是一个过程，不是一个公式：请给出一个函数。"
)
#: How much of a formula is shown around the place that can't be read.
POINTED_WIDTH = 72


def judged_formula(exercise: Exercise, latex: str, lang: Language, seed: int = 0) -> Reply:
    """The reply to a formula; it is evaluated here, since evaluation always ends.

    Args:
        exercise: what was asked for.
        latex: the formula.
        lang: of the reply.
        seed: of the calls that decide.
    """
    reads, hints = True, (formula_hint(exercise, lang, 1),)
    try:
        answer = as_function(exercise, latex)
        reads = False
        answer(*trials(exercise, seed)[0].arguments)
    except EquationError as error:
        reply = unreadable(exercise.name, error, lang, reads=reads, hints=hints)
        slip = None if reads else wrong_bound(exercise, answer, seed)
        return reply if slip is None else about_bound(reply, slip)
    except ValueError:
        if not reads:
            raise
        says = PROCEDURE[lang].format(exercise.name)
        return Reply(exercise=exercise.name, right=False, id="formula.procedure", says=says, hints=hints, lang=lang)
    reply = judged(exercise, Submission(answer, isolated=False, is_formula=True), lang, seed)
    if reply.right or reply.id.startswith(f"{exercise.name}."):
        return reply
    slip = wrong_bound(exercise, answer, seed)
    return reply if slip is None else about_bound(reply, slip)


def about_bound(reply: Reply, slip: BoundSlip) -> Reply:
    """A reply that names the bound of a sum, and still shows where the values differ.

    Args:
        reply: to the same formula.
        slip: the bound.
    """
    says = slip.says[reply.lang]
    if reply.id in ("unknown", "formula.no-value"):  # it says which entry differs, and both values, or which has none
        says += ("" if reply.lang == "zh" else " ") + reply.says
    hints = reply.hints
    if len(hints) == 2:
        hints = (Section(hints[0].title, (Paragraph(says), *hints[0].parts[1:])), hints[1])
    return replace(reply, id=slip.id, kind=slip.kind, says=says, hints=hints)


def unreadable(
    asked: str, error: EquationError, lang: Language, *, reads: bool, hints: tuple[Section, ...] = ()
) -> Reply:
    """The reply to a formula that can't be read or has no value, with its place.

    Args:
        asked: what was asked for.
        error: of the equation.
        lang: of the reply.
        reads: whether it could not be read; else it has no value.
        hints: of the reply.
    """
    told, *place = str(error).split("\n")
    says = (UNREADABLE if reads else NO_VALUE)[lang].format(why(told.rstrip("."), lang))
    parts = (Paragraph(pointed_at(*place[:2]), is_block=True),) if place and place[0].strip() else ()
    name = "formula.unreadable" if reads else "formula.no-value"
    return Reply(exercise=asked, right=False, id=name, says=says, parts=parts, hints=hints, lang=lang)


def pointed_at(line: str, caret: str) -> str:
    """A line and the mark below it, cut to what a terminal shows."""
    line, at = line[2:], len(caret) - 3
    start = max(0, min(at - POINTED_WIDTH // 2, len(line) - POINTED_WIDTH))
    return f"{line[start : start + POINTED_WIDTH]}\n{' ' * (at - start)}^"
