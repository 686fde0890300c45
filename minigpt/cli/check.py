"""Commands that check the library: `minigpt equations` against its formulas, `minigpt bench` against a peer."""

import textwrap
from dataclasses import dataclass
from typing import Any, Literal

import tyro

import minigpt as mg
from minigpt import bench
from minigpt.evaluate import checks


@dataclass(frozen=True, kw_only=True)
class Equations:
    """Evaluate the library's equations, term by term, and hold the functions that implement them against the values.

    Attributes:
        names: which ones; all of them, if none is named.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()

    def __call__(self) -> None:
        """Print a table; an equation whose function differs from it is an error."""
        equations = [mg.equations.get(name) for name in self.names] or mg.equations.all()
        errors = {equation.name: checks.largest_error(equation) for equation in equations}
        print(f"{'equation':28}{'largest error':16}function")
        for equation in equations:
            function: Any = equation.function
            name = f"{function.__module__}.{function.__qualname__}"
            print(f"\n{equation.name:28}{errors[equation.name]:<16.1e}{name}")
            print(textwrap.indent(f"{equation}\nSource: {equation.source}", "    "))
        wrong = [name for name, error in errors.items() if error > checks.TOLERANCE]
        if wrong:
            raise ValueError(f"the code differs from {len(wrong)} of {len(errors)} equations: {', '.join(wrong)}")
        print(f"\n{len(errors)} equations, all equal to their functions within {checks.TOLERANCE:.0e}")


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure this library beside a known peer, in one run on this machine.

    Attributes:
        what: "train": the training step beside transformers' GPT-2.
        rounds: how often each is timed, in turn; the median counts.
    """

    what: tyro.conf.Positional[Literal["train"]] = "train"
    rounds: int = 9

    def __call__(self) -> None:
        """Print a table."""
        bench.train_step(self.rounds)
