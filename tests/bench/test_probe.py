"""minigpt/bench/probe.py: what is measured, by a clock of the test. Times themselves are not asserted."""

import itertools

import pytest
import torch

from minigpt.bench import probe
from minigpt.cost.machine import step_seconds


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(probe, "PRODUCT_WIDTHS", (8, 16))
    monkeypatch.setattr(probe, "ATTENTION_LENGTHS", (8, 16))
    monkeypatch.setattr(probe, "TOKENS", 16)
    monkeypatch.setattr(
        probe, "USUAL", probe.GPTConfig(vocab_size=8, context_length=8, d_model=16, n_layers=2, n_heads=2)
    )


def test_the_usual_step_is_predicted_as_it_was_measured(small):
    ticks = itertools.count()
    found = probe.probe_machine(0.0, clock=lambda: float(next(ticks)))  # every call takes a second
    assert [width for width, _ in found.products] == [8, 16]
    assert found.products[1][1] == 24 * 16 * 16**2
    assert (found.step, found.block, found.weight) == (1.0, 0.0, 2.0**-20)
    others = step_seconds(probe.USUAL, probe.replace(found, stream=0.0), probe.USUAL_BATCH)
    if others < 1:
        assert step_seconds(probe.USUAL, found, probe.USUAL_BATCH) == pytest.approx(1.0)
    else:
        assert found.stream == 0


def test_a_real_clock_gives_positive_times_and_says_what_was_measured(small):
    found = probe.probe_machine(0.05)
    assert all(rate > 0 for _, rate in (*found.products, *found.attention))
    assert min(found.hidden, found.logit, found.weight) > 0 and found.stream >= 0
    assert f"{torch.get_num_threads()} threads, float32" in str(found)
