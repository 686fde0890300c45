"""Commands that train: `minigpt train` and `minigpt demo`, and what they print."""

import math
import shutil
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Self

import tyro

import minigpt as mg
from minigpt.cli.output import can_show, command, first_words_of, lines_of, save_picture
from minigpt.cli.settings import EMPTY_PATH, Start, said_in, start_from
from minigpt.evaluation.stories import TELLING, tell_stories
from minigpt.generation import Sampler
from minigpt.runs import Run, RunConfig, hardware_sizes, recipe
from minigpt.runs.config import RUN_FILE
from minigpt.runs.epochs import tell_other_steps
from minigpt.runs.recipes import FAST_SIZES
from minigpt.runs.source import text_bytes
from minigpt.runs.summary import steps_done
from minigpt.settings import counted
from minigpt.settings.language import folded
from minigpt.text import RowDataset
from minigpt.training.processes.distributed import is_alone, is_main_process
from minigpt.training.processes.hardware import seen_hardware
from minigpt.training.storage.lock import FolderLock
from minigpt.training.storage.run_folder import Resume

NAME_A_SIZE = (
    *("preset", "config", "from_pretrained", "n_layers", "d_model", "n_heads", "n_kv_heads", "d_head", "d_hidden"),
    *("context_length", "micro_batch_size"),
)
TOLD = 500  # stories that the demo is measured on
MANY_PARAMETERS, MANY_READINGS = 20, 20  # parameters a token and passes over a text at which a model learns it by heart
PROMPT_WINDOWS = 32  # windows of the validation text in which a prompt is looked for


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a GPT on a text.

    Attributes:
        start: where the settings come from.
        run: what to train, on what, and how.
        resume: continue the run in --out from its newest checkpoint, with its saved settings.
        auto_resume: continue the run in --out if there is one, else start it; for jobs that a cluster may restart.
        verify: read the prepared shards whole when a run continues, and compare them with their SHA-256.
    """

    start: Start = field(default_factory=Start)
    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(default_factory=RunConfig)
    resume: bool = False
    auto_resume: bool = False
    verify: bool = False

    @classmethod
    def started(cls, words: Sequence[str]) -> Self:
        """The defaults that the words start from: those of a recipe, a file, or the run that is resumed."""
        if "--resume" in words:
            if other := sorted(said_in(words, ("preset", "recipe", "config"))):
                raise ValueError(f"--resume takes the settings of the run, so --{other[0]} can't be given with it")
            out = said_in(words, ("out",)).get("out", str(RunConfig.out))
            if not out:
                raise ValueError(EMPTY_PATH)
            return cls(run=RunConfig.read(out), resume=True)
        start, run = start_from(words)
        return cls(start=start, run=run.changed(**_sizes(words, run)))

    def __call__(self) -> None:
        """Train, then say where everything is."""
        run = mg.prepare_run(self.run)
        if not self.resume:
            tell_other_steps(self.run, run.config)
        resume = Resume.YES if self.resume else Resume.AUTO if self.auto_resume else Resume.NO
        with run.open(resume, verify=self.verify) as folder:
            if is_main_process():
                print(_describe(run, self._why_its_sizes()))
            run.train(folder)
        if is_main_process():
            _finish(run)

    def _why_its_sizes(self) -> str:
        """Why it has the sizes of the recipe "fast" on this machine, where it has them."""
        if self.start.recipe != "fast" or self.start.preset is not None or self.start.config is not None:
            return ""
        sizes, why = hardware_sizes(seen_hardware(self.run.training.device), self.run.source.n_bytes)
        chosen = sizes.settings | {"batch_size": self.run.training.batch_size}  # which may be named alone
        return f"sizes: {why}\n" if self.run.changed(**chosen) == self.run else ""


def _sizes(words: Sequence[str], run: RunConfig) -> dict[str, int]:
    """The sizes that the recipe "fast" has on this machine, where the words name none; those of a run that goes on."""
    said = said_in(words, ("recipe", "text", "glob", "corpus", "data", "device", "out", *NAME_A_SIZE))
    if said.get("recipe") != "fast" or any(name in said for name in NAME_A_SIZE):
        return {}
    out, may_go_on = Path(said.get("out", str(RunConfig.out))), {"--auto-resume", "--auto_resume"} & {*words}
    if may_go_on and (out / RUN_FILE).is_file():  # it may have been started on another machine
        parts = RunConfig.read(out)
        return {name: (vars(parts.model) | vars(parts.training))[name] for name in FAST_SIZES[0].settings}
    text, is_known = said.get("text"), run.source.task is None and "data" not in said
    corpus = said.get("corpus", run.source.corpus) if is_known else None
    n_bytes = text_bytes(Path(text) if text else None, corpus, said.get("glob"))
    return hardware_sizes(seen_hardware(said.get("device", "auto")), n_bytes)[0].settings


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Watch a small GPT learn to tell stories of the tiny world, whose entropy is known: how close does it come?

    It fills runs/demo anew each time.

    Attributes:
        steps: number of updates.
        seed: random seed of the weights and the stories.
    """

    steps: int = recipe("story").training["steps"]
    seed: int = 0

    def __call__(self) -> None:
        """A sample before, the training, a sample after, the distance to the floor, and where to go from there."""
        out = Path("runs/demo")
        out.mkdir(parents=True, exist_ok=True)
        with FolderLock(out):
            shutil.rmtree(out / "checkpoints", ignore_errors=True)
        run = mg.prepare_run(RunConfig.of(task="story", steps=self.steps, out=out, seed=self.seed))
        print(_describe(run))
        print(f"\nBefore training it writes:\n{_stories(run)}\n")
        run.train()
        print(f"\nAfter training it writes:\n{_stories(run, judged=True)}\n")
        _finish(run)
        held_out = mg.TinyWorld(split="test")
        print(f"\n{mg.evaluate_stories(run.model, held_out, run.tokenizer, TOLD)}")


