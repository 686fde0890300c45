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
    monkeypatch.setattr(probe, "LOGIT_COUNTS", (32, 64))
    monkeypatch.setattr(probe, "LOSS_WIDTH", 8)
    monkeypatch.setattr(probe, "WEIGHT_COUNTS", (16, 32))
    monkeypatch.setattr(probe, "EMBEDDING_WIDTH", 4)
    monkeypatch.setattr(
        probe, "USUAL", probe.GPTConfig(vocab_size=8, context_length=8, d_model=16, n_layers=2, n_heads=2)
    )


def test_the_usual_step_is_predicted_as_it_was_measured(small):
    ticks = itertools.count()
    found = probe.probe_machine(0.0, clock=lambda: float(next(ticks)))  # every call takes a second
    assert [width for width, _ in found.products] == [8, 16]
    assert found.products[1][1] == 24 * 16 * 16**2
    assert (found.step, found.block, found.weight) == (1.0, 0.0, ((16, 1 / 16), (32, 1 / 32)))
    others = step_seconds(probe.USUAL, probe.replace(found, stream=0.0), probe.USUAL_BATCH)
    if others < 1:
        assert step_seconds(probe.USUAL, found, probe.USUAL_BATCH) == pytest.approx(1.0)
    else:
        assert found.stream == 0


def test_a_real_clock_gives_positive_times_and_says_what_was_measured(small):
    found = probe.probe_machine(0.05)
    assert all(rate > 0 for _, rate in (*found.products, *found.attention))
    assert min(found.hidden, *(time for _, time in (*found.logit, *found.weight, *found.embedding))) > 0
    assert found.stream >= 0
    assert f"{torch.get_num_threads()} thread" in str(found)


@pytest.mark.parametrize(("n_threads", "words"), [(1, "(1 thread, float32)"), (3, "(3 threads, float32)")])
def test_one_thread_is_singular(small, monkeypatch, n_threads, words):
    monkeypatch.setattr(torch, "get_num_threads", lambda: n_threads)
    assert words in str(probe.probe_machine(0.0))


def test_a_machine_with_more_work_than_cores_is_busy(monkeypatch):
    monkeypatch.setattr(probe.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(probe.os, "getloadavg", lambda: (2.0, 9.0, 9.0))
    assert probe.busy_line() is None
    monkeypatch.setattr(probe.os, "getloadavg", lambda: (5.25, 0.0, 0.0))
    assert "busy (load 5.2 on 2 cores)" in probe.busy_line()


def test_in_chinese_a_busy_machine_is_told_in_chinese(in_chinese, monkeypatch):
    monkeypatch.setattr(probe.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(probe.os, "getloadavg", lambda: (5.2, 1.0, 1.0), raising=False)
    assert probe.busy_line() == "这台机器正忙（2 个核上的负载为 5.2）：估算可能相差很多"
