"""The command that compares training strategies: `minigpt compare`."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import tyro

import minigpt as mg
from minigpt.cli.output import as_json, print_json, reason_of, save_picture
from minigpt.cli.settings import Start, start_from
from minigpt.files.atomic import write_atomically
from minigpt.files.verified import check_place
from minigpt.runs import RunConfig
from minigpt.runs.comparison import check_comparable
from minigpt.runs.config import PARTS, part_of
from minigpt.settings import kinds

Switches = Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="NAME=VALUE,VALUE,...")]
OUT = Path("runs/compare")
STEPS = 300


@dataclass(frozen=True, kw_only=True)
class Compare:
    """Train with different settings, from the same data and tokens, with several seeds; a table and a plot.

    For example: `minigpt compare optimizer=adamw,muon,lion --seeds 3 --steps 300`. A switch is any setting of the model
    or the training, a preset or a recipe, with values to compare; several switches are combined in every way.

    What an earlier comparison left in the folder is kept: the next writes compare-2.json and compare-2.png.

    Attributes:
        switches: settings and their values: learning_rate=1e-3,2e-3 or position=learned,rope-half,alibi.
        start: where the settings come from.
        run: what all runs share; where a switch changes the tokens of an update, the number of steps follows.
        seeds: number of seeds that each setting is run with.
        json: print the figures as JSON, and nothing else.
    """

    switches: Switches
    start: Start = field(default_factory=Start)
    run: Annotated[RunConfig, tyro.conf.arg(name="")] = field(
        default_factory=lambda: RunConfig.of(steps=STEPS, out=OUT)
    )
    seeds: int = 3
    json: bool = False

    @classmethod
    def started(cls, words: Sequence[str]) -> Self:
        """The defaults that the words start from."""
        start, run = start_from(words, steps=STEPS, out=OUT)
        return cls(switches=tyro.MISSING, start=start, run=run)

    def __call__(self) -> None:
        """Print the table, draw the curves and keep the figures."""
        switches = [parse_switch(text) for text in self.switches]
        if twice := {name for name, _ in switches if [each for each, _ in switches].count(name) > 1}:
            raise ValueError(f"{', '.join(sorted(twice))} is given twice; put all its values into one NAME=VALUE,VALUE")
        check_place(self.run.out, folder=True)
        comparison = mg.compare(dict(switches), self.run, seeds=self.seeds, progress=not self.json)
        figures = {"switches": self.switches, **dataclasses.asdict(comparison)}
        if self.json:
            print_json(figures)
        else:
            print(comparison)
        kept = _write_new(self.run.out, as_json(figures))
        if not self.json:
            print(f"figures: {kept}")
            picture = save_picture(comparison.plot, kept.with_suffix(".png"), kept=f"the figures are kept in {kept}")
            print(f"picture: {picture}")
        if comparison.n_missing:
            raise KeyboardInterrupt  # the exit status is that of other commands at Ctrl-C


def _write_new(out: Path, figures: str) -> Path:
    """Write compare.json; compare-2.json, compare-3.json, … where there was a comparison before, which is kept.

    Raises:
        OSError: if it can't be written; nothing of it is left.
    """
    path = out / "compare.json"
    try:
        out.mkdir(parents=True, exist_ok=True)
        path = _new_file(out)
        with _deleted_on_failure(path):
            write_atomically(path, figures.encode())
    except OSError as error:
        reason = reason_of(error)
        raise OSError(f"{path} was not written ({reason}); the figures are those printed above") from None
    return path


def _new_file(out: Path) -> Path:
    """An empty file under the first free name, so that another comparison that ends now takes the next one."""
    for n in count(1):
        path = out / ("compare.json" if n == 1 else f"compare-{n}.json")
        if not path.with_suffix(".png").exists():
            with suppress(FileExistsError):
                path.touch(exist_ok=False)
                return path
    raise AssertionError


@contextmanager
def _deleted_on_failure(path: Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def parse_switch(text: str) -> tuple[str, list[Any]]:
    """The name and the values of ``NAME=VALUE,VALUE,…``, in the type of the setting.

    Raises:
        ValueError: if the text has another form, the name can't be compared, or a value does not fit it.
    """
    name, equals, values = text.partition("=")
    name = name.removeprefix("--").replace("-", "_")
    if not equals:
        raise ValueError(f"{text!r} is not a setting with values; write NAME=VALUE,VALUE as in optimizer=adamw,muon")
    check_comparable(name)
    kind = str if name in ("preset", "recipe") else kinds(PARTS[part_of(name)])[name]
    return name, [_parse(name, value, kind) for value in values.split(",")]


def _parse(name: str, value: str, kind: Any) -> Any:
    bare = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    options = (bare,) if get_origin(bare) is Literal else get_args(bare) or (bare,)
    words: dict[str, Any] = {"none": None} if NoneType in options else {}
    words |= {"true": True, "false": False} if bool in options else {}
    words |= {choice: choice for option in options[1:] for choice in get_args(option)}
    if value.lower() in words:
        return words[value.lower()]
    if str in options or get_origin(options[0]) is Literal:
        return value
    for number in (int, float):
        try:
            if number in options:
                return number(value)
        except ValueError:
            continue
    expected = " or ".join(_word(option) for option in options)
    raise ValueError(f"{name}={value} does not fit; expected {expected}")


def _word(option: Any) -> str:
    return "none" if option is NoneType else " or ".join(get_args(option)) or option.__name__
