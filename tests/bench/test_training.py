"""minigpt/bench/training.py: what is counted and what is shown. Times themselves are not asserted."""

import json
import time

import pytest
import torch

from minigpt import bench, cli
from minigpt.bench import Shape, TrainingBench, TrainingRow, generation, training
from minigpt.cost.flops import training_flops_per_token

SMALL = Shape(1, 2, 16, 8, 2)
ROWS = [
    TrainingRow(SMALL, "minigpt", 12345.6, 1.25, 7.89e9, 0.456, 3 * 2**20),
    TrainingRow(SMALL, "transformers", 9876.5, 1.0, 6.31e9, 0.365, 4 * 2**20),
]


def test_the_table_has_a_line_for_each_contender_and_says_what_its_columns_mean():
    lines = str(TrainingBench(threads=2, rounds=9, rows=ROWS)).splitlines()
    assert lines == [
        f"float32, 2 threads, torch {torch.__version__}; medians of 9 rounds in turn",
        "shape                                   tokens/s   ratio   GFLOP/s  of matmul  step memory",
        "1 × 16, T 8, B 2        minigpt           12,346    1.25       7.9        46%      3.0 MiB",
        "1 × 16, T 8, B 2        transformers       9,876    1.00       6.3        36%      4.0 MiB",
        "ratio: tokens/s over transformers'. GFLOP/s: 6 × matrix parameters + 6·L·D·(T+1) per token, over the time.",
        "of matmul: the share of what a 1024 × 1024 product reached in the same rounds. step memory: the most bytes of",
        "tensors that are alive at once in a step, beyond the weights and moments.",
    ]


def test_the_json_has_the_figures_of_the_table():
    figures = json.loads(json.dumps(TrainingBench(threads=2, rounds=9, rows=ROWS).to_json()))
    assert (figures["dtype"], figures["threads"], figures["rounds"]) == ("float32", 2, 9)
    shape = {"n_layers": 1, "n_heads": 2, "d_model": 16, "n_positions": 8, "batch_size": 2}
    assert [row.pop("shape") for row in figures["rows"]] == [shape, shape]
    assert figures["rows"][0] == {
        "contender": "minigpt",
        "tokens_per_second": 12345.6,
        "ratio": 1.25,
        "flops_per_second": 7.89e9,
        "share_of_matmul": 0.456,
        "memory": 3 * 2**20,
    }


def test_rates_and_ratios_are_those_of_the_clock(monkeypatch):
    seconds = {"minigpt": 0.5, "transformers": 1.0}
    monkeypatch.setattr(training, "_seconds", lambda step, repeats=1: seconds[step() or "transformers"])
    monkeypatch.setattr(training, "matmul_rate", lambda: 2e9)
    monkeypatch.setattr(training, "peak_allocation", lambda step: 1000)
    steps = {name: lambda inputs, targets, name=name: name for name in seconds}
    rows = list(training.measure_steps(SMALL, steps, rounds=3))
    flops = training_flops_per_token(SMALL.config, 8) * 16
    assert rows == [
        TrainingRow(SMALL, "minigpt", 32.0, 2.0, flops / 0.5, flops / 0.5 / 2e9, 1000),
        TrainingRow(SMALL, "transformers", 16.0, 1.0, flops, flops / 2e9, 1000),
    ]


def test_the_allocation_of_a_step_is_the_most_that_is_alive_at_once():
    def step():
        first = torch.zeros(2**18)
        del first
        torch.zeros(2**18)

    assert 4 * 2**18 <= training.peak_allocation(step) < 2 * 4 * 2**18


def test_a_call_is_timed_over_its_repeats():
    calls = []
    assert training._seconds(lambda: calls.append(time.perf_counter()), repeats=4) > 0
    assert len(calls) == 4


@pytest.fixture
def small(monkeypatch):
    pytest.importorskip("transformers", reason="the peer is transformers")
    monkeypatch.setattr(training, "SHAPES", (SMALL,))


@pytest.mark.usefixtures("small")
def test_both_contenders_are_measured_at_each_shape():
    measured = bench.measure_training(rounds=1)
    assert [(row.shape, row.contender) for row in measured.rows] == [(SMALL, "minigpt"), (SMALL, "transformers")]
    assert measured.rows[1].ratio == 1
    assert all(min(row[2:]) > 0 for row in measured.rows)


@pytest.mark.usefixtures("small")
def test_the_command_prints_the_table_or_json_and_nothing_else_on_stdout(capsys):
    cli.main(["bench", "train", "--rounds", "1"])
    printed = capsys.readouterr().out
    assert printed.startswith("float32, ") and printed.count("1 × 16, T 8, B 2") == 2
    cli.main(["bench", "train", "--rounds", "1", "--json"])
    figures = json.loads(capsys.readouterr().out)
    assert [row["contender"] for row in figures["rows"]] == ["minigpt", "transformers"]


def test_the_peer_of_generation_writes_as_many_tokens_as_it_is_asked_for():
    pytest.importorskip("transformers", reason="the peer is transformers")
    prompt = torch.tensor([[1, 2, 3]])
    written = generation._peer(SMALL.config, prompt)(4)
    assert written.shape == (1, 7) and torch.equal(written[:, :3], prompt)
