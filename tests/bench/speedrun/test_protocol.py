"""minigpt/bench/speedrun/protocol.py: what is trained on, what the loss is over, and what the clock counts."""

import math
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import minigpt as mg
from minigpt.bench.speedrun import protocol
from minigpt.bench.speedrun.protocol import SpeedrunText, run_track, splits_of
from minigpt.text import TokenDataset
from minigpt.text.corpora import SHAKESPEARE_SHA256

NANOGPT_CUT = (1_003_854, 111_540)  # characters, as nanoGPT's prepare.py prints them


def test_the_cut_is_that_of_nanogpt():
    from minigpt.text import split_text

    assert tuple(map(len, split_text("a" * 1_115_394))) == NANOGPT_CUT


def test_no_character_of_the_validation_split_is_trained_on(tiny_text, tiny_track, monkeypatch):
    seen, batch = [], TokenDataset.batch

    def watched(self, *arguments, **options):
        inputs, targets = batch(self, *arguments, **options)
        seen.extend([inputs, targets])
        return inputs, targets

    monkeypatch.setattr(TokenDataset, "batch", watched)
    run_track(tiny_track, SpeedrunText.of(tiny_text), 0, time.perf_counter)
    letters = sorted(set(tiny_text.read_text(encoding="utf-8")))
    ids = set(torch.cat([x.flatten() for x in seen]).tolist()) - {-100}
    assert {letters[i] for i in ids} == set("abc ")
    assert len(seen) == 2 * tiny_track.steps


def test_the_loss_is_over_the_whole_validation_split_each_character_counted_once(tiny_text, tiny_track, monkeypatch):
    models, first_model = [], protocol.first_model
    monkeypatch.setattr(protocol, "first_model", lambda plan: models.append(first_model(plan)) or models[-1])
    run = run_track(tiny_track, SpeedrunText.of(tiny_text), 1, time.perf_counter)
    text = tiny_text.read_text(encoding="utf-8")
    ids = torch.tensor(mg.CharTokenizer.train(text).encode(text[900:]))
    nats = 0.0
    for start in range(0, 99, 7):  # windows of 7 that do not overlap; the last is shorter
        row = ids[start : start + 8]
        with torch.no_grad():
            nats += F.cross_entropy(models[0](row[None, :-1])[0], row[1:], reduction="sum").item()
    torch.testing.assert_close(run.loss, nats / 99, rtol=1e-5, atol=0)
    assert run.curve[-1].loss == run.loss and run.curve[-1].step == tiny_track.steps


def test_evaluations_are_no_training_time(tiny_text, tiny_track, ticking):
    run = run_track(tiny_track, SpeedrunText.of(tiny_text), 0, ticking)
    assert run.seconds == tiny_track.steps
    assert (run.set_up_seconds, run.compile_seconds) == (0, 0)
    assert [(point.step, point.seconds) for point in run.curve] == [(n, n) for n in range(1, 9)]
    assert ticking.now == tiny_track.steps + 8 * 100


def test_the_time_to_read_the_text_is_set_up(tiny_text, tiny_track, ticking, monkeypatch):
    opened = protocol.open_splits

    def slow(config):
        ticking.now += 7
        return opened(config)

    monkeypatch.setattr(protocol, "open_splits", slow)
    run = run_track(tiny_track, SpeedrunText.of(tiny_text), 0, ticking)
    assert (run.set_up_seconds, run.seconds) == (7, tiny_track.steps)


def test_a_run_that_diverges_has_an_infinite_loss(tiny_text, tiny_track, monkeypatch):
    def diverge(*arguments, **options):
        raise FloatingPointError("no finite loss")

    monkeypatch.setattr(protocol, "train", diverge)
    run = run_track(tiny_track, SpeedrunText.of(tiny_text), 0, time.perf_counter)
    assert (run.loss, run.precision, run.compiled) == (math.inf, None, None)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_run_says_what_it_was_computed_in_and_whether_compiled(tiny_text, tiny_track, precision):
    track = replace(tiny_track, settings={"precision": precision, "compile": "auto"})
    run = run_track(track, SpeedrunText.of(tiny_text), 0, time.perf_counter)
    assert (run.precision, run.compiled) == (precision, False)  # so short a run is never compiled


def test_another_text_is_not_comparable(tiny_text):
    assert not SpeedrunText.of(tiny_text).is_comparable
    assert SpeedrunText.of(None) == SpeedrunText(None, SHAKESPEARE_SHA256) and SpeedrunText.of(None).is_comparable


def test_a_missing_text_is_one_error(tmp_path):
    with pytest.raises(ValueError, match=r"none\.txt"):
        SpeedrunText.of(tmp_path / "none.txt")


def test_the_splits_follow_each_other(tiny_text, tiny_track):
    vocab_size, data, validation = splits_of(tiny_track.config(**SpeedrunText.of(tiny_text).source))
    assert (vocab_size, data.n_tokens, validation.n_tokens) == (7, 900, 100)
    text = tiny_text.read_text(encoding="utf-8")
    ids = mg.CharTokenizer.train(text).encode(text)
    assert np.array_equal(np.concatenate([data.shards[0].tokens, validation.shards[0].tokens]), ids)
