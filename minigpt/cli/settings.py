"""How the command line sets a configuration, in two stages.

::

    --preset --recipe --task --config --resume ──> filled RunConfig ──> tyro, with that as its default ──> RunConfig

The first stage reads a few words and judges nothing; the second reads all of them again, so every mistake gets its
message, and ``--help`` shows the values that are really used.
"""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import tyro

from minigpt.runs import RunConfig
from minigpt.runs.config import BOTH, PARTS, RUN_FILE, check_format
from minigpt.runs.written import fillers_of, read_settings
from minigpt.settings import check_choice, kinds, rule_of
from minigpt.settings.checks import options_of

EMPTY_PATH = "an empty text '' names no file and no folder; leave the option out, or name one"
WRITTEN_DEFAULT = re.compile(r"\s*\(default: [^()]*\)")
FILLERS = ("preset", "recipe", "task", "from_pretrained", "config", "steps", "epochs")


@dataclass(frozen=True, kw_only=True)
class Start:
    """Start: where the settings come from; what is typed wins over them.

    Attributes:
        preset: size of the model: nano, micro, gpt2, gpt2-medium, gpt2-large, gpt2-xl or llama-tiny (default: nano).
        recipe: parts and settings that go together: gpt2, fast, as-written, or those of a task, which are named after
            it (default: those of the task, or gpt2).
        config: JSON or TOML file of settings, such as the run.json of a run folder.
    """

    preset: Annotated[str | None, tyro.conf.arg(help_behavior_hint="")] = None
    recipe: Annotated[str | None, tyro.conf.arg(help_behavior_hint="")] = None
    config: Path | None = None


class RefusedError(Exception):
    """A setting that does not fit; not a ValueError, which tyro would show in a box of its own."""


def start_from(words: Sequence[str], **fixed: Any) -> tuple[Start, RunConfig]:
    """The filled configuration that the words start from.

    Args:
        words: of the command line.
        fixed: settings that this command has in place of the recipe's.

    Raises:
        ValueError: if the preset, the recipe, the file or the choice of a part can't be used.
    """
    if not {"-h", "--help"} & set(words):
        _check_choices(words)
    said = {name: value for name, value in said_in(words, FILLERS).items() if value.lower() != "none"}
    if {"steps", "epochs"} <= said.keys():
        raise ValueError(f"--steps {said['steps']} and --epochs {said['epochs']} both {BOTH}")
    path = Path(said["config"]) if "config" in said else None
    start = Start(preset=said.get("preset"), recipe=said.get("recipe"), config=path)
    config = _filled(said, fixed) if path is None else _filled_by_file(path, said, fixed)
    return start, config.changed(epochs=None) if "steps" in said else config  # epochs are another way to say how many


def _check_choices(words: Sequence[str]) -> None:
    """Refuse an unknown choice with the nearest one, which tyro does not name."""
    fields = {name: kind for part in PARTS.values() for name, kind in kinds(part).items()}
    for name, value in said_in(words, list(fields)).items():
        (choice, *others) = options_of(fields[name])
        if get_origin(choice) is Literal and not others:
            check_choice(name, value, get_args(choice))


def _filled(said: Mapping[str, str | None], fixed: Mapping[str, Any]) -> RunConfig:
    names = {name: said.get(name) for name in ("preset", "recipe", "task", "from_pretrained")}
    return RunConfig.of(**{**fixed, **{name: value for name, value in names.items() if value is not None}})


def _filled_by_file(path: Path, said: Mapping[str, str], fixed: Mapping[str, Any]) -> RunConfig:
    table = read_settings(path)
    try:
        if path.name == RUN_FILE:
            check_format(table)
        names, settings = fillers_of(table)
        return _filled({**names, **said}, fixed).overlaid(settings)
    except ValueError as error:
        raise ValueError(f"{path} can't be used: {error}") from None


