import math
import re

import numpy as np
import pytest
import torch
from torch import nn

import minigpt as mg
from minigpt.evaluation import stories
from minigpt.evaluation.stories import StoryReport, evaluate_stories, row_losses, tell_stories
from minigpt.text.tinyworld import TinyWorld, task_rows
from minigpt.training import split_loss

WORLD = TinyWorld(split="test", seed=15)
TOKENIZER = mg.CharTokenizer.train(WORLD.text(300) + TinyWorld(split="all").text(300))


def make_model():
    config = mg.GPTConfig(vocab_size=TOKENIZER.vocab_size, context_length=600, d_model=16, n_heads=2, n_layers=1)
    return mg.GPT(config, generator=torch.Generator().manual_seed(0)).eval()


def test_the_losses_of_the_rows_add_up_to_the_loss_of_the_split():
    model, rows = make_model(), task_rows("story", WORLD, TOKENIZER, 600, 10)
    losses = row_losses(model, rows, batch_size=3)
    assert losses.shape == (10,)
    assert losses.sum() == pytest.approx(split_loss(model, rows).nats, rel=1e-5)


class Grammar(nn.Module):
    """A model that is told the probability of each story: it spreads it evenly over the story's tokens."""

    def __init__(self, world, config):
        super().__init__()
        self.world, self.config = world, config
        self.unused = nn.Parameter(torch.zeros(()))

    def forward(self, ids):
        logits = torch.full((*ids.shape, TOKENIZER.vocab_size), 0.0)
        for row, told in zip(ids.tolist(), logits, strict=True):
            story = TOKENIZER.decode(row).strip("\n").partition("\n")[0].rstrip(TOKENIZER.decode([0]))
            tokens = TOKENIZER.encode(f"{story}\n")
            p = math.exp(self.world.log_prob(story) / len(tokens))
            for t, token in enumerate(tokens):
                told[t] = math.log((1 - p) / (TOKENIZER.vocab_size - 1))
                told[t, token] = math.log(p)
        return logits


@pytest.fixture
def report(monkeypatch):
    monkeypatch.setattr(stories, "tell_stories", lambda *_, **__: [WORLD.story(0), "No story."])
    return evaluate_stories(Grammar(WORLD, make_model().config), WORLD, TOKENIZER, 50)


def test_whoever_is_told_the_grammar_loses_what_the_stories_take(report):
    assert report.nats == pytest.approx(report.own_nats, rel=1e-4)
    assert report.excess == pytest.approx((0, 0), abs=1e-2)
    assert abs(report.loss - report.entropy) < 5 * report.own_nats.std() / math.sqrt(50)


def test_whoever_does_not_know_what_was_held_out_pays_for_it(monkeypatch):
    monkeypatch.setattr(stories, "tell_stories", lambda *_, **__: [WORLD.story(0)])
    everywhere = evaluate_stories(Grammar(TinyWorld(split="all"), make_model().config), WORLD, TOKENIZER, 30)
    assert everywhere.excess[0] == pytest.approx(everywhere.held_out, abs=1e-2)


def test_half_of_the_told_stories_make_sense(report):
    assert report.consistent == {1.0: 0.5, 0.5: 0.5}
    assert report.n_judged == 10  # two at each call


def test_as_many_stories_are_judged_as_are_said_and_no_two_parts_are_drawn_alike(monkeypatch):
    asked = []

    def told(model, tokenizer, n, *, sampler, seed, **_):
        asked.append((sampler.temperature, n, seed))
        return n * [WORLD.story(0)]

    monkeypatch.setattr(stories, "tell_stories", told)
    monkeypatch.setattr(stories, "SAMPLED", 250)
    report = evaluate_stories(Grammar(WORLD, make_model().config), WORLD, TOKENIZER, 2)
    assert asked == [(t, n, seed) for t in (1.0, 0.5) for n, seed in ((100, 0), (100, 100), (50, 200))]
    assert report.n_judged == report.to_object()["n_judged"] == 250


def test_stories_are_drawn_at_each_temperature(monkeypatch):
    def told(*_, sampler, **__):
        return [WORLD.story(0)] if sampler.temperature == 0.5 else ["No story."]

    monkeypatch.setattr(stories, "tell_stories", told)
    report = evaluate_stories(Grammar(WORLD, make_model().config), WORLD, TOKENIZER, 2)
    assert report.consistent == {1.0: 0.0, 0.5: 1.0}
    assert "   0% ± 0.0% drawn at temperature 1\n  100% ± 0.0% drawn at temperature 0.5" in str(report)


def test_the_distance_to_the_floor_is_taken_from_the_same_stories_so_that_lucky_ones_do_not_flatter():
    nats, own_nats = np.array([42.0, 46.0]), np.array([41.0, 43.0])
    lucky = StoryReport(nats, own_nats, entropy=50.0, held_out=1.0, consistent={0.7: 0.9}, n_judged=400)
    assert lucky.excess == pytest.approx((2.0, 1.0))
    assert lucky.above_floors == pytest.approx((2 / 50, 1 / 51))
    shown = str(lucky)
    assert "44.00 ± 2.00" in shown and "2.00 ± 1.00 more" in shown
    assert "4.0% above it" in shown and "2.0% above this" in shown
    assert shown.endswith("of 400 stories of the model's own\n   90% ± 1.5% drawn at temperature 0.7")


def test_a_story_that_finds_no_end_is_cut():
    told = tell_stories(make_model(), TOKENIZER, 3, max_tokens=50)
    assert len(told) == 3
    assert all("\n" not in story and len(story) <= 50 for story in told)
    assert told == tell_stories(make_model(), TOKENIZER, 3, max_tokens=50)
    assert told != tell_stories(make_model(), TOKENIZER, 3, max_tokens=50, seed=1)


def test_in_chinese_the_report_has_the_same_figures(report, in_chinese, monkeypatch):
    chinese = str(report)
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert in_chinese(chinese) == set()
    assert re.findall(r"\d[\d.]*%?", chinese) == re.findall(r"\d[\d.]*%?", str(report))
