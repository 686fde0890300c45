"""minigpt/bench/training.py: what is counted and what is shown. Times themselves are not asserted."""

import json
import math

import pytest
import torch

from minigpt import bench
from minigpt.bench import Contender, Shape, TrainingBench, TrainingRow, training
from minigpt.cost.flops import training_flops_per_token
from minigpt.settings.language import columns_of

SMALL = Shape(1, 2, 16, 8, 2)
ROWS = [
    TrainingRow(SMALL, Contender("minigpt"), 12345.6, 1.25, 7.89e9, 0.456, 3 * 2**20),
    TrainingRow(SMALL, Contender("minigpt fast"), 99999.0, 9.99, 7.89e9, 0.456, 3 * 2**20),
    TrainingRow(SMALL, Contender("transformers"), 9876.5, 1.0, 6.31e9, 0.365, 4 * 2**20),
    TrainingRow(SMALL, Contender("minigpt", "bf16"), 30000.0, 1.5, 9e9, 0.2, 2**20),
    TrainingRow(SMALL, Contender("transformers", "bf16"), 20000.0, 1.0, 9e9, 0.2, 2**20),
    TrainingRow(SMALL, Contender("nanoGPT", "bf16", True), skipped="skipped: no compiler"),
]
MEASURED = TrainingBench("a CPU", 9, ROWS)


def test_the_table_has_a_line_for_each_contender_and_both_ratios_below():
    lines = str(MEASURED).splitlines()
    assert lines[:4] == [
        "a CPU; medians of 9 rounds in turn",
        "shape                                    tokens/s  ratio  GFLOP/s  of matmul  step memory",
        "1 × 16, T 8, B 2  minigpt float32          12,346   1.25      7.9        46%      3.0 MiB",
        "1 × 16, T 8, B 2  minigpt fast float32     99,999   9.99      7.9        46%      3.0 MiB",
    ]
    assert lines[7] == "1 × 16, T 8, B 2  nanoGPT bf16 compiled  skipped: no compiler"
    best = "the best of each, minigpt bf16 over transformers bf16: 1.50"
    assert lines[-1] == f"1 × 16, T 8, B 2: as they come 1.25 × transformers; {best}"


def test_the_best_of_each_side_leaves_out_the_recipe_that_is_another_model():
    assert MEASURED.best(SMALL, ours=True).contender == Contender("minigpt", "bf16")
    assert (MEASURED.best_ratio(SMALL), MEASURED.ratio_as_they_come(SMALL)) == (1.5, 1.25)
    alone = TrainingBench("a CPU", 9, ROWS[:2])
    assert math.isnan(alone.best_ratio(SMALL)) and "the best of each" not in str(alone)


def test_where_float32_was_not_measured_there_is_no_ratio_as_they_come():
    lines = str(TrainingBench("a CPU", 9, ROWS[3:5])).splitlines()
    assert lines[-1] == "1 × 16, T 8, B 2: the best of each, minigpt bf16 over transformers bf16: 1.50"


def test_the_json_has_the_figures_of_the_table():
    figures = json.loads(json.dumps(MEASURED.to_json()))
    assert (figures["machine"], figures["rounds"]) == ("a CPU", 9)
    first = figures["rows"][0]
    shape = {"n_layers": 1, "n_heads": 2, "d_model": 16, "n_positions": 8, "batch_size": 2, "vocab_size": 65}
    assert first.pop("shape") == shape
    assert first == {
        "contender": "minigpt float32",
        "library": "minigpt",
        "precision": "fp32",
        "compiled": False,
        "tokens_per_second": 12345.6,
        "ratio": 1.25,
        "flops_per_second": 7.89e9,
        "share_of_matmul": 0.456,
        "memory": 3 * 2**20,
        "skipped": "",
    }
    assert figures["ratios"] == {str(SMALL): {"best": 1.5, "as_they_come": 1.25}}


def test_the_picture_has_a_bar_for_each_that_ran_over_the_peer_as_it_comes():
    axes = MEASURED.plot().axes[0]
    heights = {bars.get_label(): bars[0].get_height() for bars in axes.containers}
    assert heights["minigpt bf16"] == pytest.approx(30000 / 9876.5) and "nanoGPT bf16 compiled" not in heights


