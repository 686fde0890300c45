"""Every command that a command prints runs as printed, and what it writes is judged."""

import re
import shlex
from types import SimpleNamespace

import pytest
import torch
from tiny_runs import KINDS, no_plot, printed_by
from torch import nn

import minigpt as mg
from minigpt.cli.output import first_words_of
from minigpt.training import History


class Reader(nn.Module):
    """A model that has read some rows of tokens and nothing else: after tokens that begin none of them it is lost."""

    def __init__(self, rows, vocab_size):
        super().__init__()
        self.config = SimpleNamespace(vocab_size=vocab_size, context_length=max(map(len, rows)))
        self.rows, self.weight = rows, nn.Parameter(torch.zeros(()))

    def forward(self, ids):
        row = ids[0].tolist()
        following = [each[len(row)] for each in self.rows if each[: len(row)] == row and len(each) > len(row)]
        logits = torch.full((self.config.vocab_size,), -60.0)
        logits[following or slice(None)] = 0.0
        return logits.expand(1, len(row), -1)


def rows_of(kind, run, tokenizer):
    """The rows of tokens that a model of this kind of run reads: each begins where a document may begin."""
    if kind == "story":
        world = mg.TinyWorld(split="validation")
        return [tokenizer.encode("\n") + tokenizer.encode(world.story(i) + "\n") for i in range(30)]
    if kind.startswith("documents"):
        end = list(tokenizer.special_tokens.values())
        return [tokenizer.encode(line) + end for line in run.text.split()]
    if kind.startswith("flat"):
        return [tokenizer.encode(run.text[found.start() :][:120]) for found in re.finditer(r"\b\w", run.text[:200])]
    starts = [found.start() for found in re.finditer("\n", run.text[:-120])]
    return [tokenizer.encode(run.text[start : start + 120]) for start in starts]


@pytest.fixture
def knowing(monkeypatch):
    """Put a model that has read a run's text by heart in the place of its tiny one."""
    load_model = mg.load_model

    def know(kind, run):
        tokenizer = load_model(run.out)[1]
        model = Reader(rows_of(kind, run, tokenizer), tokenizer.vocab_size)
        monkeypatch.setattr(mg, "load_model", lambda out: (model, tokenizer))

    return know


TEXT_KINDS = [kind for kind in KINDS if kind not in ("story", "qa")]


def prompt_of(words):
    return words[4] if words[3] == "--prompt" else words[3].removeprefix("--prompt=")


@pytest.mark.parametrize("kind", TEXT_KINDS)
def test_the_sample_that_train_prints_goes_on_as_the_text_does(kind, tiny_run, knowing):
    run = tiny_run(kind)
    words = shlex.split(run.next)
    assert words[:3] == ["minigpt", "sample", str(run.out)]
    prompt = prompt_of(words)
    assert prompt.strip() and (kind.startswith("flat") or f"\n{prompt}" in run.text)
    words += ["--seed", "0"]
    assert printed_by(words[1:]).startswith(prompt)  # the tiny model has little to say, but the command runs
    knowing(kind, run)
    written = printed_by([*words[1:], "--max-new-tokens", "2" if kind == "documents" else "9"]).removesuffix("\n")
    assert written in run.text and len(written) > len(prompt)
    assert "\n" not in written or not kind.startswith("documents")


@pytest.mark.parametrize("kind", [*TEXT_KINDS, "story"])
@pytest.mark.parametrize("prompt", [[], ["--prompt", ""]], ids=["none", "empty"])
def test_without_a_prompt_sample_starts_where_a_document_does(kind, prompt, tiny_run, knowing):
    run = tiny_run(kind)
    knowing(kind, run)
    few = "2" if kind == "documents" else "9"  # characters have no token that ends a document
    written = printed_by(["sample", str(run.out), *prompt, "--max-new-tokens", few, "--seed", "0"]).removesuffix("\n")
    assert written
    if kind == "story":
        assert any(mg.TinyWorld(split="validation").story(i).startswith(written) for i in range(30))
    else:
        assert written in run.text and (kind.startswith("flat") or f"\n{written}" in f"\n{run.text}")


