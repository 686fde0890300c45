"""What commands print fits a terminal of 80 columns; paths stay whole."""

import dataclasses
import re
import sys

import pytest
import torch

import minigpt as mg
from minigpt.cli import main
from minigpt.learn.exercises import exercise_named
from minigpt.learn.judge.attempts import Submission
from minigpt.learn.judge.replies import judged
from minigpt.runs.summary import RunSummary, table_of
from minigpt.settings.language import columns_of


@pytest.fixture(autouse=True)
def _terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def widest(text):
    return max(map(columns_of, str(text).splitlines()))


def summary(**settings):
    config = mg.RunConfig.of(steps=1000, **settings).resolved(vocab_size=41)
    figures = {"n_parameters": 9, "steps_done": 75, "loss": 0.3, "validation_loss": 0.7, "changed": 0.0}
    return RunSummary(config=config, checkpoints=(), **figures)


def test_the_table_of_runs_is_cut_in_its_text_and_its_shape_alone():
    run = summary(text="/a/long/path/of/a/folder/of/my.txt", out="runs/one", position="rope-half")
    assert widest(table_of([run])) > 100 and run.text in table_of([run])
    head, line = table_of([run], columns=80).splitlines()
    assert columns_of(line) <= 80
    assert head.split() == ["run", "text", "shape", "steps", "loss", "validation", "changed"]
    assert line.startswith("runs/one  …") and "my.txt" in line and "…  75 of 1,000  0.3000  0.7000" in line


def test_a_run_folder_of_any_length_is_whole_in_the_table():
    out = "runs/" + "a-long-name-" * 9
    assert out in table_of([summary(text="my.txt", out=out)], columns=80)


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_pairs_of_fairness_and_their_limits_fit(lang, monkeypatch):
    monkeypatch.setenv("LC_ALL", lang)
    assert widest(mg.fairness.load_pairs(lang)) <= 80


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_answer_of_equal_fits(lang):
    for b in (r"z_i \cdot z_i + \sum_k z_k + w + a b c d", r"z_i + w + a b + 0 c d"):
        assert widest(mg.equal("z_i + w + a b + 0 c d", b, lang=lang)) <= 80


def test_the_worked_lines_of_a_hint_fit():
    times_gain = Submission(lambda x, gain, bias, eps: x * gain, isolated=False)
    reply = judged(exercise_named("layer_norm"), times_gain, "en")
    assert "by hand" in str(reply.hint(1)) and widest(reply.hint(1)) <= 80


def test_where_two_models_part_fits(make_gpts):
    found = mg.microscope.first_divergence(*make_gpts, torch.arange(8)[None])
    long = "the output of blocks.11.attention.project_out differs, first at [0, 127, 767]: 0.12345678 and 0.98765432"
    assert widest(dataclasses.replace(found, what=long)) <= 80


@pytest.fixture
def make_gpts():
    config = mg.GPTConfig(vocab_size=8, context_length=8, n_layers=1, n_heads=2, d_model=16)
    return [mg.GPT(config, generator=torch.Generator().manual_seed(seed)) for seed in range(2)]


def test_a_long_error_is_folded_where_a_terminal_shows_it(capsys, monkeypatch):
    words = ["estimate", "--on", "8xH10"]
    with pytest.raises(SystemExit):
        main(words)
    whole = capsys.readouterr().err
    assert whole.count("\n") == 1 and len(whole) > 160
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with pytest.raises(SystemExit):
        main(words)
    folded = capsys.readouterr().err
    assert widest(folded) <= 80 and folded.split() == whole.split()


def test_the_help_has_no_two_blank_lines_in_an_entry(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert not re.search(r"\n│ +│\n│ +│\n", capsys.readouterr().out)
