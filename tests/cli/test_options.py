import dataclasses
import inspect
import re
from typing import get_args, get_type_hints

import pytest

from minigpt.cli import COMMANDS, main
from minigpt.cli.options import command_options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("train --lerning-rate 3", "--lerning-rate; did you mean --learning-rate?"),
        ("train --stpes=3", "--stpes; did you mean --steps?"),
        ("compare optimizer=adamw --d_modle 8", "--d_modle; did you mean --d-model?"),
        ("prepare texts --ot data", "--ot; did you mean --out?"),
        ("sample --promt once", "--promt; did you mean --prompt?"),
        ("runs --jsn", "--jsn; did you mean --json?"),
        ("train --no-docments", "--no-docments; did you mean --no-documents?"),
        ("train --qqqq", "--qqqq"),
        ("train --vocab-size 9", "--vocab-size; the tokenizer decides it: --tokenizer bpe:1024"),
    ],
)
def test_a_mistyped_option_is_two_lines_that_name_the_nearest(words, said, capsys):
    with pytest.raises(SystemExit) as caught:
        main(words.split())
    assert caught.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"minigpt: there is no option {said}", f"minigpt {words.split()[0]} --help lists the options"]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_options_of_a_command_are_those_that_its_help_shows(name, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")  # wider, the boxes stand side by side
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = set(re.findall(r"^[│ ]*(?:-h, )?(--[a-z][a-z0-9-]*)(?:, (--no-[a-z-]+))?", capsys.readouterr().out, re.M))
    assert {option for both in shown for option in both if option} - {"--help"} == set(command_options(COMMANDS[name]))


@pytest.mark.parametrize("words", [["sample", "nowhere", "--prompt=--so"], ["sample", "nowhere", "--top_k", "3"]])
def test_a_value_with_dashes_and_a_name_with_underscores_are_no_mistake(words, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert "there is no folder nowhere" in capsys.readouterr().err


def parts_of(command, found):
    """A command and the configurations in its fields, whose docstrings are its help."""
    if dataclasses.is_dataclass(command) and command not in found:
        found.append(command)
        for kind in get_type_hints(command).values():
            for part in (kind, *get_args(kind)):
                parts_of(part, found)
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_no_line_of_a_help_text_begins_with_a_sign_which_would_break_the_paragraph_there(name):
    for part in parts_of(COMMANDS[name], []):
        entries = inspect.cleandoc(part.__doc__).partition("Attributes:\n")[2].partition("\n\n")[0]
        assert not re.findall(r"^ {8}[^\sA-Za-z].*", entries, re.M), part.__name__


@pytest.mark.parametrize("name", ["bench", "sample", "chat"])
def test_a_default_says_something_and_the_help_has_no_markup(name, capsys):
    with pytest.raises(SystemExit):
        main([name, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: )" not in shown and not re.search(r":[a-z]+:`|``", shown)
