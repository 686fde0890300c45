"""The command that compares training strategies: `minigpt compare`."""

import dataclasses
import json
import typing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

import minigpt as mg
from minigpt.runs import RunConfig

Switches = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME=VALUE,VALUE,...")]


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Train with different strategies, from the same data and tokens, with several seeds; a table and a plot.

    For example: `minigpt compare optimizer=adamw,muon,lion --seeds 3 --steps 300`. A switch is any setting of `minigpt
    train` with values to compare; several switches are combined in every way.

    Attributes:
        switches: settings and their values: learning_rate=1e-3,2e-3 or compile=true,false.
        seeds: how often each strategy is run.
        also: settings that all runs share, as in --also recipe=fast batch_size=32.
        text: a UTF-8 text file or a folder of them.
        corpus: a corpus by name, used where no text is given.
        tokenizer: "char", "bpe:1024" (trained here), "gpt2", or a saved tokenizer's file.
        preset: the size: "nano", "micro", "gpt2", …
        steps: how many updates; where a switch changes the tokens of an update, their number follows.
        device: "auto", "cpu", "cuda", "cuda:1", "mps", …
        out: a folder for compare.png and compare.json.
    """

    switches: Switches
    seeds: int = 3
    also: tuple[str, ...] = ()
    text: Path | None = None
    corpus: str = "python-docs"
    tokenizer: str = "char"
    preset: str = "nano"
    steps: int = 300
    device: str = "auto"
    out: Path = Path("runs/compare")

    def __call__(self) -> None:
        """Print the table, draw the curves and keep the figures."""
        names = ("text", "corpus", "tokenizer", "preset", "steps", "device")
        shared = {name: values[0] for name, values in map(parse_switch, self.also)}
        config = RunConfig(**{**{name: getattr(self, name) for name in names}, **shared})
        comparison = mg.compare(dict(map(parse_switch, self.switches)), config, seeds=self.seeds)
        print(comparison)
        self.out.mkdir(parents=True, exist_ok=True)
        figures = {"switches": self.switches, **dataclasses.asdict(comparison)}
        (self.out / "compare.json").write_text(json.dumps(figures, indent=1), encoding="utf-8")
        print(f"figures: {self.out / 'compare.json'}")
        try:
            comparison.plot().savefig(self.out / "compare.png")
            print(f"picture: {self.out / 'compare.png'}")
        except ImportError as error:
            print(f"picture: {error}")


def parse_switch(text: str) -> tuple[str, list[Any]]:
    """The name and the values of ``NAME=VALUE,VALUE,…``, in the types of ``RunConfig``.

    Raises:
        ValueError: if the text has another form, the name is no setting, or a value does not fit it.
    """
    name, equals, values = text.partition("=")
    name = name.replace("-", "_")
    types = typing.get_type_hints(RunConfig)
    if not equals or name not in types:
        raise ValueError(f"{text!r} is no setting with its values; write NAME=VALUE,VALUE as in optimizer=adamw,muon")
    return name, [_parse(name, value, types[name]) for value in values.split(",")]


def _parse(name: str, value: str, kind: Any) -> Any:
    kinds = typing.get_args(kind) or (kind,)
    words: dict[str, Any] = {"none": None} if type(None) in kinds else {}
    words |= {"true": True, "false": False} if bool in kinds else {}
    if value.lower() in words:
        return words[value.lower()]
    for parse in (int, float, str, Path):
        try:
            if parse in kinds:
                return parse(value)
        except ValueError:
            continue
    expected = " or ".join("none" if kind is type(None) else kind.__name__ for kind in kinds)
    raise ValueError(f"{name}={value} does not fit; expected {expected}")
