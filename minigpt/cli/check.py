"""Commands that check the library: `minigpt equations` against its formulas, `minigpt bench` against peers."""

import textwrap
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

import minigpt as mg
from minigpt import bench, checks
from minigpt.training.processes.device import choose_device


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
    """Measure this library beside known peers, in one run on this machine.

    Attributes:
        what: "train": the training step beside transformers' GPT-2. "attention": our Triton kernel beside PyTorch's
            attention, FlexAttention and the formula, on a GPU; on the CPU the formula beside PyTorch's.
        rounds: how often each is timed, in turn; the median counts.
        lengths: of attention, T in positions; by default a few that suit the device.
        device: of attention, "auto", "cpu" or "cuda".
        out: a folder for attention.png.
    """

    what: tyro.conf.Positional[Literal["train", "attention"]] = "train"
    rounds: int = 9
    lengths: tuple[int, ...] = ()
    device: str = "auto"
    out: Path = Path("runs/bench")

    def __call__(self) -> None:
        """Print a table."""
        if self.what == "train":
            bench.train_step(self.rounds)
            return
        device = choose_device(self.device)
        measured = bench.measure_attention(device, self.lengths, self.rounds)
        print(measured)
        print(_about_the_kernel(device))
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            measured.plot().savefig(self.out / "attention.png")
            print(f"picture: {self.out / 'attention.png'}")
        except ImportError as error:
            print(f"picture: {error}")


def _about_the_kernel(device: torch.device) -> str:
    """Whether the Triton kernel is right here; and that a CPU says nothing about its speed."""
    if find_spec("triton") is None:
        return "triton: not here (pip install triton, on Linux); its timings need a GPU"
    if device.type == "cuda":
        return f"triton: its largest error against float64 is {bench.kernel_error():.0e} in float32"
    return (
        f"triton: run by Triton's interpreter, its largest error against float64 is {bench.interpreted_error():.0e} "
        "in float32;\nits timings need a GPU: an interpreter's say nothing about one"
    )
