"""The judge on held-out answers, two wrong and two right ones for each exercise.

Run alone, ``python tests/learn/judge/held_out_campaign.py`` prints what it says to each (about a minute).
"""

import sys

from held_out_right import RIGHT
from held_out_wrong import WRONG
from judge_campaign import judged

from minigpt.learn.exercises import exercise_named
from minigpt.learn.judge.diagnoses import variants


def refused_right(answers=None):
    """The right answers that are refused, by exercise and place, with the fault."""
    for place, (name, function) in enumerate(RIGHT if answers is None else answers):
        fault = judged(exercise_named(name), function).fault
        if fault:
            yield name, place % 2, fault


def verdicts(answers=None):
    """For each wrong answer: exercise, id, kind, the fault, and the findings with the kind that they name."""
    for name, id, kind, function in WRONG if answers is None else answers:
        verdict = judged(exercise_named(name), function)
        findings = verdict.findings() if verdict.fault else ()
        yield name, id, kind, verdict.fault, findings, verdict.kind(findings) if verdict.fault else ""


def main():
    variants.VARIANTS_LIMIT = 120.0  # the machine may be busy
    refusals = list(refused_right())
    print(f"right answers refused: {len(refusals)} of {len(RIGHT)} {refusals}")
    rows, named, sharp, kinds = list(verdicts()), 0, 0, 0
    for name, id, kind, fault, findings, said in rows:
        ids = [finding.id for finding in findings]
        named += ids == [id]
        sharp += len(ids) == 1
        kinds += bool(kind) and said == kind
        told = " ".join(finding.says.en for finding in findings)[:100]
        print(f"  {name:22} {id.split('.')[-1] or kind:30} {fault or 'ACCEPTED':9} {ids} {said}  {told}")
    known, unknown = sum(bool(row[1]) for row in rows), sum(bool(row[2]) for row in rows)
    print(f"wrong answers refused: {sum(bool(row[3]) for row in rows)} of {len(rows)}")
    print(f"mistakes of the catalogue named: {named} of {known}; replies with one finding: {sharp} of {len(rows)}")
    print(f"kinds of other mistakes named: {kinds} of {unknown}")


if __name__ == "__main__":
    sys.exit(main())