def said_in(words: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """The values of some options among the words, as text; an option without a value is left to the second stage."""
    found = {}
    for word, following in zip(words, [*words[1:], "--"], strict=True):
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--") and (key := name.replace("-", "_")) in names and (equals or following[:2] != "--"):
            found[key] = value if equals else following
    return found


def registry(shown: RunConfig | None = None) -> tyro.constructors.ConstructorRegistry:
    """How tyro reads and shows our types.

    Args:
        shown: the configuration whose rules are shown with their values.
    """
    rules = tyro.constructors.ConstructorRegistry()
    rules.primitive_rule(_optional)
    rules.primitive_rule(_path)
    rules.struct_rule(_Parts(RunConfig() if shown is None else shown))
    return rules


def _optional(info: tyro.constructors.PrimitiveTypeInfo) -> Any:
    """``int | None`` is shown as an INT whose default may be "none", which can be written, too; of more, the first."""
    kinds = get_args(info.type)
    if len(kinds) < 2 or kinds[-1] is not type(None):
        return None
    given = tyro.constructors.ConstructorRegistry.get_primitive_spec(
        tyro.constructors.PrimitiveTypeInfo.make(kinds[0], info.markers)
    )
    if not isinstance(given, tyro.constructors.PrimitiveConstructorSpec):
        return None
    return dataclasses.replace(
        given,
        choices=None if given.choices is None else (*given.choices, "none"),
        instance_from_str=lambda words: None if words in (["none"], ["None"]) else given.instance_from_str(words),
        is_instance=lambda value: value is None or given.is_instance(value),
        str_from_instance=lambda value: ["none"] if value is None else given.str_from_instance(value),
    )


def _path(info: tyro.constructors.PrimitiveTypeInfo) -> Any:
    """A path is not empty: ``Path("")`` would be the current folder."""
    if info.type is not Path:
        return None

    def read(words: list[str]) -> Path:
        if not words[0]:
            raise RefusedError(EMPTY_PATH)
        return Path(words[0])

    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="PATH",
        instance_from_str=read,
        is_instance=lambda value: isinstance(value, Path),
        str_from_instance=lambda value: [str(value)],
    )


class _Parts:
    """The rule for commands and the parts of a configuration.

    It shows one default of each field, in a part what a rule gives, and hides the vocabulary's size.
    """

    def __init__(self, shown: RunConfig) -> None:
        self.plan, self.busy = shown.resolved() if shown.source.from_pretrained is None else shown, False

    def __call__(self, info: tyro.constructors.StructTypeInfo) -> tyro.constructors.StructConstructorSpec | None:
        kind: Any = info.type
        if self.busy or not dataclasses.is_dataclass(kind) or not kind.__module__.startswith("minigpt."):
            return None
        name = next((name for name, part in PARTS.items() if kind is part), None)
        self.busy = True  # the next call asks for tyro's own rule
        try:
            spec = tyro.constructors.ConstructorRegistry.get_struct_spec(info)
        finally:
            self.busy = False
        assert isinstance(spec, tyro.constructors.StructConstructorSpec)
        if name is None:
            part: Any = kind
            own = kinds(part)
            return dataclasses.replace(spec, fields=tuple(_one_default(each, own[each.name]) for each in spec.fields))
        fields = tuple(self._shown(name, field) for field in spec.fields)
        return dataclasses.replace(spec, instantiate=_refusing(spec.instantiate), fields=fields)

    def _shown(self, part: str, field: tyro.constructors.StructFieldSpec) -> tyro.constructors.StructFieldSpec:
        kind: Any = kinds(PARTS[part])[field.name]
        if field.name == "vocab_size":  # it is the tokenizer's
            kind = Annotated[kind, tyro.conf.Suppress]
        rule = rule_of(PARTS[part], field.name)
        value = getattr(getattr(self.plan, part), field.name)
        if rule is not None and field.default is None and value is not None:
            number = f"{value:.4g}" if isinstance(value, float) else str(value)
            kind = Annotated[kind, tyro.conf.arg(help_behavior_hint=f"(default: {rule.formula} = {number})")]
            return dataclasses.replace(field, type=kind, helptext=WRITTEN_DEFAULT.sub("", _text_of(field)))
        return _one_default(field, kind)


def _one_default(field: tyro.constructors.StructFieldSpec, kind: Any) -> tyro.constructors.StructFieldSpec:
    """A field with the default that its docstring writes, which says what none means, or else with the value's own."""
    if not WRITTEN_DEFAULT.search(text := _text_of(field)):
        return dataclasses.replace(field, type=kind)
    if field.default not in (None, ()):
        return dataclasses.replace(field, type=kind, helptext=WRITTEN_DEFAULT.sub("", text))
    kind = Annotated[kind, tyro.conf.arg(help_behavior_hint="")]
    return dataclasses.replace(field, type=kind)


def _text_of(field: tyro.constructors.StructFieldSpec) -> str:
    """The help of a field; tyro may not have read it from the docstring yet."""
    return str(field.helptext() if callable(field.helptext) else field.helptext)


def _refusing(instantiate: Any) -> Any:
    def checked(**fields: Any) -> Any:
        try:
            return instantiate(**fields)
        except ValueError as error:
            raise RefusedError(str(error)) from None

    return checked
