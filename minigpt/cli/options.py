"""The options of a command, so that one that is mistyped is answered in two lines."""

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, get_args, get_origin

import tyro

from minigpt.model import GPTConfig
from minigpt.settings import kinds, nearest

ELSEWHERE = {"--vocab-size": "; the tokenizer decides it: --tokenizer bpe:1024"}  # what other options do


def check_options(name: str, command: type, words: Sequence[str]) -> None:
    """Refuse an option that the command does not have, before tyro answers with a page.

    Args:
        name: of the command.
        command: its dataclass.
        words: that follow the name.

    Raises:
        ValueError: naming the option, the nearest that exists, and where all are listed.
    """
    known = {"--help", *command_options(command)}
    for word in words:
        option = word.partition("=")[0]
        if word == "--" or not word.startswith("--") or option.startswith("--tyro-"):
            continue
        if option.replace("_", "-") not in known:
            hint = ELSEWHERE.get(option.replace("_", "-")) or nearest(option, known)
            raise ValueError(f"there is no option {option[:100]}{hint}\nminigpt {name} --help lists the options")


def command_options(command: type) -> Iterator[str]:
    """The options of a command: its fields and those of its parts, a switch in both forms.

    Args:
        command: a dataclass.
    """
    for name, kind in kinds(command).items():
        beside = get_args(kind)[1:] if get_origin(kind) is Annotated else ()
        bare: Any = get_args(kind)[0] if beside else kind
        if dataclasses.is_dataclass(bare):
            yield from command_options(bare)  # type: ignore[arg-type]
        elif tyro.conf.Positional not in beside and (command, name) != (GPTConfig, "vocab_size"):
            option = name.replace("_", "-")
            yield f"--{option}"
            if bare is bool:
                yield f"--no-{option}"


def spelled_out(words: Sequence[str]) -> list[str]:
    """The words of a command line with ``--compile`` and ``--no-compile`` of a run as values: there is a third.

    Args:
        words: the name of the command, and its options.
    """
    if words[0] == "bench":  # whose --compile is a switch
        return list(words)
    spelled: list[str] = []
    for i, word in enumerate(words):
        if word in ("--compile", "--no-compile"):
            alone = i + 1 == len(words) or words[i + 1].startswith("-")
            spelled += ["--compile", *(["False"] if word == "--no-compile" else ["True"] if alone else [])]
        else:
            spelled.append(word)
    return spelled
