"""The command that says what a training would need and cost: `minigpt estimate`."""

import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import tyro

import minigpt as mg
from minigpt import bench
from minigpt.cli.output import command, print_json
from minigpt.cost.budget import BudgetPlan, parse_budget, plan_budget
from minigpt.cost.estimates import MODEL_NAMES
from minigpt.cost.growth import Growth, StepSize, predict_growth
from minigpt.cost.hardware.names import THIS_MACHINE
from minigpt.cost.machine import Machine
from minigpt.runs import RunConfig
from minigpt.settings import check_choice
from minigpt.training import TrainConfig

DEFAULT_IN_TEXT = tyro.conf.arg(help_behavior_hint="")
BUDGET_VOCABULARY, BUDGET_CONTEXT = 1024, 256  # of the models that are tried for a budget


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a training would need and cost: parameters, operations, memory, time, money. Nothing is trained.

    Attributes:
        preset: size of the model: nano, micro, gpt2, gpt2-medium, gpt2-large, gpt2-xl or llama-tiny; or a published
            model: gpt3-small, gpt3-medium, gpt3-large, gpt3-xl, gpt3-2.7b, gpt3-6.7b, gpt3-13b, gpt3-175b, llama-7b,
            llama-13b, llama2-70b, llama3.1-8b, llama3.1-70b or llama3.1-405b (default: gpt2).
        run: run folder whose model is meant, in place of a preset.
        vocab_size: V, number of tokens (default: the preset's; with --budget 1024).
        context_length: T, in tokens (default: the preset's; with --budget 256).
        tokens: tokens that are read, such as 300e9 (default: those that are best for the size).
        on: hardware, such as H100, 8xH100, or "this machine", which is measured for three seconds.
        grow: what a step takes as context, width, depth, batch, vocabulary and devices are doubled, one at a time;
            on "this machine" small steps are measured, too.
        batch_size: sequences of each device in a step, with --grow (default: 8).
        budget: time and place, such as "tonight on this laptop" or "3 hours on 8xH100": which model learns most in it.
        price: dollars for an hour of one device (default: the lowest of the table).
        mfu: share of the hardware's peak that is reached (default: 0.43).
        json: print the figures as JSON, and nothing else.
    """

    preset: Annotated[str | None, DEFAULT_IN_TEXT] = None
    run: Path | None = None
    vocab_size: Annotated[int | None, DEFAULT_IN_TEXT] = None
    context_length: Annotated[int | None, DEFAULT_IN_TEXT] = None
    tokens: Annotated[float | None, DEFAULT_IN_TEXT] = None
    on: Annotated[str | None, DEFAULT_IN_TEXT] = None
    grow: bool = False
    batch_size: Annotated[int | None, DEFAULT_IN_TEXT] = None
    budget: Annotated[str | None, DEFAULT_IN_TEXT] = None
    price: Annotated[float | None, DEFAULT_IN_TEXT] = None
    mfu: Annotated[float | None, DEFAULT_IN_TEXT] = None
    json: bool = False

    def __call__(self) -> None:
        """Print a table."""
        if self.batch_size is not None and not self.grow:
            raise ValueError("--batch-size has an effect with --grow alone; add --grow, or leave it out")
        made = self._grown() if self.grow else self._estimated() if self.budget is None else self._planned(self.budget)
        if self.json:
            print_json(made.to_object())
            return
        print(made)
        if isinstance(made, BudgetPlan) and made.best.name in mg.PRESETS and isinstance(made.best.estimate.on, Machine):
            print(f"next: {_train(made)}")

    def _estimated(self) -> Any:
        on = self._measured() if self._is_here() else self.on
        return mg.estimate(self._model(), self.tokens, on, price=self.price, mfu=self.mfu)

    def _is_here(self) -> bool:
        return self.on is not None and THIS_MACHINE.fullmatch(self.on.strip()) is not None

    def _grown(self) -> Growth:
        if given := [name for name in ("tokens", "budget", "price") if getattr(self, name) is not None]:
            raise ValueError(f"--grow shows one step of each size; leave out --{given[0]}")
        if self.on is None:
            raise ValueError('--grow needs hardware, such as --on H100 or --on "this machine"')
        if not self._is_here():
            return predict_growth(
                StepSize(config=self._model(), n_sequences=self.batch_size or 8), self.on, mfu=self.mfu
            )
        names = ("preset", "run", "vocab_size", "context_length", "batch_size", "mfu")
        if given := [name.replace("_", "-") for name in names if getattr(self, name) is not None]:
            raise ValueError(f"--grow measures small steps of its own on this machine; leave out --{given[0]}")
        return bench.measure_growth(machine=self._measured(), progress=not self.json)

    def _planned(self, budget: str) -> BudgetPlan:
        names = ("preset", "run", "tokens", "on")
        if given := [name for name in names if getattr(self, name) is not None]:
            raise ValueError(f"--budget chooses the model and its tokens; leave out --{given[0]}")
        if self.price is not None and not self.json:
            raise ValueError("the table of a budget has no price, so --price has no effect; add --json")
        read = parse_budget(budget)
        on = self._measured() if read.on is None else read.on
        shape = {
            "vocab_size": BUDGET_VOCABULARY if self.vocab_size is None else self.vocab_size,
            "context_length": BUDGET_CONTEXT if self.context_length is None else self.context_length,
        }
        return plan_budget(read.seconds, on, **shape, price=self.price, mfu=self.mfu)

    def _model(self) -> mg.GPTConfig:
        if self.run is not None and self.preset is not None:
            raise ValueError("--run and --preset both say what the model is; give one of them")
        changes = {name: getattr(self, name) for name in ("vocab_size", "context_length")}
        changes = {name: value for name, value in changes.items() if value is not None}
        if self.run is None:
            name = self.preset or "gpt2"
            check_choice("preset", name, MODEL_NAMES)
            return replace(mg.estimate(name).config, **changes)
        return replace(RunConfig.read(self.run).model, **changes)

    def _measured(self) -> Machine:
        if (busy := bench.busy_line()) is not None:
            print(busy, file=sys.stderr)
        return bench.probe_machine(progress=not self.json)


def _train(plan: BudgetPlan) -> str:
    """The command that trains the best model, where it is a preset."""
    config, batch = plan.best.estimate.config, TrainConfig.batch_size
    steps = max(1, round(plan.best.estimate.tokens / (batch * config.context_length)))
    tokenizer = [] if config.vocab_size != BUDGET_VOCABULARY else ["--tokenizer", f"bpe:{BUDGET_VOCABULARY}"]
    shape = ["--preset", plan.best.name, "--context-length", str(config.context_length)]
    return command("minigpt", "train", "--text", "my.txt", *tokenizer, *shape, "--steps", str(steps))
