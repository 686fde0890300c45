"""minigpt/bench/memory.py: what grows how, and what is shown."""

import json
import math

import pytest

from minigpt.bench import AttentionMemory, MemoryBench, Shape, StepMemoryRow, measure_memory, memory

SMALL = Shape(1, 2, 16, 8, 2)
MEASURED = MemoryBench(
    "a CPU",
    [AttentionMemory("formula", (256, 512), (2**20, 4 * 2**20)), AttentionMemory("sdpa", (256, 512), (2**19, 2**20))],
    [
        StepMemoryRow(SMALL, "minigpt", 3 * 2**20, 0.6, 2**20),
        StepMemoryRow(SMALL, "transformers", 5 * 2**20, 1.0),
        StepMemoryRow(SMALL, "other", skipped="skipped: not here"),
    ],
)


def test_the_exponent_is_the_slope_of_the_logarithms():
    lengths = (3, 10, 77)
    for power in (1.0, 2.0):
        sizes = tuple(round(1e6 * length**power) for length in lengths)
        assert AttentionMemory("any", lengths, sizes).exponent == pytest.approx(power, abs=1e-3)


def test_the_formula_is_quadratic_and_pytorchs_attention_is_not():
    formula, sdpa = measure_memory((128, 256, 512), ()).attention
    assert (formula.attention, sdpa.attention) == ("formula", "sdpa")
    assert formula.exponent > 1.8 and sdpa.exponent < 1.3


def test_steps_are_measured_beside_the_prediction_and_the_peer():
    pytest.importorskip("transformers", reason="the peer is transformers")
    shape = Shape(2, 2, 64, 32, 4)
    rows = {row.contender: row for row in measure_memory((64, 128), (shape,)).steps}
    assert rows["minigpt"].predicted == pytest.approx(rows["minigpt"].measured, rel=0.1)
    assert rows["minigpt recomputed"].measured < rows["minigpt"].measured
    assert rows["minigpt recomputed"].predicted < rows["minigpt"].predicted
    assert rows["transformers"].ratio == 1 and rows["transformers"].predicted is None
    assert rows["minigpt"].ratio == rows["minigpt"].measured / rows["transformers"].measured


def test_ours_is_measured_where_the_peer_is_missing(monkeypatch):
    def missing(*_, **__):
        raise ImportError("the peer is transformers")

    monkeypatch.setattr(memory, "peer_step", missing)
    rows = measure_memory((64, 128), (SMALL,)).steps
    assert rows[0].measured > 0 and math.isnan(rows[0].ratio)
    assert rows[-1].skipped == "skipped: the peer is transformers"


def test_one_length_has_no_exponent():
    with pytest.raises(ValueError, match=r"got lengths \(64,\); give at least two"):
        measure_memory((64,))


def test_the_table_the_json_and_the_picture_have_the_figures():
    lines = str(MEASURED).splitlines()
    assert lines[2:5] == [
        "attention    T 256    T 512  exponent",
        "formula    1.0 MiB  4.0 MiB      2.00",
        "sdpa       0.5 MiB  1.0 MiB      1.00",
    ]
    assert lines[6:10] == [
        "step                            measured  ratio  predicted",
        "1 × 16, T 8, B 2  minigpt        3.0 MiB   0.60    1.0 MiB",
        "1 × 16, T 8, B 2  transformers   5.0 MiB   1.00",
        "1 × 16, T 8, B 2  other         skipped: not here",
    ]
    figures = json.loads(json.dumps(MEASURED.to_json()))
    assert figures["attention"][0]["exponent"] == pytest.approx(2.0)
    assert figures["steps"][0]["predicted"] == 2**20
    axes = MEASURED.plot().axes[0]
    assert [line.get_label() for line in axes.lines] == ["formula: T^2.00", "sdpa: T^1.00"]
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")


def test_in_chinese_only_names_are_english(in_chinese):
    names = {"formula", "sdpa", "minigpt", "transformers", "other", "skipped", "here", "cost", "float"}
    parts = {"predict", "memory", "chunked", "loss", "recomputed", "activation", "checkpointing"}
    assert in_chinese(str(MEASURED)) <= names | parts
