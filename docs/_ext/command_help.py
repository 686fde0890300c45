"""Sphinx extension: ``command-help`` shows the options of each command as tables, ``recipe-values`` those of recipes.

The tables are read from what ``minigpt COMMAND --help`` prints, so that they show its options, words and defaults.
"""

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from minigpt.cli import COMMANDS, main
from minigpt.runs import RunConfig
from minigpt.runs.config import PARTS
from minigpt.runs.recipes import RECIPES
from minigpt.settings import values
from minigpt.text.tinyworld import TASKS

COLUMNS = 4000  # so wide that no help text wraps
DEFAULT = re.compile(r"\s*\((?:default: (?P<value>.*)|(?P<required>required))\)\.?$")
CHOICES = re.compile(r"\{([^}]*)\}")
OWN = ("positional arguments", "options")  # the boxes of what the command itself declares
ROW = re.compile(r"(?P<option>(?:\S| (?! ))+)(?: {2,}(?P<text>.*))?")


@dataclass
class Option:
    """One line of the help: how the option is written, what it is, and its default, or an empty text."""

    option: str
    text: str = ""
    default: str = ""


@dataclass
class Group:
    """A box of the help."""

    title: str
    text: str = ""
    options: list[Option] = field(default_factory=list)


class CommandHelp(SphinxDirective):
    """Writes a section for each command in MyST and lets the page's own parser read it."""

    def run(self) -> list[nodes.Node]:
        """The sections; read anew in every build, since the page's own file does not tell of a change."""
        self.env.note_reread()
        text = "\n".join(section(name) for name in COMMANDS)
        return self.parse_text_to_nodes(text, allow_section_headings=True)


class RecipeValues(SphinxDirective):
    """Writes a table of the settings in which recipes differ."""

    def run(self) -> list[nodes.Node]:
        """The table, from the resolved configuration of each recipe."""
        self.env.note_reread()
        return self.parse_text_to_nodes(recipe_table())


def section(name: str) -> str:
    """The title, the description and the tables of one command: its own arguments first, then each part's."""
    usage, about, groups = read(help_of(name))
    own = [option for group in groups if group.title in OWN for option in group.options]
    parts = [group for group in groups if group.title not in OWN]
    titled = [f"### {name}: {part.title}\n\n{escaped(part.text)}\n\n{table(part.options)}" for part in parts]
    text = f"## minigpt {name}\n\n{escaped(about)}\n\n```text\n{usage}\n```\n"
    return "\n".join([text, table(own), *titled])


def help_of(name: str) -> str:
    """The help of one command, without colours, each text on one line."""
    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # which can hold the boxes
    width = {"COLUMNS": str(COLUMNS), "NO_COLOR": "1"}
    with patch.dict(os.environ, width), redirect_stdout(printed), suppress(SystemExit):
        main([name, "--help"])
    printed.flush()
    return printed.buffer.getvalue().decode()  # type: ignore[attr-defined]


def read(text: str) -> tuple[str, str, list[Group]]:
    """The usage, the description and the groups of options in a help text."""
    usage, *paragraphs = re.split(r"\n\s*\n", text.split("╭")[0].strip())
    groups = [group_of(box) for box in in_one_column(text).split("╭")[1:]]
    return usage, " ".join(" ".join(paragraphs).split()), groups


def in_one_column(text: str) -> str:
    """The boxes of a help text one below the other: a long help has them in several columns."""
    lines = text.splitlines()
    top = next((number for number, line in enumerate(lines) if line.startswith("╭")), len(lines))
    starts = [place for place, sign in enumerate("".join(lines[top : top + 1])) if sign == "╭"]
    columns = [slice(start, end) for start, end in zip(starts, [*starts[1:], None], strict=True)]
    return "\n".join(line[column].rstrip() for column in columns for line in lines[top:])


