"""The judge: the equation decides on several draws, then the mistake is named, as far as the numbers single it out."""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch

from minigpt.learn.exercises.draw import ExerciseDraw
from minigpt.learn.exercises.exercise import Exercise, Misconception, Words
from minigpt.learn.judge import worker
from minigpt.learn.judge.attempts import Outcome, Submission
from minigpt.learn.judge.compare import (
    Call,
    Diagnosis,
    agree,
    fault,
    numbers,
    overflows,
    quick_solution,
    wrong_entries,
)
from minigpt.learn.judge.diagnoses.all_diagnoses import first_diagnosis
from minigpt.learn.judge.diagnoses.evidence import Evidence
from minigpt.learn.judge.found import decode
from minigpt.learn.judge.messages import FAILURES, FAULTS

#: How many calls the equation decides, how many more are held against a quick right answer, how many are made twice.
CALLS, MORE_CALLS, REPEATS = 12, 60, 3
#: The entries in which a formula has to be right as it is evaluated, where it overflows in others.
FINITE = 20
#: So many wrong entries are enough to name a mistake by them alone, where others are NaN.
ENOUGH_WRONG = 3
#: A function that takes longer than this for the first calls, in seconds, is not called more often.
PATIENCE = 3.0
Finding = Misconception | Diagnosis


@lru_cache(maxsize=4096)
def trial_of(draw: Callable[[ExerciseDraw], tuple[Any, ...]], expected: Callable[..., Any], seed: int) -> Call:
    """One call, with what is right for it.

    Args:
        draw: as all others, an attribute of an exercise.
        expected: gives the right results.
        seed: of the call.
    """
    return Call.of(expected, draw(ExerciseDraw.seeded(seed, torch.float32)))


def trials(exercise: Exercise, seed: int) -> tuple[Call, ...]:
    """Calls of an exercise, with what is right for each.

    Args:
        exercise: whose calls are drawn.
        seed: 0 gives the calls that everyone gets.
    """
    start = seed * 1_000_003
    return tuple(trial_of(exercise.draw, exercise.expected, start + n) for n in range(CALLS))


def further(exercise: Exercise, seed: int) -> tuple[Call, ...]:
    """More calls, with what a quick right answer gives.

    Args:
        exercise: whose calls are drawn.
        seed: as of :func:`trials`.
    """
    quick, start = quick_solution(exercise), seed * 1_000_003 + CALLS
    return tuple(trial_of(exercise.draw, quick, start + n) for n in range(MORE_CALLS))


