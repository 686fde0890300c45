"""The `minigpt` command: a thin layer over the functions that notebooks call."""

import dataclasses
import math
import shlex
import shutil
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union

import tyro

import minigpt as mg
from minigpt import bench
from minigpt.evaluate import checks
from minigpt.train import Run, RunConfig, build_tokenizer, open_splits

RunFolder = Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="OUT")]


@dataclass(frozen=True, kw_only=True)
class Train(RunConfig):
    """Train a GPT on a text.

    Attributes:
        resume: go on with the run in --out, from its newest checkpoint and with its saved settings.
    """

    resume: bool = False

    def __call__(self) -> None:
        """Train, then say where everything is."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(RunConfig)}
        run = mg.prepare_run(RunConfig(**fields))
        print(_describe(run))
        run.train(resume=self.resume)
        _finish(run)


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Let a trained model write.

    Attributes:
        out: the run folder that `minigpt train` filled.
        prompt: what the text begins with.
        max_new_tokens: the most tokens to add.
        temperature: 0 for greedy, below 1 for safer text, above 1 for bolder text.
        top_k: draw from this many most probable tokens.
        top_p: draw from the smallest set of tokens of this probability.
        stop: strings before which the text ends.
        seed: chooses one of the possible texts.
    """

    out: RunFolder
    prompt: str = "\n"
    max_new_tokens: int = 300
    temperature: float = 0.8
    top_k: int | None = None
    top_p: float | None = None
    stop: tuple[str, ...] = ()
    seed: int = 0

    def __call__(self) -> None:
        """Print the prompt and its continuation, piece by piece."""
        model, tokenizer = mg.load_model(self.out)
        options = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)[2:]}
        pieces = mg.stream(model, tokenizer, self.prompt, **options)
        print(self.prompt, end="", flush=True)
        for piece in pieces:
            print(piece, end="", flush=True)
        print()


@dataclass(frozen=True, kw_only=True)
class Eval:
    """Measure a trained model on a whole text: nats per token, perplexity, bits per byte.

    Attributes:
        out: the run folder that `minigpt train` filled.
        text: a UTF-8 text file or a folder of them; without it, the run's own validation split.
    """

    out: RunFolder
    text: Path | None = None

    def __call__(self) -> None:
        """Print the figures."""
        model, tokenizer = mg.load_model(self.out)
        if self.text is None:
            _, _, data = open_splits(RunConfig.read(self.out), model.config.context_length, tokenizer)
        else:
            data = mg.TokenDataset.from_text(mg.read_text(self.text), tokenizer, model.config.context_length)
        print(mg.evaluate(model, data, tokenizer))


@dataclass(frozen=True, kw_only=True)
class Prepare:
    """Turn a text, or a folder of texts, into token shards that `minigpt train --data` reads from disk.

    Attributes:
        source: a UTF-8 text file or a folder of them.
        out: the folder for the shards.
        tokenizer: "char", "bpe:1024" (trained on the source), "gpt2", or a saved tokenizer's file.
        validation_fraction: the share at the end that is kept for validation.
        workers: processes; without it, one for each core.
    """

    source: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="TEXT")]
    out: Path
    tokenizer: str = "gpt2"
    validation_fraction: float = 0.1
    workers: int | None = None

    def __call__(self) -> None:
        """Write the shards and say how large they are."""
        needs_text = self.tokenizer.partition(":")[0] in ("char", "bpe")
        tokenizer = build_tokenizer(self.tokenizer, mg.read_text(self.source) if needs_text else "")
        prepared = mg.prepare(
            self.source, tokenizer, self.out, validation_fraction=self.validation_fraction, workers=self.workers
        )
        print(
            f"{self.out}: {prepared.n_train_tokens:,} tokens to learn from, {prepared.n_validation_tokens:,} to test on"
        )
        print(f"next: minigpt train --data {self.out} --out runs/mine")


@dataclass(frozen=True, kw_only=True)
class TokenizerCommand:
    """Train a byte-pair tokenizer on a text, save it, and show how it cuts a sentence.

    Attributes:
        text: a UTF-8 text file or a folder of them.
        corpus: a corpus by name, used where no text is given.
        vocab_size: how many tokens, the 256 bytes and <|endoftext|> included.
        out: the file to write.
        show: the sentence to cut.
    """

    text: Path | None = None
    corpus: str = "python-docs"
    vocab_size: int = 1024
    out: Path = Path("tokenizer.json")
    show: str = "The transformer attends to every token. 你好，世界"

    def __call__(self) -> None:
        """Train, save, and show the pieces."""
        text = mg.load_corpus(self.corpus) if self.text is None else mg.read_text(self.text)
        tokenizer = mg.BPETokenizer.train(text, self.vocab_size)
        tokenizer.save(self.out)
        ids = tokenizer.encode(self.show)
        n_bytes, n_ids = len(text.encode()), len(tokenizer.encode(text))
        print(f"{self.out}: {tokenizer.vocab_size} tokens; {n_bytes / n_ids:.2f} bytes per token on its own text")
        print(" | ".join(repr(tokenizer.token_bytes(token).decode(errors="backslashreplace"))[1:-1] for token in ids))


