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
from minigpt.cli.output import print_json, save_picture
from minigpt.equations import Equation
from minigpt.settings import counted
from minigpt.training.processes.device import choose_device


@dataclass(frozen=True, kw_only=True)
class Equations:
    """Evaluate the library's equations, term by term, and hold the functions that implement them against the values.

    Attributes:
        names: which ones; all of them, if none is named.
        json: print the figures as JSON.
    """

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    json: bool = False

    def __call__(self) -> None:
        """Print a table; an equation whose function differs from it is an error."""
        equations = [mg.equations.get(name) for name in self.names] or mg.equations.all()
        errors = [checks.largest_error(equation) for equation in equations]
        wrong = [eq.name for eq, error in zip(equations, errors, strict=True) if not error <= checks.TOLERANCE]
        if self.json:
            print_json([_figures_of(eq, error) for eq, error in zip(equations, errors, strict=True)])
        else:
            print(f"{'equation':28}{'largest error':16}function")
            for equation, error in zip(equations, errors, strict=True):
                print(f"\n{equation.name:28}{error:<16.1e}{_function_of(equation)}")
                print(textwrap.indent(f"{equation}\nSource: {equation.source}", "    "))
        if wrong:
            of = f"{len(wrong)} of {counted(len(errors), 'equation')}"
            raise ValueError(f"the code differs from {of}: {', '.join(wrong)}")
        if not self.json:
            equal = "equal to its function" if len(errors) == 1 else "all equal to their functions"
            print(f"\n{counted(len(errors), 'equation')}, {equal} within {checks.TOLERANCE:.0e}")


def _figures_of(equation: Equation, error: float) -> dict[str, Any]:
    return {
        "name": equation.name,
        "function": _function_of(equation),
        "source": equation.source,
        "largest_error": error,
        "ok": error <= checks.TOLERANCE,
    }


def _function_of(equation: Equation) -> str:
    function: Any = equation.function
    return f"{function.__module__}.{function.__qualname__}"


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Measure this library beside known peers, in one run on this machine.

    Attributes:
        what: "train": the training step beside transformers' GPT-2. "generate": greedy generation at the shape of GPT-2
            beside transformers'. "attention": our Triton kernel beside PyTorch's
            attention, FlexAttention and the formula, on a GPU; on the CPU the formula beside PyTorch's.
        rounds: how often each is timed, in turn, by default 9 times, generation 3; the median counts.
        lengths: of attention, T in positions; by default a few that suit the device.
        device: of attention, "auto", "cpu" or "cuda".
        out: a folder for attention.png or generation.png.
        json: print the figures as JSON.
    """

    what: tyro.conf.Positional[Literal["train", "generate", "attention"]] = "train"
    rounds: int | None = None
    lengths: tuple[int, ...] = ()
    device: str = "auto"
    out: Path = Path("runs/bench")
    json: bool = False

    def __call__(self) -> None:
        """Print a table."""
        rounds = {"generate": 3}.get(self.what, 9) if self.rounds is None else self.rounds
        if self.what == "attention":
            self._attention(rounds)
        elif self.what == "generate":
            self._generation(rounds)
        elif self.json:
            print_json(bench.measure_training(rounds).to_json())
        else:
            print(bench.measure_training(rounds))

    def _generation(self, rounds: int) -> None:
        measured, path = bench.measure_generation(rounds), self.out / "generation.png"
        picture = save_picture(measured.plot, path, kept="the figures are complete")
        if self.json:
            print_json({**measured.to_json(), "picture": picture if picture == str(path) else None})
        else:
            print(f"{measured}\npicture: {picture}")

    def _attention(self, rounds: int) -> None:
        device = choose_device(self.device)
        measured = bench.measure_attention(device, self.lengths, rounds)
        kernel, path = _kernel_figures(device), self.out / "attention.png"
        picture = save_picture(measured.plot, path, kept="the figures are complete")
        if self.json:
            print_json({**measured.to_json(), "kernel": kernel, "picture": picture if picture == str(path) else None})
        else:
            print(f"{measured}\n{_about_the_kernel(kernel)}\npicture: {picture}")


def _kernel_figures(device: torch.device) -> dict[str, Any] | None:
    """The Triton kernel's largest error in float32 against float64, and what ran it; ``None`` without triton."""
    if find_spec("triton") is None:
        return None
    if device.type == "cuda":
        return {"largest_error": bench.kernel_error(), "run_by": "GPU"}
    return {"largest_error": bench.interpreted_error(), "run_by": "interpreter"}


def _about_the_kernel(figures: dict[str, Any] | None) -> str:
    """Whether the Triton kernel is right here; and that a CPU says nothing about its speed."""
    if figures is None:
        return "triton: not here (pip install triton, on Linux); its timings need a GPU"
    if figures["run_by"] == "GPU":
        return f"triton: its largest error against float64 is {figures['largest_error']:.0e} in float32"
    return (
        f"triton: run by Triton's interpreter, its largest error against float64 is {figures['largest_error']:.0e} "
        "in float32;\nits timings need a GPU: an interpreter's say nothing about one"
    )
