"""All generic diagnoses in the order in which they are tried: of all calls, then of a part of them."""

from collections.abc import Iterator
from itertools import chain

from minigpt.learn.exercises.exercise import Words
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import Diagnosis
from minigpt.learn.judge.diagnoses.behaviour import borders, dependences, precision, where_right
from minigpt.learn.judge.diagnoses.evidence import Evidence
from minigpt.learn.judge.diagnoses.inputs import explained_by
from minigpt.learn.judge.diagnoses.layouts import layouts, other_places, shapes
from minigpt.learn.judge.diagnoses.patterns import arrangements, hidden, masks, same_number_where_wrong
from minigpt.learn.judge.diagnoses.results import factors, functions, per_slice
from minigpt.learn.judge.diagnoses.variants import explained_by_a_step

#: What says less than a step of the formula that explains the same numbers.
VAGUE = ("generic.scaled", "generic.scaled-argument")
#: How many calls a diagnosis of some of them needs.
ENOUGH = 3
IF_FINITE = Words("In the calls with a finite result: ", "在结果有限的调用中：")
IF_WRONG = Words("In the calls that are wrong: ", "在出错的调用中：")


def first_diagnosis(evidence: Evidence, submission: Submission) -> tuple[Diagnosis, ...]:
    """The first generic diagnosis that holds, preferably with a kind; nothing, if none does.

    Args:
        evidence: all calls.
        submission: is called again.
    """
    found = tuple(first_with_kind(generic(evidence, submission)))
    if any(diagnosis.kind for diagnosis in found):
        return found
    return of_a_part(evidence, submission) or found


def generic(evidence: Evidence, submission: Submission) -> Iterator[Diagnosis]:
    """The generic diagnoses that hold, the plainest first.

    Args:
        evidence: all calls.
        submission: is called again.
    """
    pairs, vague = evidence.pairs, []
    for diagnosis in exact(evidence):
        if diagnosis.id in VAGUE:
            vague.append(diagnosis)
        else:
            yield diagnosis
    yield from explained_by_a_step(evidence, shows_progress=submission.shows_progress)
    yield from vague
    yield from chain(masks(evidence), other_places(pairs), precision(evidence), where_right(evidence))
    yield from chain(same_number_where_wrong(pairs), per_slice(pairs))
    yield from chain(dependences(evidence, submission), borders(evidence))


def exact(evidence: Evidence) -> Iterator[Diagnosis]:
    """What turns the right results, or the arguments, into those that were returned.

    Args:
        evidence: some calls.
    """
    pairs = evidence.pairs
    yield from chain(shapes(pairs), arrangements(evidence), layouts(pairs), functions(pairs), factors(evidence))
    yield from chain(hidden(pairs), explained_by(evidence))


def of_a_part(evidence: Evidence, submission: Submission) -> tuple[Diagnosis, ...]:
    """A diagnosis of the calls alone whose results are finite, or of those alone that are wrong.

    Args:
        evidence: all calls.
        submission: whose calls they are.
    """
    wrong = [not all(row) for row in evidence.right]
    for words, which, deep in ((IF_FINITE, evidence.finite, True), (IF_WRONG, wrong, False)):
        part = evidence.part(which)
        if all(which) or len(part.trials) < ENOUGH or not part.wrong_results:
            continue
        steps = explained_by_a_step(part, shows_progress=submission.shows_progress) if deep else iter(())
        for found in first_with_kind(chain(exact(part), steps)):
            if found.kind:
                says = Words(f"{words.en}{found.says.en}", f"{words.zh}{found.says.zh}")
                return (Diagnosis(found.id, found.kind, says),)
    return ()


def first_with_kind(diagnoses: Iterator[Diagnosis]) -> Iterator[Diagnosis]:
    """The first diagnosis that has a kind; without one, the first that has none."""
    without = None
    for diagnosis in diagnoses:
        if diagnosis.kind:
            yield diagnosis
            return
        without = without or diagnosis
    if without is not None:
        yield without
