"""Commands that check the library: `minigpt equations` its formulas, `minigpt bench` and `speedrun` its speed."""

import textwrap
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
import tyro

import minigpt as mg
from minigpt import bench, checks
from minigpt.bench.speedrun import TRACKS, read_leaderboard, record
from minigpt.bench.speedrun.nanogpt import PUBLISHED
from minigpt.cli.output import print_json, save_picture
from minigpt.equations import Equation
from minigpt.settings import check_choice, counted
from minigpt.training.processes.device import choose_device

QUICK_STEPS = 200  # of the yardstick of the speedrun


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
        rounds: how often each is timed, in turn; the median counts.
        lengths: of attention, T in positions; by default a few that suit the device.
        device: of attention, "auto", "cpu" or "cuda".
        out: a folder for attention.png.
        json: print the figures as JSON.
    """

    what: tyro.conf.Positional[Literal["train", "generate", "attention"]] = "train"
    rounds: int = 9
    lengths: tuple[int, ...] = ()
    device: str = "auto"
    out: Path = Path("runs/bench")
    json: bool = False

    def __call__(self) -> None:
        """Print a table."""
        if self.what == "attention":
            self._attention()
            return
        measured: bench.TrainingBench | bench.GenerationBench
        if self.what == "generate":
            measured = bench.measure_generation(self.rounds)
        else:
            measured = bench.measure_training(self.rounds)
        if self.json:
            print_json(measured.to_json())
        else:
            print(measured)

    def _attention(self) -> None:
        device = choose_device(self.device)
        measured = bench.measure_attention(device, self.lengths, self.rounds)
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


@dataclass(frozen=True, kw_only=True)
class Speedrun:
    """Measure how soon a model reaches a loss on Tiny Shakespeare on this CPU, beside nanoGPT's command.

    Each track is a target in nats per character, over the whole validation split, with a model and a schedule of its
    own. Ctrl-C prints what is done.

    Attributes:
        tracks: which targets; by default all, the shortest first.
        seeds: number of seeds that each track is trained with.
        text: file with the text (default: Tiny Shakespeare, downloaded once); the figures of another text can't be
            compared.
        quick: only the shortest track, one seed, and the first 200 steps of nanoGPT's command.
        yardstick: train nanoGPT's command too, all of its 2,000 steps.
        peer_checkout: checkout of nanoGPT, whose own model.py is trained by the same loop too; its code is run.
        record: leaderboard file that gets an entry for each track that reached its target.
        out: folder for speedrun.png.
        json: print the figures as JSON, and nothing else.
    """

    tracks: tuple[str, ...] = tuple(TRACKS)
    seeds: int = 1
    text: Path | None = None
    quick: bool = False
    yardstick: bool = True
    peer_checkout: Path | None = None
    record: Path | None = None
    out: Path = Path("runs/speedrun")
    json: bool = False

    def __call__(self) -> None:
        """Print a table, and draw the losses against the time."""
        for name in self.tracks:
            check_choice("track", name, TRACKS)
        if self.record is not None:
            read_leaderboard(self.record)  # refuses another file before anything is trained
        names = list(TRACKS)[:1] if self.quick else dict.fromkeys(self.tracks)
        steps = QUICK_STEPS if self.quick else PUBLISHED["max_iters"]
        report = bench.measure_speedrun(
            [TRACKS[name] for name in names],
            seeds=1 if self.quick else self.seeds,
            text=self.text,
            peer_checkout=self.peer_checkout,
            progress=not self.json,
            yardstick_steps=steps if self.yardstick else 0,
        )
        if self.json:
            print_json(report.to_json())
        else:
            print(f"\n{report}")
            picture = save_picture(report.plot, self.out / "speedrun.png", kept="the figures are complete")
            print(f"picture: {picture}")
        if self.record is not None:
            added = record(report, self.record)
            if not self.json:
                print(f"recorded: {counted(len(added), 'track')} in {self.record}")
        if report.n_missing:
            raise KeyboardInterrupt  # the exit status is that of other commands at Ctrl-C
