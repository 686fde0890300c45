"""Every example that README and the site show works as it is shown.

The ``python`` blocks of a page run in order, in one namespace and an empty folder; an ``output`` block is what the one
above it must print, with ``...`` for anything. The ``minigpt`` lines of its shell blocks are parsed by the real
command. A block below ``<!-- no-run: the reason -->`` is left out.
"""

import contextlib
import doctest
import importlib
import io
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from unittest.mock import patch

import pytest

import minigpt as mg
from minigpt.checks import CHECKS
from minigpt.equations.registry import _registry
from minigpt.model import ATTENTION

ROOT = Path(__file__).parents[2]
FENCED = re.compile(
    r"^(?:<!-- no-run: (?P<reason>.+?) -->\n+)?(?P<fence>`{3,})(?P<language>\w+)\n(?P<text>.*?)^(?P=fence)$",
    re.DOTALL | re.MULTILINE,
)
VARIABLE = re.compile(r"[A-Z_]+=")
SHELL = ("bash", "console", "sh", "shell")


@dataclass(frozen=True)
class Block:
    """A fenced block that is meant to run, and the line of its first line."""

    language: str
    text: str
    line: int


def pages() -> list[Path]:
    """README and every page of the site that is written by hand."""
    built = {"_build", "node_modules"}
    found = [path for path in (ROOT / "docs").rglob("*.md") if not built & set(path.relative_to(ROOT).parts)]
    return [ROOT / "README.md", *sorted(found)]


def blocks(text: str) -> list[Block]:
    """The blocks of a page that are not marked ``no-run``."""
    return [
        Block(match["language"], match["text"], text.count("\n", 0, match.start("text")) + 1)
        for match in FENCED.finditer(text)
        if not match["reason"]
    ]


def command_lines(text: str) -> Iterator[tuple[dict[str, str], list[str]]]:
    """The variables and the words of each ``minigpt`` line in the shell blocks, its continuation lines joined."""
    for block in blocks(text):
        if block.language in SHELL:
            for line in block.text.replace("\\\n", " ").splitlines():
                words = shlex.split(line.removeprefix("$ "), comments=True)
                named = list(takewhile(VARIABLE.match, words))
                if words[len(named) :][:1] == ["minigpt"]:
                    yield dict(word.split("=", 1) for word in named), words[len(named) + 1 :]


def run_python(text: str, path: Path) -> None:
    """Run the ``python`` blocks of a page; a traceback shows the page's own lines."""
    namespace: dict[str, object] = {"__name__": "__page__"}
    printed = io.StringIO()
    for block in blocks(text):
        if block.language == "python":
            with contextlib.redirect_stdout(printed := io.StringIO()):
                exec(compile("\n" * (block.line - 1) + block.text, path, "exec"), namespace)
        elif block.language == "output":
            agrees = doctest.OutputChecker().check_output(block.text, printed.getvalue(), doctest.ELLIPSIS)
            assert agrees, f"{path}:{block.line} does not show what was printed:\n{printed.getvalue()}"


def page_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", pages(), ids=page_name)
def test_the_python_of_a_page_runs(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with patch.dict(_registry), patch.dict(CHECKS), patch.dict(ATTENTION):  # what a page registers is gone after it
        run_python(path.read_text(encoding="utf-8"), path)


# What keeps a command short; appended to what the page shows.
SHORT = {
    "train": ["--steps", "2", "--device", "cpu"],
    "sample": ["--max-new-tokens", "3"],
    "demo": ["--steps", "2"],
    "prepare": ["--workers", "1"],
    "bench": ["--rounds", "1", "--lengths", "64"],
    "compare": ["--steps", "1", "--seeds", "1"],
}


@pytest.mark.parametrize("path", pages(), ids=page_name)
@pytest.mark.filterwarnings("ignore:.* documents are longer than context_length=")  # the texts below are
def test_the_command_lines_of_a_page_run_one_after_another(path, tmp_path, monkeypatch):
    from minigpt import bench, cli

    text = "Once upon a time there was a text, and it was long enough to learn from. " * 30
    (tmp_path / "texts").mkdir()
    for file in ("my.txt", "exam.txt", "texts/one.txt", "texts/two.txt"):
        (tmp_path / file).write_text(text, encoding="utf-8")
    mg.save_pretrained(mg.GPT(mg.GPTConfig.preset("nano", vocab_size=257)), tmp_path / "gpt2", mg.BPETokenizer([]))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(bench.training, "SHAPES", (bench.Shape(1, 2, 16, 8, 2),))
    monkeypatch.setattr(importlib.import_module("minigpt.text.tinyworld.phrases"), "READ", 100)
    monkeypatch.setattr(importlib.import_module("minigpt.evaluation.tasks"), "LEARNT", 60)
    monkeypatch.setattr("sys.stdin", io.StringIO())  # nobody types
    for variables, words in command_lines(path.read_text(encoding="utf-8")):
        try:
            with patch.dict("os.environ", variables):
                cli.main([*words, *([] if "--help" in words else SHORT.get(words[0], []))])
        except SystemExit as end:
            if (words[0], end.code) not in (("check", 1), ("diverge", 1)):  # not solved; two models that part
                raise


def test_there_are_examples_to_run():
    languages = [block.language for path in pages() for block in blocks(path.read_text(encoding="utf-8"))]
    assert "python" in languages


def test_a_wrong_example_fails_at_its_line_of_the_page():
    with pytest.raises(ZeroDivisionError) as raised:
        run_python("# Title\n\n```python\nx = 1\nx / 0\n```\n", Path("page.md"))
    assert raised.traceback[-1].lineno == 5 - 1  # counted from 0


def test_what_is_shown_as_printed_is_what_was_printed():
    page = "```python\nprint(1, 2, 3)\n```\n\n```output\n{}\n```\n"
    run_python(page.format("1 ... 3"), Path("page.md"))
    with pytest.raises(AssertionError, match=r"page\.md:6 does not show what was printed:\n\s*1 2 3"):
        run_python(page.format("1 3"), Path("page.md"))


def test_later_blocks_see_the_names_of_earlier_ones():
    run_python("```python\nx = 1\n```\n\ntext\n\n```python\nassert x == 1\n```\n", Path("page.md"))


def test_a_block_is_left_out_only_with_a_reason():
    assert blocks("<!-- no-run: needs a GPU -->\n```python\n1 / 0\n```\n") == []
    assert len(blocks("<!-- no-run: -->\n```python\n1 / 0\n```\n")) == 1


def test_command_lines_are_joined_and_comments_dropped():
    page = "```console\n$ minigpt train \\\n    --steps 5  # few\n$ make demo\n```\n"
    assert list(command_lines(page)) == [({}, ["train", "--steps", "5"])]


def test_what_a_command_line_sets_holds_for_it_alone():
    page = "```bash\nLC_ALL=zh_CN.UTF-8 minigpt estimate\nA=1 make demo\nminigpt runs A=1\n```\n"
    assert list(command_lines(page)) == [({"LC_ALL": "zh_CN.UTF-8"}, ["estimate"]), ({}, ["runs", "A=1"])]


def test_a_command_line_with_a_wrong_option_is_refused(monkeypatch, capsys):
    from minigpt import cli

    with pytest.raises(SystemExit) as raised:
        cli.main(["train", "--no-such-option"])
    assert raised.value.code == 2
    assert "no-such-option" in capsys.readouterr().err