def _describe(run: Run, why_its_sizes: str = "") -> str:
    source, model, training = run.config.source, run.model.config, run.config.training
    guess = math.log(run.tokenizer.vocab_size)
    floor = run.validation.floor
    known = "" if floor is None else f", down to the floor, {floor:.3f}"
    first = "" if source.from_pretrained is None else f", from {source.from_pretrained}"
    lines = (
        f"text:  {run.data} to learn from, {run.validation} to be tested on; "
        f"{run.tokenizer.name} tokenizer, {run.tokenizer.vocab_size} tokens\n"
        f"model: {counted(model.n_layers, 'layer')} × {model.d_model} wide, {counted(model.n_heads, 'head')}, "
        f"{model.position} positions, "
        f"{run.model.n_parameters:,} parameters, context {model.context_length}{first}\n"
        f"train: {counted(training.steps, 'step')} of {counted(training.batch_size, 'sequence')}, "
        f"{training.optimizer}, learning rate {training.peak:.3g}\n"
        + why_its_sizes
        + _advice(run)
        + f"goal:  a loss far below guessing, {guess:.3f} nats per token{known}"
    )
    return folded(lines, 7)


def _advice(run: Run) -> str:
    """What to do where a text is read again and again by a model that can learn it by heart; or nothing."""
    n_tokens, n_parameters, training = getattr(run.data, "n_tokens", 0), run.model.n_parameters, run.config.training
    n_read = training.steps * training.batch_size * run.model.config.context_length
    if not n_tokens or n_parameters < MANY_PARAMETERS * n_tokens or n_read < MANY_READINGS * n_tokens:
        return ""
    return (
        f"note:  {n_parameters / n_tokens:,.0f} parameters a token, each token read {n_read / n_tokens:,.0f} times: "
        "the model will overfit; a longer text, a smaller --preset, --dropout or fewer --steps help\n"
    )


def _stories(run: Run, judged: bool = False) -> str:
    lines = []
    for story in tell_stories(run.model, run.tokenizer, 3, max_tokens=80, sampler=Sampler(temperature=TELLING)):
        lines.append(textwrap.fill(story, 80, initial_indent="  | ", subsequent_indent="  |   "))
        if judged:
            lines.append(textwrap.fill(_verdict(story), 80, initial_indent="  = ", subsequent_indent="    "))
    return "\n".join(lines)


def _verdict(story: str) -> str:
    """Whether a story holds together, and if not, which sentence breaks it."""
    try:
        mg.TinyWorld(split="all").parse(story)
    except ValueError as error:
        return f"does not hold together: {error}"
    return "holds together: every sentence fits those before it"


def _finish(run: Run) -> None:
    """Draw the curve and print where everything is.

    Raises:
        KeyboardInterrupt: if the run was stopped before its last step, so that the command ends as others do at Ctrl-C.
    """
    history, out = run.history, run.config.out
    steps, done = run.config.training.steps, steps_done(out, history)
    stopped = done < steps
    if stopped:
        resume = command("minigpt", "train", "--resume", "--out", out)
        print(f"stopped after step {done} of {steps}; continue with: {resume}")
    if history.validation_loss is not None:
        print(f"loss on the whole validation split: {history.validation_loss:.3f} nats per token")
    if history.rows:
        guessing = math.log(run.tokenizer.vocab_size)
        kept = f"the run is {'saved' if stopped else 'complete and saved'}; --resume draws it"
        print(f"curve:      {save_picture(lambda: history.plot(uniform=guessing), out / 'loss.png', kept=kept)}")
    missing = done - len(set(history.column("step")[0]))
    gap = f"; {missing} of {counted(done, 'step')} {'is' if missing == 1 else 'are'} missing there" if missing else ""
    print(f"log:        {out / 'log.jsonl'}{gap}")
    print(f"checkpoint: {out / 'checkpoints'}")
    if run.config.source.task in (None, "story"):
        print(f"next:       {command('minigpt', 'sample', out, *_prompt(run))}")
    else:
        print(f"next:       {command('minigpt', 'eval', out)}, or {command('minigpt', 'chat', out)}")
    if stopped and is_alone():  # torchrun would take the exit status for a failure and end the others
        raise KeyboardInterrupt


def _prompt(run: Run) -> list[str]:
    """The option that gives `minigpt sample` the first words of a line of the validation text.

    There is none where the text has no words, or stdout can't show them as they are.
    """
    special, data = run.tokenizer.special_tokens.values(), run.validation
    whole = isinstance(data, RowDataset)
    ids = data.row(0).ids if isinstance(data, RowDataset) else next(data.windows(PROMPT_WINDOWS))[0].flatten().tolist()
    text = run.tokenizer.decode([token for token in ids if token not in special])
    words = next((found for line in lines_of(text, whole=whole) if (found := first_words_of(line)).strip()), "")
    if not words or not can_show(words):
        return []
    return [f"--prompt={words}"] if words.startswith("-") else ["--prompt", words]
