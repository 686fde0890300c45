"""Right answers with one step changed: left out, too many, along another axis, with another operand, in another order.

A wrong result that equals the result of such a variant on all calls shows what kind of step went wrong. Only the kind
is said, and at most the name of what is concerned: never the text of a right answer.
"""

import ast
import inspect
import textwrap
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from minigpt.learn.exercises import CATALOGUE, exercise_named
from minigpt.learn.exercises.exercise import Exercise, Words
from minigpt.learn.judge import jobs
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import Call, Diagnosis
from minigpt.learn.judge.diagnoses.edits import Edit, EditEverywhere, every_edit
from minigpt.learn.judge.diagnoses.evidence import Evidence, equal_results
from minigpt.learn.judge.diagnoses.extra_functions import EXTRA
from minigpt.learn.judge.diagnoses.limited import compiled, cpu_seconds, guard_loops
from minigpt.learn.judge.process import NoProcessError, Process

#: How many variants of one answer are tried.
MOST_VARIANTS = 900
#: Seconds for all variants of one answer, and the process that runs them and keeps them.
VARIANTS_LIMIT, VARIANTS_PROCESS = 10.0, Process(keeps=True)
VARIANT_LIMIT = 0.2  # of the CPU, for one variant: its loops may have become endless
COMPARING = "comparing with variants of the formula"
#: The right answers with a variant that crashes: exercise and place.
CRASHED: set[tuple[str, int]] = set()
AnyEdit = Edit | EditEverywhere
AS_IF = Words("The numbers are those of the formula with one change: ", "结果等于公式作一处改动后的值：")
SAYS = {
    "missing": Words("{} is left out", "去掉{}"),
    "axis": Words("a step runs along another axis ({})", "有一步沿着别的轴进行（{}）"),
    "sign": Words("a sign or an operation is the opposite ({})", "有一个符号或运算相反（{}）"),
    "scale": Words("a quantity is off by a factor ({})", "有一个量差一个倍数（{}）"),
    "transposed": Words("a matrix is transposed ({})", "有一个矩阵被转置（{}）"),
    "layout": Words("the numbers are grouped in another way ({})", "数的分组方式不同（{}）"),
    "wrong-operand": Words("another quantity is used in one place ({})", "有一处用了别的量（{}）"),
    "order": Words("two steps or two operands are in another order ({})", "两步运算或两个运算对象的次序不同（{}）"),
    "border": Words("a range or a comparison is off by one place ({})", "有一个范围或比较差一位（{}）"),
    "shift": Words("an index or a count is off by one ({})", "有一个下标或计数差一（{}）"),
    "mask": Words("a condition or a mask is different ({})", "有一个条件或掩码不同（{}）"),
    "constant": Words("a constant is different ({})", "有一个常数不同（{}）"),
    "extra": Words("{} is applied once too often", "多做了一次{}"),
}


@dataclass(frozen=True)
class Variant:
    """A right answer with one step changed.

    Args:
        number: of the change, among all of one answer.
        function: the changed answer.
    """

    number: int
    function: Callable[..., Any]


def explained_by_a_step(evidence: Evidence, *, shows_progress: bool = False) -> Iterator[Diagnosis]:
    """The changed steps that give what was returned, the plainest first.

    They are tried in a process of their own, since a changed step may crash.

    Args:
        evidence: all calls.
        shows_progress: whether a bar is shown while it takes long.
    """
    exercise, trials = evidence.exercise, evidence.trials
    calls = [(trials[place].arguments, list(evidence.got[place])) for place in evidence.wrong_first]
    if not any(known.name == exercise.name and known.solutions == exercise.solutions for known in CATALOGUE):
        return  # the other process finds an exercise by its name
    try:
        VARIANTS_PROCESS.start()
    except NoProcessError:
        return
    tried = [place for place in range(len(exercise.solutions)) if (exercise.name, place) not in CRASHED]
    found: list[AnyEdit] = []
    for place in progress_over(tried if jobs.FORKS else [], shows_progress):
        question = (exercise.name, place, list(evidence.wrong_results), evidence.is_list, calls)
        found += edits_that_explain(exercise, place, question)
        if any(edit.is_plain for edit in found):
            break
    by_kind: dict[str, AnyEdit] = {}
    for edit in sorted(found, key=lambda edit: (not edit.is_plain, list(SAYS).index(edit.kind))):
        by_kind.setdefault(edit.kind, edit)
    for kind, edit in by_kind.items():
        en, zh = SAYS[kind].en.format(edit.concerns.en), SAYS[kind].zh.format(edit.concerns.zh)
        yield Diagnosis(f"generic.step-{kind}", kind, Words(f"{AS_IF.en}{en}.", f"{AS_IF.zh}{zh}。"))


