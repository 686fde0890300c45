"""One configuration of a run: what to read, which model, how it is trained, and where the run is kept.

::

    preset, recipe ──> what is set ──> RunConfig ──> resolved: vocabulary, steps and rules ──> run.json

No field is declared here twice: the parts are :class:`Source`, :class:`minigpt.GPTConfig` and
:class:`minigpt.TrainConfig`. A preset and a recipe fill their fields; a field that follows a rule stays ``None`` until
the configuration is resolved.
"""

import dataclasses
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from minigpt.files.json_object import read_object
from minigpt.files.paths import as_path
from minigpt.model import GPTConfig
from minigpt.pretrained import pretrained_config
from minigpt.runs.recipes import DEFAULT, RECIPES
from minigpt.runs.recipes import recipe as recipe_of
from minigpt.runs.source import Source
from minigpt.settings import check_types, fit, kinds, nearest, overlaid, shown, to_object, values
from minigpt.training import TrainConfig
from minigpt.training.config import MOST_STEPS

RUN_FORMAT = 2  # of run.json
RUN_FILE = "run.json"
OTHERWISE = "use the version of minigpt that wrote it, or start a new run"
SETTINGS_LIMIT = 2**20  # bytes of a file of settings
PARTS = {"source": Source, "model": GPTConfig, "training": TrainConfig}
BOTH = "say how long to train; give one of them"
# What may be chosen of a pretrained model: shorter rows leave it as it is.
FREE_OF_PRETRAINED = ("context_length", "dropout", "attention", "vocab_size", "initialisation", "init_std")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """What to train, on what, and how.

    :meth:`of` makes one from plain keywords, a preset and a recipe.

    Attributes:
        source: what to read, and how it becomes tokens.
        model: the shape and the parts of the GPT; its vocabulary is that of the tokenizer when the run is prepared.
        training: how it is trained.
        out: run folder.
    """

    source: Source = field(default_factory=Source)
    model: GPTConfig = field(default_factory=lambda: GPTConfig.preset("nano"))
    training: TrainConfig = field(default_factory=lambda: TrainConfig(**RECIPES[DEFAULT].training))
    out: Path = Path("runs/default")

    def __post_init__(self) -> None:
        check_types(self)

    @classmethod
    def of(cls, *, preset: str | None = None, recipe: str | None = None, **settings: Any) -> Self:
        """The configuration of a preset and a recipe, with any field of any part changed.

        For example ``RunConfig.of(recipe="fast", text="my.txt", n_layers=6, steps=500)``.

        Args:
            preset: size of the model: "nano", "micro", "gpt2", …; ``None`` means "nano".
            recipe: the parts and settings that go together; ``None`` means those of the task, or of "gpt2".
            settings: fields of the source, the model, the training, and ``out``; they win over preset and recipe.

        Raises:
            ValueError: if a name or a value is unknown, or the values do not fit each other.
        """
        given = _by_part(settings)
        task, pretrained = (_fitted(settings, name) for name in ("task", "from_pretrained"))
        if task is not None:
            Source(task=task)
        named = recipe if recipe is not None else task
        chosen = recipe_of(DEFAULT if named is None else named)
        parts = {} if named is None else dict(chosen.model)
        if pretrained is not None and preset is not None:
            raise ValueError(f"the model in {pretrained} has a size of its own, so preset={preset!r} can't be chosen")
        shape = (
            GPTConfig.preset("nano" if preset is None else preset)
            if pretrained is None
            else pretrained_config(pretrained)
        )
        source = dict(chosen.source) | ({} if pretrained is None else {"tokenizer": None})
        return cls(
            source=Source(**source | given["source"]),
            model=dataclasses.replace(shape, **parts | given["model"]),
            training=TrainConfig(**dict(chosen.training) | given["training"]),
            **given["out"],
        )

    def changed(self, **settings: Any) -> Self:
        """A copy with fields of any part changed.

        Raises:
            ValueError: as :meth:`of`.
        """
        given = _by_part(settings)
        parts = {name: dataclasses.replace(getattr(self, name), **given[name]) for name in PARTS if given[name]}
        return dataclasses.replace(self, **parts, **given["out"])

    def overlaid(self, table: Mapping[str, Any]) -> Self:
        """A copy with the values of a JSON or TOML object, whose parts are "source", "model" and "training".

        Steps take the place of epochs. The ``run.json`` of a run may hold both, since the steps are those that its
        epochs came to.

        Raises:
            ValueError: naming the field that is unknown, is in the wrong place or has a value of another type, or the
                format; or if it gives both steps and epochs.
        """
        if not isinstance(table, Mapping):
            raise ValueError(f"settings must be a table with the parts {', '.join(PARTS)}, got {shown(table)}")
        if "format" in table:
            check_format(table)
        for name in [name for name in table if name not in (*PARTS, "format", "out")]:
            part = part_of(name, PARTS)
            raise ValueError(f'{name} belongs under {part}: [{part}] in TOML, or "{part}": {{…}} in JSON')
        filled = overlaid(self, {name: value for name, value in table.items() if name != "format"})
        if {"format", *PARTS} <= table.keys():  # of a run
            return filled
        given = {name: value for part in PARTS for name, value in values(getattr(filled, part)).items()}
        named = {name for part in PARTS for name in table.get(part, {})}
        return filled.changed(**{name: given[name] for name in ("steps", "epochs") if name in named})

    def resolved(self, *, vocab_size: int | None = None, steps: int | None = None) -> Self:
        """The plan: the tokenizer's vocabulary, the steps of the epochs, and a value for each rule.

        Args:
            vocab_size: V of the tokenizer; ``None`` keeps the model's, and so does a pretrained model.
            steps: number of updates that the epochs come to; ``None`` keeps the training's.

        Raises:
            ValueError: if a part of a pretrained model would change.
        """
        if self.source.from_pretrained is not None:
            _check_pretrained(self, self.source.from_pretrained)
        model, training = self.model, self.training
        if vocab_size is not None and self.source.from_pretrained is None:
            model = dataclasses.replace(model, vocab_size=vocab_size)
        if steps is not None:
            _check_epochs(self, steps)
            training = dataclasses.replace(training, steps=steps)
        return dataclasses.replace(self, model=model.resolved(), training=training.resolved(model.d_model))

    def to_json(self) -> str:
        """What ``run.json`` keeps: the parts and the format; the folder is where the file is."""
        return json.dumps({"format": RUN_FORMAT, **{name: to_object(self)[name] for name in PARTS}}, indent=1)

    @classmethod
    def read(cls, out: Path | str) -> Self:
        """The configuration that a run folder was started with.

        Raises:
            ValueError: if the folder holds no run, or its ``run.json`` can't be used.
        """
        path = as_path(out, "out") / RUN_FILE
        if not path.exists():
            raise ValueError(f"{out} holds no run (there is no {path}); start one with `minigpt train --out {out}`")
        table = read_object(path, limit=SETTINGS_LIMIT)
        try:
            if "out" in table:
                raise ValueError("it names a folder of its own (out), and the run is in the folder that holds it")
            check_format(table)
            if missing := [name for name in PARTS if name not in table]:
                raise ValueError(f"it lacks {', '.join(missing)}")
            return cls(out=Path(out)).overlaid(table)
        except ValueError as error:
            raise ValueError(f"{path} can't be used: {error}") from None