def test_rates_ratios_and_shares_are_those_of_the_clock(monkeypatch):
    times = {"minigpt": 0.5, "transformers": 1.0}
    monkeypatch.setattr(training, "contenders_step", lambda who, shape, *_: (shape.config, lambda *_: who.library))
    monkeypatch.setattr(training, "stopwatch", lambda step, *_: lambda: times[step()])
    monkeypatch.setattr(training, "matmul_rate", lambda dtype, _: 2e9 if dtype == torch.float32 else 8e9)
    monkeypatch.setattr(training, "peak_allocation", lambda *_: 1000)
    contenders = [Contender(library, precision) for precision in ("fp32", "bf16") for library in times]
    rows = list(training.measure_steps(SMALL, contenders, rounds=3))
    flops = training_flops_per_token(SMALL.config, 8) * 16
    assert rows == [
        TrainingRow(SMALL, contenders[0], 32.0, 2.0, flops / 0.5, flops / 0.5 / 2e9, 1000),
        TrainingRow(SMALL, contenders[1], 16.0, 1.0, flops, flops / 2e9, 1000),
        TrainingRow(SMALL, contenders[2], 32.0, 2.0, flops / 0.5, flops / 0.5 / 8e9, 1000),
        TrainingRow(SMALL, contenders[3], 16.0, 1.0, flops, flops / 8e9, 1000),
    ]


def test_ours_is_measured_where_the_peer_is_missing(monkeypatch):
    def contenders_step(who, shape, *_):
        if who.library == "transformers":
            raise ImportError("the peer is transformers")
        return shape.config, lambda *_: None

    monkeypatch.setattr(training, "contenders_step", contenders_step)
    ours, peer = training.measure_steps(SMALL, [Contender("minigpt"), Contender("transformers")], 1)
    assert ours.tokens_per_second > 0 and math.isnan(ours.ratio) and ours.cells()[3] == ""
    assert peer.cells()[2:] == ["skipped: the peer is transformers"]


def test_each_library_is_measured_in_each_precision_compiled_and_not(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(training, "measure_steps", lambda shape, who, *more: asked.append((shape, who, more)) or [])
    bench.measure_training(2, [SMALL], precisions=("fp32", "bf16"), compiled=True, checkout=tmp_path)
    ((shape, who, (rounds, device, checkout)),) = asked
    assert (shape, rounds, device, checkout) == (SMALL, 2, torch.device("cpu"), tmp_path)
    libraries = ("minigpt", "minigpt fast", "transformers", "nanoGPT")
    assert {(each.library, each.products, each.compiled) for each in who} == {
        (library, products, how) for library in libraries for products in ("fp32", "bf16") for how in (True, False)
    }
    assert len(who) == len(set(who))
    bench.measure_training(2, [SMALL], precisions=("fp32",))
    assert asked[1][1] == [Contender("minigpt"), Contender("minigpt fast"), Contender("transformers")]


def test_all_contenders_are_measured_here():
    pytest.importorskip("transformers", reason="the peer is transformers")
    measured = bench.measure_training(1, [SMALL], precisions=("fp32",))
    assert [row.contender.library for row in measured.rows] == ["minigpt", "minigpt fast", "transformers"]
    assert measured.rows[2].ratio == 1
    assert all(min(row[2:-1]) > 0 for row in measured.rows)


def test_in_chinese_only_what_json_has_too_is_english(in_chinese):
    before = json.dumps(MEASURED.to_json())
    names = {"minigpt", "fast", "float", "transformers", "nano", "compiled", "skipped", "compiler", "uon"}
    assert in_chinese(str(MEASURED)) <= names
    assert str(MEASURED).splitlines()[-1] == (
        "1 × 16, T 8, B 2：默认设置下是 transformers 的 1.25 倍；各取最快，minigpt bf16 与 transformers bf16 之比：1.50"
    )
    head, first, *_ = str(MEASURED).splitlines()[1:]
    assert columns_of(head) == columns_of(first)
    assert json.dumps(MEASURED.to_json()) == before