class Judgement:
    """What the calls of one attempt came to.

    Args:
        exercise: what was asked for.
        submission: the attempt.
        seed: of the calls.
    """

    def __init__(self, exercise: Exercise, submission: Submission, seed: int) -> None:
        self.exercise, self.submission, self.seed = exercise, submission, seed
        self.trials = trials(exercise, seed)
        self.outcomes = submission.outcomes([trial.arguments for trial in self.trials], REPEATS)
        self.faults = [fault(o, t) for o, t in zip(self.outcomes, self.trials, strict=False)]
        self.overflows = submission.is_formula and self._forgive_overflow()
        if not any(self.faults) and sum(outcome.seconds for outcome in self.outcomes) < PATIENCE:
            self._look_further()
        if submission.is_formula and "values" in self.faults:
            self._keep_finite()
        self.every = self.trials, self.outcomes
        self.known = self._known()
        if not self.known and self.fault == "nan" and "values" in self.faults:
            self.known = self._known(by_finite=True)
            self._keep_finite()

    @property
    def fault(self) -> str:
        """The name of what is wrong, nothing if all calls are right."""
        return min(filter(None, self.faults), key=FAULTS.index, default="")

    def _forgive_overflow(self) -> bool:
        """Take a formula as right where its evaluation overflows, if it is right in many other entries."""
        pairs = list(zip(self.outcomes, self.trials, strict=False))
        forgiven = ["" if name and overflows(*pair) else name for name, pair in zip(self.faults, pairs, strict=True)]
        if forgiven == self.faults or any(forgiven):
            return False
        finite = sum(int(np.isfinite(a).sum()) for o, t in pairs for a in numbers(o.result, t) or ())
        self.faults = forgiven if finite >= FINITE else self.faults
        return finite >= FINITE

    def _keep_finite(self) -> None:
        """Leave out the calls with NaN: where an answer has other wrong values, they say more."""
        calls = [call for call in zip(self.trials, self.outcomes, self.faults, strict=False) if call[2] != "nan"]
        self.trials, self.outcomes = tuple(call[0] for call in calls), [call[1] for call in calls]
        self.faults = [call[2] for call in calls]

    def _look_further(self) -> None:
        """More calls; where a quick right answer disagrees with the attempt, the equation decides."""
        more = further(self.exercise, self.seed)
        outcomes = self.submission.outcomes([call.arguments for call in more])
        for outcome, quick in zip(outcomes, more, strict=False):
            if fault(outcome, quick) and not (self.submission.is_formula and overflows(outcome, quick)):
                call = Call.of(self.exercise.expected, quick.arguments)
                self.trials, self.outcomes = (*self.trials, call), [*self.outcomes, outcome]
                self.faults.append(fault(outcome, call))

    @property
    def place(self) -> int:
        """The number of the first call that shows the fault."""
        return self.faults.index(self.fault)

    @property
    def shown(self) -> tuple[Outcome, Call]:
        """The outcome and the trial that show the fault."""
        return self.outcomes[self.place], self.trials[self.place]

    @property
    def printed(self) -> str:
        """What the first call printed."""
        return self.outcomes[0].printed.rstrip() if self.outcomes else ""

    def _known(self, *, by_finite: bool = False) -> tuple[Misconception, ...]:
        """The misconceptions that give these results on all calls.

        Args:
            by_finite: whether an entry that is NaN here alone counts as equal, if enough others are wrong.
        """
        if not self.fault or self.fault in FAILURES:
            return ()
        got = [numbers(o.result, t) for o, t in zip(self.outcomes, self.trials, strict=True)]
        if by_finite and wrong_entries(got, self.trials) < ENOUGH_WRONG:
            return ()
        known = [m for m in self.exercise.misconceptions if self._fits(m, self.trials, got, by_finite=by_finite)]
        return tuple(self._told_apart(known) if len(known) > 1 and not by_finite else known)

    def findings(self) -> tuple[Finding, ...]:
        """The misconceptions that give these results on all calls, or else one generic diagnosis, or nothing."""
        if not self.fault or self.fault in FAILURES:
            return ()
        got = [numbers(o.result, t) for t, o in zip(*self.every, strict=True)]
        if self.known:
            return self.known
        if self.fault == "dtype" or any(g is None for g in got):
            return ()
        evidence = Evidence(self.exercise, self.every[0], tuple(g for g in got if g is not None))
        if not evidence.wrong_results:
            return ()
        return first_diagnosis(evidence, self.submission)

    def kind(self, findings: tuple[Finding, ...]) -> str:
        """The kind of mistake, if all findings have the same one.

        Args:
            findings: of this judgement.
        """
        kinds = {finding.kind for finding in findings} or {"dtype" if self.fault == "dtype" else ""}
        return kinds.pop() if len(kinds) == 1 else ""

    def _told_apart(self, known: list[Misconception]) -> list[Misconception]:
        """Those of several misconceptions that fit further calls, too."""
        more = further(self.exercise, self.seed)
        outcomes = self.submission.outcomes([call.arguments for call in more])
        if len(outcomes) < len(more):
            return known
        got = [numbers(outcome.result, call) for outcome, call in zip(outcomes, more, strict=True)]
        return [m for m in known if self._fits(m, more, got)] or known

    def _fits(self, m: Misconception, calls: tuple[Call, ...], got: list[Any], *, by_finite: bool = False) -> bool:
        """Whether a misconception gives these results, in float32 or in float64, where less cancels."""
        return all(
            any(agree(found, results(m.slip, t), by_finite=by_finite) for results in (results_of, in_double))
            for found, t in zip(got, calls, strict=True)
        )


def results_of(function: Callable[..., Any], trial: Call) -> tuple[np.ndarray, ...] | None:
    """What a function of the library returns for a call; ``None`` if it raises, or returns another structure.

    Args:
        function: a misconception, or a solution.
        trial: the call.
    """
    try:
        with np.errstate(all="ignore"):
            return numbers(decode(worker.encode(function(*copies(trial.arguments)))), trial)
    except Exception:  # a misconception may be impossible for some inputs
        return None


def in_double(function: Callable[..., Any], trial: Call) -> tuple[np.ndarray, ...] | None:
    """What a function of the library returns for a call in float64.

    Args:
        function: a misconception.
        trial: the call.
    """
    return results_of(function, replace(trial, arguments=doubled(trial.arguments)))


def doubled(value: Any) -> Any:
    """Arguments with their tensors of float32 in float64."""
    if isinstance(value, torch.Tensor):
        return value.double() if value.is_floating_point() else value
    return type(value)(map(doubled, value)) if isinstance(value, list | tuple) else value


def copies(value: Any) -> Any:
    """A copy of arguments, which a function may change."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    return type(value)(map(copies, value)) if isinstance(value, list | tuple) else value


def in_common(findings: tuple[Finding, ...]) -> Words:
    """What one or several findings say."""
    if len(findings) == 1:
        return findings[0].says
    n, en = len(findings), " Or: ".join(finding.says.en for finding in findings)
    zh = "或者：".join(finding.says.zh for finding in findings)
    return Words(f"{n} known mistakes give exactly these numbers. {en}", f"有 {n} 种常见错误得到的数值完全相同。{zh}")
