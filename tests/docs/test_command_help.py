"""docs/_ext/command_help.py: the tables of options say what the help says, and what a recipe sets."""

import importlib
import re
from pathlib import Path

import pytest

from minigpt.cli import COMMANDS
from minigpt.runs import RunConfig

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")

HELP = """usage: minigpt x [-h] [OPTIONS] OUT

What it does, in
two lines.

╭─ positional arguments ─────────╮
│ OUT         the folder. (required) │
╰────────────────────────────────╯
╭─ options ──────────────────────╮
│ -h, --help  show this help message and exit │
│ --far-too-long-for-its-column INT │
│             number of things (default: none, │
│             they are given).   │
╰────────────────────────────────╯
╭─ part options ─────────────────╮
│ what the part is.              │
│ ────────────────────────────── │
│ --kind {a,b}  kind of | thing. (default: a) │
╰────────────────────────────────╯
"""


@pytest.fixture
def command_help(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    return importlib.import_module("command_help")


def test_the_boxes_of_a_help_become_groups_of_options(command_help):
    usage, about, groups = command_help.read(HELP)
    assert (usage, about) == ("usage: minigpt x [-h] [OPTIONS] OUT", "What it does, in two lines.")
    assert [(group.title, group.text) for group in groups] == [
        ("positional arguments", ""),
        ("options", ""),
        ("part options", "what the part is."),
    ]
    assert [(o.option, o.text, o.default) for group in groups for o in group.options] == [
        ("OUT", "the folder.", "required"),
        ("--far-too-long-for-its-column INT", "number of things", "none, they are given"),
        ("--kind {a,b}", "kind of | thing.", "a"),
    ]


def test_boxes_side_by_side_are_read_one_after_the_other(command_help):
    usage, boxes = HELP[: HELP.index("╭")], HELP[HELP.index("╭") :].rstrip().splitlines()
    width = max(map(len, boxes))
    beside = [f"{left:{width}}{right}" for left, right in zip(boxes[:3], boxes[3:6] + boxes[7:9], strict=False)]
    rest = [" " * width + line for line in boxes[6:9]]
    _, _, groups = command_help.read(usage + "\n".join([*beside, *rest]))
    assert [group.title for group in groups] == ["positional arguments", "options"]


def test_choices_stand_with_the_meaning_and_a_bar_does_not_end_a_cell(command_help):
    table = command_help.table([command_help.Option("--kind {a,b}", "kind of | thing.", "a")])
    assert table.splitlines()[-1] == r"| `--kind NAME` | kind of \| thing. One of `a`, `b`. | `a` |"


def test_an_option_named_in_a_sentence_is_code(command_help):
    shown = command_help.escaped("continue `run.json` in --out, a *path*, not a--b; see --eval-every.")
    assert shown == r"continue `run.json` in `--out`, a \*path\*, not a--b; see `--eval-every`."


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_in_the_help_of_a_command_has_a_row(command_help, name):
    text = command_help.help_of(name)
    wanted = re.findall(r"│ (--[\w-]+)", text)
    assert sorted(re.findall(r"^\| `(--[\w-]+)", command_help.section(name), re.MULTILINE)) == sorted(wanted)
    assert wanted or name == "chat"  # which has none


def test_the_defaults_of_train_are_those_of_the_configuration_that_it_runs(command_help):
    config = RunConfig.of().resolved()
    rows = dict(re.findall(r"^\| `(--[\w-]+)[^|]*\| .* \| `?(.*?)`? \|$", command_help.section("train"), re.MULTILINE))
    assert rows["--steps"] == str(config.training.steps)
    assert rows["--n-kv-heads"] == f"n_heads = {config.model.n_kv_heads}"
    assert rows["--warmup-steps"].endswith(f" = {config.training.warmup_steps}")


@pytest.mark.parametrize("name", ["gpt2", "fast", "as-written", "story", "translate", "qa", "dialogue"])
def test_the_table_of_recipes_has_what_a_run_of_each_resolves_to(command_help, name):
    head, _, *rows = command_help.recipe_table().splitlines()
    column = [cell.strip(" `") for cell in head.split("|")].index(name)
    shown = {cells[1].strip(" `"): cells[column].strip(" `") for cells in (row.split("|") for row in rows)}
    config = (
        RunConfig.of(recipe=name) if name in ("gpt2", "fast", "as-written") else RunConfig.of(task=name)
    ).resolved()
    assert float(shown["--learning-rate"]) == pytest.approx(config.training.learning_rate, rel=1e-3)
    assert shown["--position"] == config.model.position and shown["--optimizer"] == config.training.optimizer
    assert shown["--tokenizer"] == config.source.tokenizer and shown["--steps"] == str(config.training.steps)
