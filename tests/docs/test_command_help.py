"""docs/_ext/command_help.py: what each command prints, in lines that fit."""

import importlib
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="the site needs Sphinx: install the docs extra")


@pytest.fixture
def command_help(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).parents[2] / "docs" / "_ext")
    return importlib.import_module("command_help")


def test_a_long_paragraph_is_wrapped_and_an_option_is_left_alone(command_help):
    lines = command_help.wrapped("word " * 40).split("\n")
    assert len(lines) > 1 and max(map(len, lines)) <= command_help.COLUMNS
    option = f" --steps INT{' ' * 10}{'word ' * 40}"
    assert command_help.wrapped(option) == option
