"""The `minigpt` command: a thin layer over the functions that notebooks call."""

import dataclasses
import os
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Union, get_args

import tyro

import minigpt as mg
from minigpt.cli.check import Bench, Equations
from minigpt.cli.compare import Compare
from minigpt.cli.kernels import Kernels
from minigpt.cli.ladder import Ladder
from minigpt.cli.text import Prepare, Tokenizer
from minigpt.cli.train import Demo, Train
from minigpt.cli.use import Chat, Eval, Sample
from minigpt.runs import RunConfig
from minigpt.training.processes.distributed import is_main_process

COMMANDS: dict[str, type] = {
    "train": Train,
    "sample": Sample,
    "chat": Chat,
    "eval": Eval,
    "ladder": Ladder,
    "compare": Compare,
    "prepare": Prepare,
    "tokenizer": Tokenizer,
    "demo": Demo,
    "equations": Equations,
    "bench": Bench,
    "kernels": Kernels,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command; a mistake in the input is one line on stderr and exit status 2."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        command = tyro.cli(
            _union(words), prog="minigpt", args=words, description=mg.__doc__.splitlines()[0], registry=REGISTRY
        )
        with _plain_warnings():
            command()
    except BrokenPipeError:  # whoever read the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError, ImportError, FloatingPointError, MemoryError) as error:
        who = "minigpt" if is_main_process() else f"minigpt (rank {os.environ['RANK']})"
        print(f"{who}: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)


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


REGISTRY = tyro.constructors.ConstructorRegistry()


@REGISTRY.primitive_rule
def _optional(info: tyro.constructors.PrimitiveTypeInfo) -> Any:
    """``int | None`` is shown as an INT that is unset, and not as ``{None}|INT``; "None" can still be written."""
    kinds = get_args(info.type)
    if len(kinds) != 2 or kinds[1] is not type(None):
        return None
    given = tyro.constructors.ConstructorRegistry.get_primitive_spec(
        tyro.constructors.PrimitiveTypeInfo.make(kinds[0], info.markers)
    )
    if not isinstance(given, tyro.constructors.PrimitiveConstructorSpec):
        return None
    return dataclasses.replace(
        given,
        instance_from_str=lambda words: None if words == ["None"] else given.instance_from_str(words),
        is_instance=lambda value: value is None or given.is_instance(value),
        str_from_instance=lambda value: ["unset"] if value is None else given.str_from_instance(value),
    )


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