@dataclass(frozen=True, kw_only=True)
class Demo:
    """Watch a small GPT learn to write, on text that comes with Python; it fills runs/demo anew each time.

    Attributes:
        steps: how many updates.
        seed: of the weights and the data order.
    """

    steps: int = 1500
    seed: int = 0

    def __call__(self) -> None:
        """A sample before, the training, a sample after, and where to go from there."""
        out = Path("runs/demo")
        shutil.rmtree(out / "checkpoints", ignore_errors=True)
        config = RunConfig(tokenizer="bpe:512", recipe="fast", steps=self.steps, out=out, seed=self.seed)
        run = mg.prepare_run(config)
        print(_describe(run))
        print(f"\nBefore training it writes:\n{_excerpt(run)}\n")
        run.train()
        print(f"\nAfter training it writes:\n{_excerpt(run)}\n")
        _finish(run)


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


COMMANDS: dict[str, type] = {
    "train": Train,
    "sample": Sample,
    "eval": Eval,
    "prepare": Prepare,
    "tokenizer": TokenizerCommand,
    "demo": Demo,
    "equations": Equations,
    "bench": Bench,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a mistake in the input is one line on stderr and exit status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command = tyro.cli(_union(words), prog="minigpt", args=words, description=mg.__doc__.splitlines()[0])
        command()
    except (ValueError, OSError, ImportError, FloatingPointError) as error:
        print(f"minigpt: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


def _union(words: list[str]) -> Any:
    """The commands as tyro wants them; a resumed run's saved settings stand in for the defaults of `train`."""
    resumes = words[:1] == ["train"] and "--resume" in words
    options: dict[str, dict[str, Any]] = {"train": {"default": _saved_settings(words)}} if resumes else {}
    commands = (
        Annotated[command, tyro.conf.subcommand(name, **options.get(name, {}))] for name, command in COMMANDS.items()
    )
    return Union[tuple(commands)]  # noqa: UP007


def _saved_settings(words: list[str]) -> Train:
    joined = [word.partition("=") for word in words]
    out = next((after for word, equals, after in joined if word == "--out" and equals), None)
    if out is None and "--out" in words[:-1]:
        out = words[words.index("--out") + 1]
    saved = RunConfig.read(Path(out) if out is not None else RunConfig.out)
    return Train(**{field.name: getattr(saved, field.name) for field in dataclasses.fields(saved)}, resume=True)


def _describe(run: Run) -> str:
    config, training = run.config, run.config.train_config()
    guess = math.log(run.tokenizer.vocab_size)
    return (
        f"text:  {run.data.n_tokens:,} tokens to learn from, {run.validation.n_tokens:,} to be tested on; "
        f"{run.tokenizer.name} tokenizer, {run.tokenizer.vocab_size} tokens\n"
        f"model: {config.preset} with recipe {config.recipe}, {run.model.n_parameters:,} parameters, "
        f"context {run.model.config.context_length}\n"
        f"goal:  a loss far below guessing, {guess:.3f} nats per token; "
        f"{training.steps:,} steps of {training.batch_size} sequences"
    )


def _excerpt(run: Run) -> str:
    text = mg.generate(run.model, run.tokenizer, "\n", max_new_tokens=120, temperature=0.7)
    return "\n".join(f"  | {line}" for line in text.strip().splitlines())


def _finish(run: Run) -> None:
    """Draw the curve and print where everything is."""
    history, out = run.history, run.config.out
    if history.validation_loss is None:
        print(f"stopped after {len(history)} steps, before the first evaluation")
    else:
        print(f"loss on the whole validation split: {history.validation_loss:.3f} nats per token")
    try:
        history.plot(uniform=math.log(run.tokenizer.vocab_size)).savefig(out / "loss.png")
        print(f"curve:      {out / 'loss.png'}")
    except ImportError as error:
        print(f"curve:      {error}")
    print(f"log:        {out / 'log.jsonl'}")
    print(f"checkpoint: {out / 'checkpoints'}")
    print(f"next:       minigpt sample {shlex.quote(str(out))} --prompt {shlex.quote(_prompt(run))}")


def _prompt(run: Run) -> str:
    """A few words from the start of the validation text: a prompt that the tokenizer knows, whatever the language."""
    inputs, _ = next(run.validation.windows(1))
    text = run.tokenizer.decode(inputs[0].tolist()).replace("\ufffd", "")
    words = (text.partition("\n")[2].strip() or text).split()  # the split may have cut the first line
    return " ".join(words[:3])[:24]
