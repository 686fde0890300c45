"""How the misconceptions of an exercise are written down: the words above the function that makes the mistake."""

from collections.abc import Callable
from typing import TypeVar

from minigpt.learn.exercises.exercise import MISTAKE_KINDS, Attempt, Misconception, Words

A = TypeVar("A", bound=Attempt)


class Mistakes:
    """The misconceptions of one exercise, in the order in which they are written down.

    Args:
        exercise: the name of the function to write.
    """

    def __init__(self, exercise: str) -> None:
        self.exercise = exercise
        self.found: list[Misconception] = []

    def __call__(self, name: str, kind: str, en: str, zh: str) -> Callable[[A], A]:
        """Add the decorated function, which stays as it is.

        Args:
            name: of the mistake, without that of the exercise.
            kind: one of `MISTAKE_KINDS`.
            en: what it says in English.
            zh: what it says in Chinese.

        Raises:
            ValueError: if there is no such kind.
        """
        if kind not in MISTAKE_KINDS:
            raise ValueError(f"kind={kind!r} of the mistake {name} must be one of {', '.join(MISTAKE_KINDS)}")

        def add(slip: A) -> A:
            self.found.append(Misconception(f"{self.exercise}.{name}", kind, Words(en, zh), slip))
            return slip

        return add
