import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import minigpt as mg
from minigpt.learn import one_file


@pytest.fixture(scope="module")
def corpus():
    return one_file.read_corpus()


def test_the_losses_are_those_of_the_library(corpus, monkeypatch):
    monkeypatch.setattr(one_file, "CLIP_NORM", 2.0)  # some gradients are longer, some are not
    steps = 16
    ours, theirs = (one_file.build_model(corpus.tokenizer.vocab_size) for _ in range(2))
    losses = one_file.train(ours, corpus.training, steps)
    settings = mg.TrainConfig(
        steps=steps,
        batch_size=one_file.BATCH_SIZE,
        learning_rate=one_file.LEARNING_RATE,
        weight_decay=one_file.WEIGHT_DECAY,
        clip_norm=one_file.CLIP_NORM,
        seed=one_file.SEED,
        device="cpu",
    )
    history = mg.train(theirs, corpus.training, settings, progress=False)
    torch.testing.assert_close(losses, history.column("loss")[1], rtol=1e-5, atol=0)
    clipped = [norm > one_file.CLIP_NORM for norm in history.column("gradient_norm")[1]]
    assert any(clipped) and not all(clipped)


def test_the_validation_loss_is_that_of_the_library(corpus):
    model = one_file.build_model(corpus.tokenizer.vocab_size)
    expected = mg.evaluate(model, corpus.validation, corpus.tokenizer).nats_per_token
    assert one_file.validation_loss(model, corpus.validation) == pytest.approx(expected, rel=1e-5)


def test_the_loss_falls_from_that_of_guessing_and_the_model_writes(capsys):
    losses, validation, sample = one_file.main(steps=20)
    assert losses[0] == pytest.approx(math.log(one_file.VOCAB_SIZE), rel=0.02)
    assert losses[-1] < losses[0] - 2 and validation < losses[0] - 2
    assert len(sample) > 100
    printed = capsys.readouterr().out
    assert f"step    20   loss {losses[-1]:.3f}" in printed
    assert f"validation loss {validation:.3f}" in printed and sample.strip() in printed


def test_it_is_a_program_that_takes_a_number_of_steps_and_prints_nothing_else_at_import():
    command = [sys.executable, "-m", "minigpt.learn.one_file", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", check=True)
    assert shown.stdout.startswith("usage: one_file.py [-h] [--steps STEPS]")
    assert shown.stderr == ""


def test_the_file_can_be_read_in_one_go():
    assert len(Path(one_file.__file__).read_text("utf-8").splitlines()) <= 120