def check_format(table: Mapping[str, Any]) -> None:
    """Refuse the settings of a run that another version of minigpt wrote.

    Args:
        table: what ``run.json`` holds.

    Raises:
        ValueError: naming its format and ours, and what to do.
    """
    if "format" not in table:
        raise ValueError(f"it has no format, so it is older than the {RUN_FORMAT} that this minigpt reads; {OTHERWISE}")
    found = table["format"]
    if not isinstance(found, int) or isinstance(found, bool):
        raise ValueError(f"it has format {shown(found)}, which is not a format of minigpt, a whole number")
    if found != RUN_FORMAT:
        age = "an older" if found < RUN_FORMAT else "a newer"
        reads = f"{age} one than the {RUN_FORMAT} that this minigpt reads"
        raise ValueError(f"it has format {shown(found)}, {reads}; {OTHERWISE}")


def part_of(name: str, others: Collection[str] = ()) -> str:
    """The part of a :class:`RunConfig` that has a field of this name; "out" for the folder.

    Args:
        name: of a field.
        others: names that may also be meant, beside those of the fields.

    Raises:
        ValueError: if there is none; it names the nearest.
    """
    if name == "out":
        return name
    for part, kind in PARTS.items():
        if name in kinds(kind):
            return part
    known = [*others, *(each for kind in PARTS.values() for each in kinds(kind))]
    raise ValueError(f"{str(name)[:100]} is not a setting{nearest(str(name), known)}")


def _by_part(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    given: dict[str, dict[str, Any]] = {name: {} for name in (*PARTS, "out")}
    for name, value in settings.items():
        given[part_of(name)][name] = value
    if settings.get("steps") is not None:  # epochs are another way to say how many
        if settings.get("epochs") is not None:
            raise ValueError(f"steps={settings['steps']!r} and epochs={settings['epochs']!r} both {BOTH}")
        given["source"].setdefault("epochs", None)
    return given


def _fitted(settings: Mapping[str, Any], name: str) -> Any:
    """A field of the source, in its type, before there is a source."""
    return fit(name, settings.get(name), kinds(Source)[name])


def _check_epochs(config: RunConfig, steps: int) -> None:
    if steps > MOST_STEPS:
        raise ValueError(
            f"epochs={config.source.epochs} over this text are {steps:,} steps of {config.training.batch_size} "
            f"sequences; at most {MOST_STEPS:,} can be trained: choose fewer epochs"
        )


def _check_pretrained(config: RunConfig, folder: Path) -> None:
    own, wanted = (to_object(model.resolved()) for model in (pretrained_config(folder), config.model))
    free = (*FREE_OF_PRETRAINED, *(["rope_original_context"] if own["rope_scaling"] == "none" else []))
    other = [f"{name}={wanted[name]!r}" for name in own if wanted[name] != own[name] and name not in free]
    if other:
        raise ValueError(f"the model in {folder} has parts of its own, so {', '.join(other)} can't be chosen")