def group_of(box: str) -> Group:
    """A box: its title, its text, and its options without ``--help``, which every command has."""
    title, *lines = box.splitlines()
    inside = [line.removeprefix("│ ").removesuffix("│").rstrip() for line in lines if line.startswith("│")]
    group = Group(title.strip("─ ╮"))
    rule = next((number for number, line in enumerate(inside) if line.startswith("──")), -1)
    group.text = " ".join(line.strip() for line in inside[:rule]) if rule >= 0 else ""
    group.options = [option for option in options_of(inside[rule + 1 :]) if not option.option.startswith("-h,")]
    return group


def options_of(lines: list[str]) -> Iterator[Option]:
    """The options of a box; an indented line continues the one above it."""
    rows: list[tuple[str, str]] = []
    for line in lines:
        if line.startswith("  "):
            rows[-1] = (rows[-1][0], f"{rows[-1][1]} {line.strip()}".strip())
        elif found := ROW.fullmatch(line):
            rows.append((found["option"], found["text"] or ""))
    for option, text in rows:
        default = DEFAULT.search(text)
        value = (default["value"] or default["required"] or "") if default else ""
        yield Option(option, text[: default.start()] if default else text, value)


def table(options: list[Option]) -> str:
    """The options, one a row; the words to choose from stand with the meaning."""
    rows = ["| option | what it is | default |", "| --- | --- | --- |"]
    for option in options:
        choices = CHOICES.search(option.option)
        written = CHOICES.sub("NAME", option.option)
        words = f" One of {', '.join(map(code, choices[1].split(',')))}." if choices else ""
        rows.append(f"| {code(written)} | {escaped(option.text)}{words} | {default_of(option)} |")
    return "\n".join(rows) + "\n"


def default_of(option: Option) -> str:
    """A value or a rule as code, and words as words."""
    is_words = " " in option.default and not re.search("[='*]", option.default)
    return escaped(option.default) if is_words or option.default == "required" else code(option.default)


def recipe_table() -> str:
    """Each setting that is not the same for all recipes, with its resolved value in each."""
    columns = {name: resolved(name) for name in RECIPES}
    rows = [
        f"| {code(option)} | " + " | ".join(code(each[option]) for each in columns.values()) + " |"
        for option in next(iter(columns.values()))
        if len({each[option] for each in columns.values()}) > 1
    ]
    head = f"| option | {' | '.join(map(code, columns))} |\n| {'--- | ' * (len(columns) + 1)}\n"
    return head + "\n".join(rows) + "\n"


def resolved(name: str) -> dict[str, str]:
    """The settings of a recipe by option, after its rules are resolved; the recipe of a task with its task."""
    chosen = RunConfig.of(task=name) if name in TASKS else RunConfig.of(recipe=name)
    config = chosen.resolved()
    return {
        f"--{field.replace('_', '-')}": written(value)
        for part in PARTS
        for field, value in values(getattr(config, part)).items()
        if field not in ("vocab_size", "rate_at_128")  # the tokenizer's; and what the learning rate was made from
    }


def written(value: object) -> str:
    """A value as the command line takes it.

    >>> written(None), written(0.002), written(True)
    ('none', '0.002', 'True')
    """
    return "none" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def code(text: str) -> str:
    """A literal in the cell of a table; nothing for an empty text."""
    return f"`{text.replace('|', chr(92) + '|')}`" if text else ""


def escaped(text: str) -> str:
    r"""A sentence in which Markdown reads nothing but literals in backticks; an option becomes one.

    >>> escaped("the *run* in --out")
    'the \\*run\\* in `--out`'
    """
    pieces = re.split(r"(`[^`]*`)", re.sub(r"(?<![\w`-])(--\w[\w=-]*)", r"`\1`", text))
    return "".join(p if p.startswith("`") else re.sub(r"([\\*_$<>\[\]|{}#])", r"\\\1", p) for p in pieces)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("command-help", CommandHelp)
    app.add_directive("recipe-values", RecipeValues)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
