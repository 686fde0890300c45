"""The `minigpt` command: a thin layer over the functions that notebooks call."""

import os
import shutil
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Union

import tyro

import minigpt as mg
from minigpt.cli.check import Equations
from minigpt.cli.compare import Compare
from minigpt.cli.diverge import Diverge
from minigpt.cli.estimate import Estimate
from minigpt.cli.export import Export
from minigpt.cli.fairness import Fairness
from minigpt.cli.ladder import Ladder
from minigpt.cli.learn import CheckAnswers, Learn
from minigpt.cli.measuring.bench import Bench
from minigpt.cli.measuring.kernels import Kernels
from minigpt.cli.measuring.speedrun import Speedrun
from minigpt.cli.options import check_options, spelled_out
from minigpt.cli.output import LastingStream, drop_output, message_of, print_each_line_at_once, show_every_character
from minigpt.cli.runs import Doctor, Info, Runs
from minigpt.cli.settings import RefusedError, registry
from minigpt.cli.text import Clean, Contamination, Prepare, Tokenizer
from minigpt.cli.train import Demo, Train
from minigpt.cli.use import Chat, Eval, Sample
from minigpt.interrupts import STATUS, raise_from_now_on
from minigpt.settings import nearest
from minigpt.settings.language import folded
from minigpt.training.processes.distributed import is_main_process

COMMANDS: dict[str, type] = {
    "train": Train,
    "runs": Runs,
    "info": Info,
    "doctor": Doctor,
    "sample": Sample,
    "chat": Chat,
    "eval": Eval,
    "export": Export,
    "ladder": Ladder,
    "fairness": Fairness,
    "compare": Compare,
    "diverge": Diverge,
    "clean": Clean,
    "contamination": Contamination,
    "prepare": Prepare,
    "tokenizer": Tokenizer,
    "demo": Demo,
    "equations": Equations,
    "estimate": Estimate,
    "bench": Bench,
    "speedrun": Speedrun,
    "kernels": Kernels,
    "learn": Learn,
    "check": CheckAnswers,
}


STARTED = ("train", "compare")  # whose defaults follow a recipe, a file or a run folder
# What these make is on disk, so they finish their work even where nobody reads what they print.
LASTING = ("train", "demo", "compare", "ladder", "clean", "prepare", "tokenizer", "bench", "speedrun", "export")
NARROWEST = 40  # columns; narrower ones can't hold the boxes of the help


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a mistake in the input is a line or two on stderr and exit status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    with _streams(lasting=words[:1] != [] and words[0] in LASTING):
        try:
            raise_from_now_on()
            _run(words)
            sys.stdout.flush()
        except BrokenPipeError:  # the reader of the output, such as `head`, has seen enough
            drop_output(sys.stdout)
        except (ValueError, OSError, ImportError, FloatingPointError, MemoryError) as error:
            who = "minigpt" if is_main_process() else f"minigpt (rank {os.environ['RANK']})"
            told = f"{who}: {message_of(error)}"
            print(folded(told, 2) if sys.stderr.isatty() else told, file=sys.stderr)
            sys.exit(2)
        except KeyboardInterrupt:
            sys.exit(STATUS)


def _run(words: list[str]) -> None:
    if words == ["--version"]:
        print(f"minigpt {mg.__version__}")
        return
    with _wide_enough():
        command = _parse(words or ["--help"])
    with _plain_warnings():
        command()


@contextmanager
def _streams(*, lasting: bool) -> Iterator[None]:
    """Streams that take every character, and if ``lasting``, whatever becomes of their readers."""
    before = sys.stdout, sys.stderr
    # a closed stream is None
    given: list[Any] = [stream or Path(os.devnull).open("w", encoding="utf-8") for stream in before]  # noqa: SIM115
    sys.stdout, sys.stderr = map(LastingStream, given) if lasting else given
    show_every_character()
    if lasting:
        print_each_line_at_once()
    try:
        yield
    finally:
        try:
            sys.stdout.flush()
        except OSError:
            drop_output(sys.stdout)
        sys.stdout, sys.stderr = before
        for stream in given:
            if stream not in before:
                stream.close()


@contextmanager
def _wide_enough() -> Iterator[None]:
    """Let the help have as many columns as it needs, however narrow the terminal is."""
    if shutil.get_terminal_size().columns >= NARROWEST:
        yield
        return
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(NARROWEST)
    try:
        yield
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show what the library warns of as one line, without the place in the code."""
    before = warnings.formatwarning

    def plain(message: Any, category: type[Warning], *place: Any, **more: Any) -> str:
        return f"minigpt: {message}\n" if category is UserWarning else before(message, category, *place, **more)

    warnings.formatwarning = plain
    try:
        yield
    finally:
        warnings.formatwarning = before


def _parse(words: list[str]) -> Any:
    """The command that the words ask for.

    Raises:
        ValueError: if there is no such command, or a part of a configuration can't be used.
    """
    name = words[0]
    if name not in COMMANDS and not name.startswith("-"):
        raise ValueError(f"there is no command {name!r}; choose one of {', '.join(COMMANDS)}{nearest(name, COMMANDS)}")
    asks_for_help, words = bool({"-h", "--help"} & set(words)), spelled_out(words)
    if name in COMMANDS and not asks_for_help:
        check_options(name, COMMANDS[name], words[1:])
    default = COMMANDS[name].started(words) if name in STARTED else None  # type: ignore[attr-defined]
    if default is not None and asks_for_help:
        default = _typed_so_far(name, words, default)
    shown = None if default is None else default.run
    options = {} if default is None else {name: {"default": default}}
    commands = (
        Annotated[command, tyro.conf.subcommand(each, **options.get(each, {}))] for each, command in COMMANDS.items()
    )
    union: Any = Union[tuple(commands)]  # noqa: UP007
    try:
        return tyro.cli(
            union,
            prog="minigpt",
            args=words,
            description=f"{mg.__doc__.splitlines()[0]} Version {mg.__version__}.",
            registry=registry(shown),
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except RefusedError as error:
        raise ValueError(str(error)) from None


def _typed_so_far(name: str, words: list[str], default: Any) -> Any:
    """The defaults with what is typed beside ``--help``: rules are shown with the values that follow from it."""
    try:
        return tyro.cli(
            COMMANDS[name],
            default=default,
            args=[word for word in words[1:] if word not in ("-h", "--help")],
            registry=registry(default.run),
            config=(tyro.conf.OmitArgPrefixes,),
            console_outputs=False,
        )
    except (SystemExit, RefusedError):
        return default
