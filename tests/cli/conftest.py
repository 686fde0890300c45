"""Tiny runs of each kind, trained once for all tests of the command line, with what the training printed."""

import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest

from minigpt.training import History

sys.path.append(str(Path(__file__).parent))  # the tests import the module beside them
from tiny_runs import KINDS, SMALL, TEXTS, no_plot, printed_by


@pytest.fixture(scope="session")
def tiny_run(tmp_path_factory):
    """A function from a kind of run to its folder, its text and what `minigpt train` printed, once."""
    home, runs = tmp_path_factory.mktemp("runs"), {}
    for name, text in TEXTS.items():
        (home / f"{name}.txt").write_text(text, encoding="utf-8")

    def run(kind):
        if kind not in runs:
            words = [str(home / word) if word.endswith(".txt") else word for word in KINDS[kind]]
            out = home / kind
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(import_module("minigpt.text.tinyworld.phrases"), "READ", 100)
                patch.setattr(import_module("minigpt.runs.splits"), "VALIDATED", 4)
                patch.setattr(History, "plot", no_plot)
                printed = printed_by(["train", *words, "--steps", "2", "--batch-size", "2", "--out", str(out), *SMALL])
            text = TEXTS.get("names" if kind.startswith("documents") else kind.removesuffix("-bpe"), "")
            runs[kind] = SimpleNamespace(
                out=out, text=text, printed=printed, next=printed.partition("next:")[2].strip()
            )
        return runs[kind]

    return run
