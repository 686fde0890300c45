"""The judge as a classifier: every known mistake, every right answer, random wrong functions, and unknown mistakes.

Run alone, ``python tests/learn/judge/judge_campaign.py`` prints all tables (about twenty minutes); tests take samples.
``right``, ``named``, ``random`` and ``left-out`` are its parts; ``left-out 4`` takes every fourth mistake.
"""

import dataclasses
import sys
from collections import Counter
from itertools import chain

import numpy as np
import torch

from minigpt.learn.exercises import CATALOGUE
from minigpt.learn.exercises.exercise import MISTAKE_KINDS
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.compare import all_close
from minigpt.learn.judge.diagnoses import variants
from minigpt.learn.judge.judge import Judgement, results_of, trials


def judged(exercise, function):
    return Judgement(exercise, Submission(function, isolated=False), 0)


def matrix(exercises=CATALOGUE):
    """For each mistake, the ids that the judge names; () where it is accepted."""
    for exercise in exercises:
        for mistake in exercise.misconceptions:
            verdict = judged(exercise, mistake.slip)
            yield mistake.id, tuple(f.id for f in verdict.findings()) if verdict.fault else ()


def refused(exercises=CATALOGUE):
    """The right answers that the judge refuses, and how many there are."""
    answers = [(exercise, place) for exercise in exercises for place in range(len(exercise.solutions))]
    wrong = [f"{e.name} {place}" for e, place in answers if judged(e, e.solutions[place]).fault]
    return wrong, len(answers)


def left_out(mistakes):
    """For each (exercise, mistake): what is said where the mistake is unknown, and whether that names its kind."""
    for exercise, mistake in mistakes:
        others = tuple(m for m in exercise.misconceptions if m is not mistake)
        verdict = judged(dataclasses.replace(exercise, misconceptions=others), mistake.slip)
        yield mistake, verdict, verdict.findings()


def also_fits(exercise):
    """The pairs of mistakes of an exercise that give equal results on all calls: a reply to one fits the other."""
    calls = trials(exercise, 0)
    results = {m.id: [results_of(m.slip, call) for call in calls] for m in exercise.misconceptions}
    for one, ours in results.items():
        for other, theirs in results.items():
            if one < other and all(map(all_close, ours, theirs)):
                yield one, other


def distorted(function, number):
    """A wrong function: a right one, or a known mistake, with its results distorted in a random way."""
    draw = np.random.default_rng(number)
    kind, a, b = int(draw.integers(6)), draw.uniform(0.05, 1.0), draw.uniform(1.02, 1.5)

    def change(value):
        if isinstance(value, tuple | list):
            return type(value)(map(change, value))
        array = torch.as_tensor(np.asarray(value.detach() if isinstance(value, torch.Tensor) else value))
        if array.dtype == torch.bool:
            return torch.ones_like(array) if kind % 2 else torch.zeros_like(array)
        if not array.is_floating_point():
            return torch.cat([array.flatten(), array.flatten()[:1] + 1, torch.tensor([kind])])
        bent = array + a * torch.sin(array + b)
        return (array * b, array + a, -array - a, bent, array.abs() * b + a, array * 0 + a)[kind]

    return lambda *arguments: change(function(*arguments))


def accepted(number_of_functions):
    """The random wrong functions that are accepted, out of a number of them."""
    found = []
    for number in range(number_of_functions):
        exercise = CATALOGUE[number % len(CATALOGUE)]
        functions = (exercise.solutions[0], *(m.slip for m in exercise.misconceptions))
        function = distorted(functions[number // len(CATALOGUE) % len(functions)], number)
        if not judged(exercise, function).fault:
            found.append((exercise.name, number))
    return found


def print_right():
    wrong, n = refused()
    print(f"right answers refused: {len(wrong)} of {n} {wrong}")


def print_named():
    named = dict(matrix())
    for id, ids in named.items():
        if ids != (id,):
            print(f"  {id} -> {', '.join(ids) or 'accepted'}")
    print(f"named as themselves: {sum(ids == (id,) for id, ids in named.items())} of {len(named)}")
    pairs = list(chain.from_iterable(map(also_fits, CATALOGUE)))
    print(
        f"sharp: {len(named) - len({x for pair in pairs for x in pair})} of {len(named)} fit no other mistake {pairs}"
    )


def print_random():
    print(f"random wrong functions accepted: {len(accepted(4_000))} of 4,000")


def print_left_out(every=1):
    variants.VARIANTS_LIMIT = 120.0  # the machine may be busy
    counts, by_kind, by_id = Counter(), {kind: Counter() for kind in MISTAKE_KINDS}, {}
    for mistake, verdict, findings in left_out([(e, m) for e in CATALOGUE for m in e.misconceptions][::every]):
        said = verdict.kind(findings)
        right = said == mistake.kind
        counts.update(all=1, right=right, nothing=not findings, accepted=not verdict.fault)
        by_kind[mistake.kind][said or "-"] += 1
        by_id.setdefault(findings[0].id if findings else "nothing", Counter()).update(all=1, right=right)
    print(f"left out: {dict(counts)}")
    for kind, said in by_kind.items():
        print(f"  {kind:14} {said[kind]:3} of {said.total():3}  {dict(said.most_common())}")
    for id, told in sorted(by_id.items(), key=lambda item: -item[1]["all"]):
        print(f"  {id:32} {told['right']:3} of {told['all']:3} name the kind")


PARTS = {"right": print_right, "named": print_named, "random": print_random, "left-out": print_left_out}


def main(words):
    names = [word for word in words if not word.isdigit()] or list(PARTS)
    for name in names:
        numbers = [int(word) for word in words if word.isdigit() and name == "left-out"]
        PARTS[name](*numbers)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