def test_the_story_that_train_prints_the_command_for_holds_together_and_ends(tiny_run, knowing):
    run = tiny_run("story")
    words = shlex.split(run.next)
    prompt = prompt_of(words)
    assert mg.TinyWorld(split="validation").story(0).startswith(prompt) and prompt.count(" ") == 2
    tiny = printed_by([*words[1:], "--max-new-tokens", "60", "--seed", "0"])
    assert tiny.startswith(prompt) and tiny.count("\n") == 1
    knowing("story", run)
    for seed in "012":
        story = printed_by([*words[1:], "--seed", seed])
        mg.TinyWorld(split="all").parse(story)
        assert story.startswith(prompt)


def test_both_commands_that_a_task_prints_run(tiny_run, monkeypatch):
    run = tiny_run("qa")
    commands = [shlex.split(line) for line in run.next.split(", or ")]
    assert [words[1] for words in commands] == ["eval", "chat"]
    monkeypatch.setattr("builtins.input", lambda prompt: "")
    monkeypatch.setattr("minigpt.cli.use._is_typed", lambda: True)
    monkeypatch.setattr("minigpt.cli.use._ask", iter(["", None]).__next__)
    monkeypatch.setattr("minigpt.evaluation.tasks.LEARNT", 60)
    assert "5-gram" in printed_by([*commands[0][1:], "--examples", "2"])
    assert "Now you." in printed_by(commands[1][1:])


def test_without_a_prompt_a_task_gets_an_example_and_its_answer_ends_at_the_line(tiny_run):
    written = printed_by(["sample", str(tiny_run("qa").out), "--max-new-tokens", "30", "--seed", "0"])
    example = mg.text.tinyworld.TASKS["qa"].example(mg.TinyWorld(split="test"), 0)
    given = example[0].text + example[1].text
    assert example[1].kind is None and example[2].kind is not None
    assert written.startswith(given) and written.count("\n") == given.count("\n") + 1


def test_a_model_that_was_trained_without_a_run_file_writes(tiny_run, tmp_path):
    import shutil

    out = shutil.copytree(tiny_run("names").out, tmp_path / "run")
    (out / "run.json").unlink()
    assert printed_by(["sample", str(out), "--prompt", "em", "--max-new-tokens", "3"]).startswith("em")
    assert printed_by(["sample", str(out), "--max-new-tokens", "3"]).startswith("\n")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("One warm evening, Anna was in the park.", "One warm evening,"),
        ("enat", "en"),
        ("a", "a"),
        ("床前明月光，", "床前明"),
        ("   indented words here", "   indented"),
        ("hello there", "hello"),
        ("incomprehensibilities are long", "incomprehensibi"),
        ("tab\tseparated columns", "tab"),
        ("half \ufffd of a character", "half"),
        ("", ""),
        ("\x1b[31mred", ""),
        ("x" * 100, "x" * 24),
    ],
)
def test_a_prompt_is_the_shown_beginning_of_a_line(line, words):
    assert first_words_of(line) == words


def test_prepare_prints_a_training_in_a_folder_that_is_free_and_it_runs(tmp_path, monkeypatch, tiny_run):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(History, "plot", no_plot)
    source, out = str(tiny_run("names").out.parent / "names.txt"), "data/my names"
    printed = printed_by(["prepare", source, "--tokenizer", "char", "--out", out, "--workers", "1"])
    words = shlex.split(printed.partition("next: ")[2])
    assert words == ["minigpt", "train", "--data", out, "--out", "runs/my names"]
    small = ["--steps", "1", "--context-length", "8"]
    sample = printed_by([*words[1:], *small]).partition("next:")[2]
    assert printed_by([*shlex.split(sample)[1:], "--max-new-tokens", "3"])
    from minigpt.cli.text import free_run_folder

    assert str(free_run_folder(tmp_path / "data/my names")) == "runs/my names-2"
    (tmp_path / "runs/my names-2").mkdir()
    assert str(free_run_folder(tmp_path / "data/my names")) == "runs/my names-3"


def test_a_folder_that_begins_with_a_dash_is_no_option():
    from pathlib import Path

    from minigpt.cli.output import command

    assert command("minigpt", "sample", Path("-x y"), "--prompt=-z") == "minigpt sample './-x y' --prompt=-z"