def edits_that_explain(exercise: Exercise, place: int, question: tuple[Any, ...]) -> list[AnyEdit]:
    """The changes of one right answer that give what was returned.

    Args:
        exercise: what was asked for.
        place: of the answer among its solutions.
        question: the arguments of :func:`matching`.
    """
    outcomes = Submission(matching, limit=VARIANTS_LIMIT, process=VARIANTS_PROCESS).outcomes([question])
    if not outcomes or outcomes[0].failure == "died":
        CRASHED.add((exercise.name, place))
    if not outcomes or outcomes[0].result is None:
        return []
    every = all_edits(exercise.solutions[place])
    return [every[int(item.array)] for item in outcomes[0].result.items]


def progress_over(places: list[int], shows_progress: bool) -> Iterable[int]:
    """The places, with a bar on the standard error of a terminal where they take more than two seconds."""
    bar: Iterable[int] = tqdm(places, desc=COMPARING, delay=2, leave=False, disable=None if shows_progress else True)
    return bar


def matching(
    name: str, place: int, wrong: list[int], is_list: bool, calls: list[tuple[Any, list[np.ndarray]]]
) -> list[int]:
    """The numbers of the variants of a right answer that give these results.

    Args:
        name: of the exercise.
        place: of the answer among its solutions.
        wrong: the places of the wrong results.
        is_list: whether all results count.
        calls: arguments and results.
    """
    found = []
    for variant in variants(exercise_named(name).solutions[place]):
        with cpu_seconds(VARIANT_LIMIT):
            if reproduces(variant.function, wrong, is_list, calls):
                found.append(variant.number)
    return found


def reproduces(
    function: Callable[..., Any], wrong: list[int], is_list: bool, calls: list[tuple[Any, list[np.ndarray]]]
) -> bool:
    """Whether a function gives these results; it may raise.

    Args:
        function: of the arguments.
        wrong: as all others, those of :func:`matching`.
        is_list: whether all results count.
        calls: arguments and results.
    """
    for arguments, got in calls:
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                other = Call.of(function, copied(arguments)).expected
        except Exception:  # a changed step may be impossible
            return False
        if not equal_results(got, other, wrong, is_list=is_list):
            return False
    return True


def copied(value: Any) -> Any:
    """A copy of arguments, which a variant may change."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    return type(value)(map(copied, value)) if isinstance(value, list | tuple) else value


def tree_of(solution: Callable[..., Any]) -> ast.Module | None:
    """The syntax tree of a function, its loops limited; ``None`` without a text."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(solution)))
    except (OSError, TypeError, SyntaxError):
        return None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        return None
    tree.body[0].decorator_list = []
    guard_loops(tree)
    return tree


@lru_cache(maxsize=256)
def all_edits(solution: Callable[..., Any]) -> tuple[AnyEdit, ...]:
    """All changes of one place of a right answer, in an order that is always the same."""
    tree = tree_of(solution)
    return tuple(islice(every_edit(tree.body[0]), MOST_VARIANTS)) if tree is not None else ()  # type: ignore[arg-type]


@lru_cache(maxsize=256)
def variants(solution: Callable[..., Any]) -> tuple[Variant, ...]:
    """A right answer with one step changed, in every way.

    Args:
        solution: a right answer, with its text.
    """
    tree, found = tree_of(solution), []
    for number, edit in enumerate(islice(every_edit(tree.body[0]), MOST_VARIANTS) if tree is not None else ()):  # type: ignore[arg-type]
        with edit, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            function = compiled(tree, {**getattr(solution, "__globals__", {}), **EXTRA}) if tree else None
        if function is not None:
            found.append(Variant(number, function))
    return tuple(found)
